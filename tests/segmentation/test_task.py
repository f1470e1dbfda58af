"""Trainings of a segmenter: all that is promised of a training holds for it, too."""

import json
import signal
import sys

import numpy as np
import pytest
import surroundings
from harness import Training, assert_same_bits, checkpoint_values, interrupt_at
from processes import LAUNCH

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.data import scenes
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.segmentation.files import load_segmenter
from keras_resnet.segmentation.recipes import RECIPES
from keras_resnet.training.trainer import train
from keras_resnet.weights.names import variables_by_name

CONFIG = RECIPES["scenes"].with_options(
    dataset="mixed_scenes",
    train_images=40,
    validation_images=12,
    width=4,
    global_batch_size=4,
    train_steps=4,
    shorter_side=64,
    longer_side=96,
    crop_size=64,
    auxiliary=True,
    log_every_steps=1,
    evaluate_every_steps=2,
    checkpoint_every_steps=2,
)


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory), pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "NUM_EXAMPLES", {"train": 52, "validation": 8})
        scenes.scenes.cache_clear()
        yield
    scenes.scenes.cache_clear()


@pytest.mark.faults
def test_an_interrupted_training_ends_in_the_same_bits(tmp_path):
    train(CONFIG, tmp_path / "whole")
    process = interrupt_at(CONFIG, tmp_path / "run", 1, signal.SIGTERM, program=__file__)
    assert "at step" in process.output()
    train(CONFIG, tmp_path / "run")
    assert_same_bits(tmp_path / "run", tmp_path / "whole")


@pytest.mark.faults
def test_replicas_and_workers_learn_what_one_learns(tmp_path):
    config = CONFIG.with_options(
        dtype="float64",
        train_steps=20,
        evaluate_every_steps=20,
        checkpoint_every_steps=20,
        synchronized_batch_norm=True,
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
    path = tmp_path_factory.mktemp("segmenter") / "x.keras"
    begun(CONFIG).save(path)
    return path


def test_a_training_begins_with_a_network_that_classifies(tmp_path):
    model = keras_resnet.ResNet10(width=4, input_shape=(32, 32, 3), classes=8)
    model.save(tmp_path / "x.keras")
    weights = str(tmp_path / "x.keras")
    begins = begun(CONFIG.with_options(weights=weights, freeze="conv2"))
    found = begins.variables_by_name()
    for name, variable in variables_by_name(model).items():
        if not name.startswith("fc/"):
            np.testing.assert_array_equal(found[f"trunk/{name}"], variable, err_msg=name)
    assert all(norm.trainable for norm in batch_norms(begins.head))
    assert not begins.trunk.get_layer("conv2_1").trainable
    frozen = begun(CONFIG.with_options(weights=weights, freeze_batch_norm=True))
    assert not any(norm.trainable for norm in batch_norms(frozen.trunk))
    # What is new has nothing to keep.
    assert all(norm.trainable for norm in batch_norms(frozen.head))


def test_a_training_begins_with_a_segmenter(saved, capsys):
    model = begun(CONFIG.with_options(weights=str(saved)))
    assert "Beginning with the weights of a segmenter." in capsys.readouterr().out
    expected = load_segmenter(saved).variables_by_name()
    for name, variable in model.variables_by_name().items():
        np.testing.assert_array_equal(variable, expected[name], err_msg=name)


@pytest.mark.parametrize("options", [{"width": 8}, {"head": "deeplabv3"}, {"skip": False}])
def test_a_segmenter_of_another_make_is_no_beginning(saved, options):
    config = CONFIG.with_options(weights=str(saved), **options)
    task = config.task.task(config)
    sources = task.sources()
    setup = task.setup(sources)
    network = task.network(setup, sources)
    if "skip" in options:
        # What it has besides stays out.
        task.check_beginning(network, setup, sources)
        return
    with pytest.raises(UserError, match="The segmenter to begin with is another one.*give the f"):
        task.check_beginning(network, setup, sources)


if __name__ == "__main__":
    # What a configuration leaves unset is not that of the first recipe.
    sys.argv[1:1] = ["--recipe=scenes"]
    sys.path.insert(0, str(LAUNCH))
    scenes.NUM_EXAMPLES = {"train": 52, "validation": 8}
    from segmentation import PROGRAM, read, work

    PROGRAM.run(read, work)
