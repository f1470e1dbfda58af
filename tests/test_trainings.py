import dataclasses
import json

import pytest

from keras_resnet.config import RECIPES
from keras_resnet.paper.trainings import train_all
from keras_resnet.runs import read_metrics

CONFIG = dataclasses.replace(
    RECIPES["cifar10"]["paper"],
    depth=8,
    dataset="shapes",
    image_size=16,
    global_batch_size=8,
    train_steps=2,
)


def test_each_training_has_a_directory_and_goes_on_in_it(tmp_path, capsys):
    trainings = {"first": CONFIG, "second": dataclasses.replace(CONFIG, seed=1)}
    results, metrics = train_all(trainings, tmp_path)
    assert all(result["step"] == 2 for result in results.values())
    for name, rows in metrics.items():
        assert rows == read_metrics(tmp_path / name)
        assert json.loads((tmp_path / name / "config.json").read_text())["seed"] == (
            name == "second"
        )
    capsys.readouterr()
    assert train_all(trainings, tmp_path) == (results, metrics)
    assert capsys.readouterr().out.count("Complete already") == 2


def test_lost_metrics_are_named(tmp_path):
    train_all({"a": CONFIG}, tmp_path)
    (tmp_path / "a" / "metrics.jsonl").unlink()
    with pytest.raises(ValueError, match="metrics.jsonl lacks lines"):
        train_all({"a": CONFIG}, tmp_path)


def test_the_others_go_on_when_one_diverges(tmp_path, capsys):
    trainings = {"wild": dataclasses.replace(CONFIG, learning_rate=1e30), "calm": CONFIG}
    results, _ = train_all(trainings, tmp_path)
    assert results["wild"] is None
    assert results["calm"]["step"] == 2
    assert "wild diverged: The " in capsys.readouterr().out
