"""What users hold from before: a run, its network and export (see of_format_1/README.md)."""

import json
import shutil

import numpy as np
import pytest
from processes import LAUNCH, ROOT, assert_user_error, run_program

import keras_resnet
from keras_resnet.data import datasets, shapes
from keras_resnet.runs.run_directory import load_network
from keras_resnet.serving.clients import connect
from keras_resnet.tasks import load_config

BEFORE = ROOT / "tests" / "of_format_1"
STAR = LAUNCH / "star.jpg"


@pytest.fixture(scope="module")
def answer():
    """What the export of before says of a picture."""
    (answer,) = connect(str(BEFORE / "export")).ask([STAR.read_bytes()])
    return answer


def test_a_run_is_evaluated_as_it_was():
    was = json.loads((BEFORE / "finished" / "evaluation.json").read_text())
    process = run_program("evaluate", BEFORE / "finished")
    assert process.returncode == 0, process.stderr
    expected = (
        f"top-1 {100 * was['top1']:.2f}%, top-5 100.00%, loss {was['loss']:.4f} on 400 images"
    )
    assert f"finished, 1-crop, shapes, validation: {expected}" in process.stdout
    assert (was["top1"], was["images"]) == (0.91, 400)


def test_its_network_answers_as_its_export_did(answer):
    model = load_network(BEFORE / "finished" / "model.keras")
    (probabilities,) = model(model.preprocessing([STAR.read_bytes()])).numpy()
    assert answer.labels[0] == model.class_names[probabilities.argmax()] == "star"
    np.testing.assert_allclose(probabilities[list(answer.classes)], answer.probabilities, atol=1e-5)


def test_it_is_exported(tmp_path, answer):
    process = run_program("export", BEFORE / "finished", f"--output={tmp_path / 'shapes'}")
    assert process.returncode == 0, process.stderr
    (again,) = connect(str(tmp_path / "shapes")).ask([STAR.read_bytes()])
    assert (again.status, again.labels) == (answer.status, answer.labels)
    np.testing.assert_allclose(again.probabilities, answer.probabilities, atol=1e-5)


def test_it_is_fine_tuned_from(tmp_path, monkeypatch):
    # A step sees 32 of 3200 training pictures, and to draw them all takes seconds.
    few = [shapes.draw("train", index) for index in range(64)]
    of_all = {"train": tuple(zip(*few, strict=True)), "validation": shapes.examples("validation")}
    monkeypatch.setattr(shapes, "examples", of_all.get)
    config = load_config(BEFORE / "finished").with_options(
        weights=str(BEFORE / "finished"), train_steps=1, learning_rate=0.0, weight_decay=0.0
    )
    result = keras_resnet.train(config, tmp_path / "run")
    source = datasets.load("shapes", "validation")
    # The classes are the same: so is the classifier; only the statistics have moved a step.
    assert (result["images"], result["top1"] > 0.8) == (len(source), True)


@pytest.mark.parametrize(("run", "steps"), [("stopped", 3000), ("finished", 150)])
def test_a_training_goes_on_only_with_its_own_version(tmp_path, run, steps):
    directory = shutil.copytree(BEFORE / run, tmp_path / run)
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    process = run_program(
        "imagenet",
        *("--dataset=shapes", "--network=CifarResNet", "--depth=8", "--image_size=16"),
        *("--train_resize=18", "--global_batch_size=32", "--log_every_steps=50"),
        *(f"--train_steps={steps}", f"--run_dir={directory}"),
    )
    assert_user_error(process, "keras_resnet 0.1.0 as of commit a5ef051", "goes on")
    assert len(process.stderr.strip().splitlines()) == 1
    after = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert after == before
