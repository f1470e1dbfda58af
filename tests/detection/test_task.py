"""Trainings of a detector: all that is promised of a training holds for it, too."""

import dataclasses
import json
import signal
import sys

import numpy as np
import pytest
import surroundings
from harness import Training, assert_same_bits, checkpoint_values, interrupt_at
from object_files import write_coco, write_pictures
from processes import LAUNCH

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.data import scenes
from keras_resnet.data.sources import MemorySource
from keras_resnet.detection.files import load_detector
from keras_resnet.detection.recipes import RECIPES
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.training.trainer import train
from keras_resnet.weights.local import WeightFile

CONFIG = RECIPES["scenes"].with_options(
    train_images=40,
    validation_images=12,
    width=4,
    global_batch_size=4,
    train_steps=2,
    shorter_side=64,
    longer_side=64,
    train_shorter_sides=(48, 64),
    crop=0.7,
    rpn_channels=8,
    region_size=3,
    log_every_steps=1,
    evaluate_every_steps=2,
    checkpoint_every_steps=2,
)

# A batch has lying and upright pictures.
MIXED = CONFIG.with_options(dataset="mixed_scenes", longer_side=96, train_steps=4)


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory), pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "NUM_EXAMPLES", {"train": 52, "validation": 8})
        scenes.scenes.cache_clear()
        yield
    scenes.scenes.cache_clear()


@pytest.mark.faults
def test_an_interrupted_training_ends_in_the_same_bits(tmp_path):
    train(MIXED, tmp_path / "whole")
    process = interrupt_at(MIXED, tmp_path / "run", 1, signal.SIGTERM, program=__file__)
    assert "at step" in process.output()
    train(MIXED, tmp_path / "run")
    assert_same_bits(tmp_path / "run", tmp_path / "whole")


@pytest.mark.faults
def test_replicas_and_workers_learn_what_one_learns(tmp_path):
    config = MIXED.with_options(
        dtype="float64",
        train_steps=20,
        evaluate_every_steps=20,
        checkpoint_every_steps=20,
        weights=_classifier(tmp_path),
        freeze_batch_norm=True,
        learning_rate=0.002,
    )
    train(config, tmp_path / "one")
    train(config.with_options(replicas=2), tmp_path / "two")
    workers = Training(config, tmp_path / "workers", workers=2, program=__file__)
    assert workers.statuses() == [0, 0], workers.output()
    expected = checkpoint_values(tmp_path / "one")
    for name in ("two", "workers"):
        found = checkpoint_values(tmp_path / name)
        for variable, value in expected.items():
            np.testing.assert_allclose(found[variable], value, rtol=0, atol=1e-8, err_msg=variable)


def _classifier(tmp_path, **options):
    """The path of a network that classifies, with statistics of its own."""
    options = {"width": 4, "input_shape": (32, 32, 3), "classes": 8, **options}
    model = keras_resnet.ResNet10(**options)
    rng = np.random.default_rng(0)
    for norm in batch_norms(model):
        norm.moving_mean.assign(rng.normal(0, 0.1, norm.moving_mean.shape))
        norm.moving_variance.assign(rng.uniform(1, 2, norm.moving_variance.shape))
    model.save(tmp_path / "classifier.keras")
    return str(tmp_path / "classifier.keras")


def begun(config):
    """The network that a training begins with."""
    task = config.task.task(config)
    sources = task.sources()
    setup = task.setup(sources)
    network = task.network(setup, sources)
    task.check_beginning(network, json.loads(json.dumps(setup)), sources)
    task.begin(network)
    return network


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The path of a detector."""
    path = tmp_path_factory.mktemp("detector") / "x.keras"
    begun(CONFIG).save(path)
    return path


def test_a_training_begins_with_a_network_that_classifies(tmp_path, capsys):
    weights = _classifier(tmp_path)
    model = begun(CONFIG.with_options(weights=weights, freeze_batch_norm=True))
    assert f"Beginning with the network of {weights}." in capsys.readouterr().out
    file = WeightFile(weights)
    found = {
        name.partition("/")[2]: variable
        for name, variable in model.variables_by_name().items()
        if name.startswith(("trunk/", "head/"))
    }
    assert found.keys() == file.weights.keys() - {"fc/kernel", "fc/bias"}
    for name, variable in found.items():
        np.testing.assert_array_equal(variable, file.weights[name], err_msg=name)
    assert not any(norm.trainable for norm in batch_norms(model))
    expected = dataclasses.replace(
        file.preprocessing, exif_orientation=True, background=(255, 255, 255)
    )
    assert model.preprocessing == expected


def test_a_training_begins_with_a_detector(saved, capsys):
    model = begun(CONFIG.with_options(weights=str(saved), freeze="conv3"))
    assert "Beginning with the weights of a detector." in capsys.readouterr().out
    expected = load_detector(saved).variables_by_name()
    for name, variable in model.variables_by_name().items():
        np.testing.assert_array_equal(variable, expected[name], err_msg=name)
    assert not model.trunk.get_layer("conv3_1").trainable
    assert model.trunk.get_layer("conv4_1").trainable


def test_pictures_are_kept_for_validation_once(tmp_path):
    names = [f"{number}.png" for number in range(9)]
    write_pictures(tmp_path, names)
    file = write_coco(tmp_path / "all.json", names)
    for options, kept in (({"validation_images": 2}, 2), ({"validation_images": 0}, 1)):
        config = CONFIG.with_options(dataset=str(file), train_images=None, **options)
        task = config.task.task(config)
        sources = task.sources()
        assert {name: len(source) for name, source in sources.items()} == {
            "train": 9 - kept,
            "validation": kept,
        }
        of_splits = [
            {source.describe(index) for index in range(len(source))} for source in sources.values()
        ]
        assert not of_splits[0] & of_splits[1]
        assert len(task.validation_source()) == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "{classifier}", "width": 8}, "has the shape .* there and"),
        ({"weights": "{classifier}", "depth": 18}, "holds .* not the network 'resnet18'"),
        (
            {"weights": "{detector}", "rpn_channels": 9},
            "rpn_.* has the shape .*give the flags of its",
        ),
        (
            {"weights": "{detector}", "activation": "tanh"},
            "has activation='relu', and this one 'tanh'",
        ),
        ({"anchors_per_image": 1000}, "`anchors_per_image` must be at most 144, which pictures of"),
        ({"classes": ("disk", "ring")}, "`classes` is for folders of pictures of one class each"),
        ({"warmup_error": 0.5}, "`warmup_error` must be 0"),
    ],
)
def test_what_does_not_fit_leaves_no_run(saved, tmp_path, options, message):
    paths = {"detector": saved, "classifier": _classifier(tmp_path)}
    options = {
        name: value.format(**paths) if name == "weights" else value
        for name, value in options.items()
    }
    with pytest.raises(UserError, match=message):
        train(CONFIG.with_options(**options), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pictures_without_boxes_are_refused(tmp_path):
    source = MemorySource(np.zeros((2, 8, 8, 3), np.uint8), [0, 1])
    config = CONFIG.with_options(validation_images=0, train_images=None)
    with pytest.raises(UserError, match="Pictures with boxes are needed"):
        train(config, tmp_path / "run", {"train": source, "validation": source})


if __name__ == "__main__":
    # What a configuration leaves unset is not that of the first recipe.
    sys.argv[1:1] = ["--recipe=scenes"]
    sys.path.insert(0, str(LAUNCH))
    scenes.NUM_EXAMPLES = {"train": 52, "validation": 8}
    from detection import PROGRAM, read, work

    PROGRAM.run(read, work)
