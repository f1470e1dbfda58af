import contextlib
import io
import json
import shutil

import numpy as np
import pytest
import surroundings
from pictures import make_picture_folder

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper.trainings import train_all
from keras_resnet.runs.metrics import read_metrics


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    pictures = tmp_path_factory.mktemp("pictures")
    make_picture_folder(pictures, np.random.default_rng(0), {"train": 8, "val": 2})
    config = RECIPES["cifar10"]["paper"].with_options(
        depth=8,
        dataset=f"folder:{pictures}",
        image_size=8,
        global_batch_size=8,
        train_steps=2,
    )
    return {
        "first": config,
        "wild": config.with_options(learning_rate=1e30),
        "second": config.with_options(seed=1),
    }


@pytest.fixture(scope="module")
def trained(trainings, tmp_path_factory):
    """The directory of trainings, which is not to be changed, what they gave and printed."""
    directory, printed = tmp_path_factory.mktemp("trainings"), io.StringIO()
    with contextlib.redirect_stdout(printed), surroundings.of_trainings(tmp_path_factory):
        results, metrics = train_all(trainings, directory)
    return directory, results, metrics, printed.getvalue()


def test_each_training_has_a_directory(trainings, trained):
    directory, results, metrics, _ = trained
    assert list(results) == list(metrics) == list(trainings)
    assert [results[name]["step"] for name in ("first", "second")] == [2, 2]
    for name, rows in metrics.items():
        assert rows == read_metrics(directory / name)
    for name, seed in (("first", 0), ("second", 1)):
        assert json.loads((directory / name / "config.json").read_text())["seed"] == seed


def test_trainings_go_on_in_their_directories(trainings, trained, tmp_path, capsys):
    directory, results, metrics, _ = trained
    shutil.copytree(directory, tmp_path / "copy")
    complete = {name: trainings[name] for name in ("first", "second")}
    again = train_all(complete, tmp_path / "copy")
    assert again == tuple({name: of[name] for name in complete} for of in (results, metrics))
    printed = capsys.readouterr().out
    assert printed.count("Complete already") == 2
    for number, name in enumerate(complete, 1):
        assert f"Training {number} of 2, {name}: {tmp_path / 'copy' / name}\n" in printed


def test_the_others_go_on_when_one_diverges(trained):
    _, results, metrics, printed = trained
    assert results["wild"] is None
    assert results["second"]["step"] == 2
    assert not [row for row in metrics["wild"] if row["split"] == "validation"]
    assert "wild diverged: The " in printed


@pytest.mark.parametrize("left", [(), ("train",), ("validation",)])
def test_lost_metrics_are_named(trainings, trained, tmp_path, left):
    shutil.copytree(trained[0] / "first", tmp_path / "first")
    path = tmp_path / "first" / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line)["split"] in left))
    with pytest.raises(
        ValueError, match="metrics.jsonl lacks lines of a complete training"
    ) as error:
        train_all({"first": trainings["first"]}, tmp_path)
    assert str(path) in str(error.value) and f"delete {path.parent}" in str(error.value)


def test_lines_lost_at_the_end_are_named(trainings, trained, tmp_path):
    shutil.copytree(trained[0] / "first", tmp_path / "first")
    path = tmp_path / "first" / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "step": 1}) + "\n" for row in rows))
    with pytest.raises(ValueError, match=r"metrics\.jsonl lacks lines of a complete training"):
        train_all({"first": trainings["first"]}, tmp_path)
