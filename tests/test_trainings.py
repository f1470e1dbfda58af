import dataclasses
import json

from keras_resnet.config import RECIPES
from keras_resnet.paper.trainings import train_all
from keras_resnet.runs import read_metrics


def test_each_training_has_a_directory_and_goes_on_in_it(tmp_path, capsys):
    config = dataclasses.replace(
        RECIPES["cifar10"]["paper"],
        depth=8,
        dataset="shapes",
        image_size=16,
        global_batch_size=8,
        train_steps=2,
    )
    trainings = {"first": config, "second": dataclasses.replace(config, seed=1)}
    metrics = train_all(trainings, tmp_path)
    for name, rows in metrics.items():
        assert rows == read_metrics(tmp_path / name)
        assert json.loads((tmp_path / name / "config.json").read_text())["seed"] == (
            name == "second"
        )
    capsys.readouterr()
    assert train_all(trainings, tmp_path) == metrics
    assert capsys.readouterr().out.count("Complete already") == 2
