"""Trainings of a localizer: all that is promised of a training holds for it, too."""

import json
import signal
import sys

import numpy as np
import pytest
import surroundings
from harness import Training, assert_same_bits, checkpoint_values, interrupt_at
from object_files import voc_text
from pictures import encoded
from processes import LAUNCH
from tfds_sets import write_tfds_names

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.data import scenes
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.shapes import CLASS_NAMES
from keras_resnet.data.sources import MemorySource
from keras_resnet.localization.files import load_localizer
from keras_resnet.localization.recipes import RECIPES
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.training.trainer import train
from keras_resnet.weights.local import WeightFile

CONFIG = RECIPES["hidden_shapes"].with_options(
    train_images=40,
    validation_images=12,
    width=4,
    global_batch_size=4,
    train_steps=4,
    shorter_side=64,
    longer_side=64,
    crop=0.8,
    rpn_channels=8,
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


def _classifier(tmp_path, names=None):
    """The path of a network that classifies, with statistics and a classifier of its own."""
    model = keras_resnet.ResNet10(
        width=4,
        input_shape=(32, 32, 3),
        classes=8 if names is None else len(names),
        class_names=names,
    )
    rng = np.random.default_rng(0)
    for norm in batch_norms(model):
        norm.moving_mean.assign(rng.normal(0, 0.1, norm.moving_mean.shape))
        norm.moving_variance.assign(rng.uniform(1, 2, norm.moving_variance.shape))
    model.get_layer("fc").bias.assign(rng.normal(size=model.get_layer("fc").bias.shape))
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


def test_a_classifier_goes_on_with_the_classes_that_it_knows(tmp_path, capsys):
    names = ("star", "frog", "circle")
    weights = _classifier(tmp_path, names)
    model = begun(CONFIG.with_options(weights=weights, freeze_batch_norm=True))
    assert "Its classifier knows 2 of the 8 classes." in capsys.readouterr().out
    file = WeightFile(weights).weights
    variables = model.variables_by_name()
    for place, name in enumerate(names):
        if name in CLASS_NAMES:
            own = CLASS_NAMES.index(name)
            for kind in ("kernel", "bias"):
                np.testing.assert_array_equal(
                    variables[f"class_scores/{kind}"].numpy()[..., own],
                    file[f"fc/{kind}"][..., place],
                )
    others = [n for n, name in enumerate(CLASS_NAMES) if name not in names]
    assert not variables["class_scores/bias"].numpy()[others].any()
    np.testing.assert_array_equal(variables["trunk/conv1/kernel"], file["conv1/kernel"])
    assert not any(norm.trainable for norm in batch_norms(model))


def test_a_training_begins_with_a_localizer(tmp_path, capsys):
    begun(CONFIG).save(tmp_path / "x.keras")
    model = begun(CONFIG.with_options(weights=str(tmp_path / "x.keras")))
    assert "Beginning with the weights of a localizer." in capsys.readouterr().out
    expected = load_localizer(tmp_path / "x.keras").variables_by_name()
    for name, variable in model.variables_by_name().items():
        np.testing.assert_array_equal(variable, expected[name], err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "scenes"}, "must have boxes of one class. .* such as image .* with "),
        ({"anchors_per_image": 1000}, "`anchors_per_image` must be at most 96, which pictures of"),
        ({"classes": ("disk", "ring")}, "`classes` is for folders of pictures of one class each"),
    ],
)
def test_what_does_not_fit_leaves_no_run(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        train(CONFIG.with_options(**options), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_given_pictures_need_a_box_each(tmp_path):
    pixels = MemorySource(np.zeros((2, 8, 8, 3), np.uint8), [0, 1])
    table = ObjectTable.of(
        [np.array([[0, 0, 4, 4.0]]), np.empty((0, 4))], [np.array([0]), np.empty(0, int)]
    )
    source = AnnotatedSource(pixels, table, ("cat", "dog"))
    config = CONFIG.with_options(validation_images=0, train_images=None)
    with pytest.raises(UserError, match="1 of 2 have none, such as image 1 of 2"):
        train(config, tmp_path / "run", {"train": source, "validation": source})
    with pytest.raises(UserError, match="Pictures with boxes are needed"):
        train(config, tmp_path / "run", {"train": pixels, "validation": pixels})
    assert not (tmp_path / "run").exists()


def test_boxes_beside_a_set_of_tfds_are_trained_on(tmp_path, monkeypatch, capsys):
    from command_line import localizers as program

    rng = np.random.default_rng(0)
    rows = [(f"{n}.jpg", encoded(rng, 40, 60, "JPEG"), n % 2) for n in range(12)]
    write_tfds_names(tmp_path / "data", {"train": rows, "validation": rows[:5]})
    for folder in ("boxes", "moved"):
        (tmp_path / folder).mkdir()
        for number in range(12):
            text = voc_text(("x", 5, 5, 30, 30))
            (tmp_path / folder / f"{number}.xml").write_text(text)
    options = {"dataset": "named", "data_dir": str(tmp_path / "data"), "validation_images": 0}
    config = CONFIG.with_options(**options, train_images=None, train_steps=2)
    train(config.with_options(boxes=tmp_path / "boxes"), tmp_path / "run")
    # The files may lie elsewhere now.
    train(config.with_options(boxes=tmp_path / "moved", train_steps=2), tmp_path / "run")
    capsys.readouterr()
    program.evaluate(
        str(tmp_path / "run"),
        **{"dataset": None, "data_dir": None, "split": "validation", "skip_corrupt": False},
        **{"batch_size": 2, "boxes": None},
    )
    assert " on 5 images" in capsys.readouterr().out.splitlines()[0]


if __name__ == "__main__":
    # What a configuration leaves unset is not that of the first recipe.
    sys.argv[1:1] = ["--recipe=hidden_shapes"]
    sys.path.insert(0, str(LAUNCH))
    scenes.NUM_EXAMPLES = {"train": 52, "validation": 8}
    from localization import PROGRAM, read, work

    PROGRAM.run(read, work)
