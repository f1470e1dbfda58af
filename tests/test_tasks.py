import json

import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.tasks import load_config

CONFIG = RECIPES["imagenet"]["modern"]


def write(directory, values):
    (directory / "config.json").write_text(json.dumps(values))
    return directory


def test_a_configuration_is_read_with_its_task(tmp_path):
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    assert load_config(tmp_path) == CONFIG
    # Of a network in the directory, too.
    (tmp_path / "best.keras").touch()
    assert load_config(tmp_path / "best.keras") == CONFIG
    (tmp_path / "other").mkdir()
    assert load_config(tmp_path / "other") is None


def test_one_of_format_1_is_read_too(tmp_path):
    values = json.loads(CONFIG.to_json())
    of_task = values.pop("classification")
    for name in ("format", "keras_resnet", "task"):
        del values[name]
    assert load_config(write(tmp_path, {**values, **of_task})) == CONFIG
    # From before there was a warm-up.
    del values["warmup_error"]
    deep = {**values, **of_task, "network": "CifarResNet", "depth": 110, "zero_last_gamma": False}
    assert load_config(write(tmp_path, deep)).effective_warmup_error() == 0


def test_an_unknown_task_is_named(tmp_path):
    values = json.loads(CONFIG.to_json())
    values = {**values, "task": "origami", "origami": {}}
    with pytest.raises(ValueError, match="`task` must be one of 'classification'.*origami"):
        load_config(write(tmp_path, values))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"depth": 20}', '{"unknown": 1}', "\udcff"])
def test_a_damaged_configuration_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=r"config\.json is no configuration"):
        load_config(tmp_path)
