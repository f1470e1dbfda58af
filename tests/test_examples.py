"""The examples, executed as a reader would."""

import json
import re
import runpy
import sys

import nbclient
import nbformat
import numpy as np
import pytest
from harness import metrics
from processes import ROOT

import keras_resnet

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


# What makes the training of a minute one of seconds, after which some pictures are told apart, and
# draws a fifth of them.
BRIEFLY = {
    "import keras_resnet\n": "import keras_resnet, keras_resnet.data.shapes\n"
    "keras_resnet.data.shapes.NUM_EXAMPLES.update(train=640, validation=80)\n",
    "STEPS, BATCH_SIZE = 200, 64": "STEPS, BATCH_SIZE = 40, 32",
    "PiecewiseConstantDecay([130, 180],": "PiecewiseConstantDecay([26, 36],",
    "epochs=10,": "epochs=2,",
    "steps_per_epoch=STEPS // 10,": "steps_per_epoch=STEPS // 2,",
    "np.arange(1, 11) * STEPS // 10": "np.arange(1, 3) * STEPS // 2",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("replacements", "pictures", "least_accuracy"),
    [(BRIEFLY, 80, 20), pytest.param({}, 400, 90, marks=pytest.mark.faults)],
    ids=["briefly", "as_written"],
)
def test_the_notebook_runs_from_top_to_bottom(path, replacements, pictures, least_accuracy):
    notebook = nbformat.read(path, as_version=4)
    for old, new in replacements.items():
        (cell,) = (cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new)
    resources = {"metadata": {"path": path.parent}}
    client = nbclient.NotebookClient(
        notebook, kernel_name="python3", timeout=300, resources=resources
    )
    # The interpreter of the tests, whatever kernels the machine has registered.
    client.create_kernel_manager().kernel_spec.argv[0] = sys.executable
    client.execute()
    printed = text_of(notebook)
    assert "Warning" not in printed
    accuracy = re.search(rf"top-1: ([\d.]+)% of {pictures} pictures", printed)
    assert float(accuracy[1]) > least_accuracy
    difference = re.search(r"difference from model.predict: (\S+)", printed)
    assert float(difference[1]) < 1e-5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_shows_a_whole_clean_run(path):
    notebook = nbformat.read(path, as_version=4)
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code_cells] == [*range(1, len(code_cells) + 1)]
    outputs = [output for cell in code_cells for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert not [output for output in outputs if output.output_type == "error"]
    assert len(json.dumps(notebook)) < 1_000_000
    # It shows what it was written to show.
    assert float(re.search(r"top-1: ([\d.]+)% of 400 pictures", text_of(notebook))[1]) > 90


def text_of(notebook):
    """All that the cells printed."""
    return "".join(
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


def test_the_tracker_has_what_the_run_has_also_over_an_interruption(tmp_path, monkeypatch, rng):
    import mlflow

    monkeypatch.chdir(tmp_path)
    example = runpy.run_path(str(ROOT / "examples" / "mlflow_tracking.py"))
    options = {"train_steps": 4, "log_every_steps": 1, "checkpoint_every_steps": 2}
    small = example["config"].with_options(**options, image_size=16, global_batch_size=4)
    example["main"].__globals__["config"] = small
    pictures = rng.integers(0, 256, (8, 16, 16, 3), np.uint8), np.arange(8) % 2
    sources = {"train": pictures, "validation": pictures}

    def train(config, run_dir, on_metrics):
        return keras_resnet_train(config, run_dir, sources, on_metrics)

    def interrupted(config, run_dir, on_metrics):
        def track(row):
            if row["step"] == 3:
                raise KeyboardInterrupt
            on_metrics(row)

        return train(config, run_dir, track)

    keras_resnet_train = keras_resnet.train
    monkeypatch.setattr(keras_resnet, "train", interrupted)
    run_dir = tmp_path / "runs" / "followed"
    with pytest.raises(KeyboardInterrupt):
        example["main"](run_dir)
    monkeypatch.setattr(keras_resnet, "train", train)
    example["main"](run_dir)
    (run,) = mlflow.search_runs(output_format="list")
    assert run.data.params["depth"] == "8"
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "train/loss")
    followed = {(metric.step, metric.value) for metric in history}
    rows = [row for row in metrics(run_dir) if row["split"] == "train"]
    assert followed == {(row["step"], row["loss"]) for row in rows}
    assert len(rows) == 4
