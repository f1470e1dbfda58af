import dataclasses
import json
import pathlib

import numpy as np
import pytest

from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.runs.config import TrainConfig, differences, run_of
from keras_resnet.runs.options import fields

CIFAR = RECIPES["cifar10"]["paper"]


def test_options_of_the_other_kind_are_refused():
    with pytest.raises(ValueError, match="`learning_rate_drops` is for schedule='steps'"):
        CIFAR.with_options(schedule="plateau", learning_rate_drops=(1,))


def test_evaluations_change_the_result_of_plateaus():
    plateau = CIFAR.with_options(schedule="plateau")
    assert differences(plateau, plateau.with_options(evaluate_every_steps=7)) == {
        "evaluate_every_steps": (None, 7)
    }
    assert differences(CIFAR, CIFAR.with_options(evaluate_every_steps=7)) == {}


def test_survives_json():
    config = CIFAR.with_options(learning_rate_drops=(10, 20), data_dir="/data", label_smoothing=0.1)
    values = json.loads(config.to_json())
    assert (values["task"], values["classification"]["label_smoothing"]) == ("classification", 0.1)
    assert TrainConfig.from_json(values, {"classification": ClassificationOptions}.get) == config


def test_config_json_is_the_same_for_values_of_numpy():
    plain = {"train_steps": 5, "learning_rate": 0.5, "learning_rate_drops": (1, 2)}
    numpy = {
        "train_steps": np.int64(5),
        "learning_rate": np.float32(0.5),
        "learning_rate_drops": np.array([1, 2]),
    }
    ours = CIFAR.with_options(dataset="/data", skip_corrupt=True, label_smoothing=0.25, **plain)
    theirs = CIFAR.with_options(
        dataset=pathlib.Path("/data"),
        skip_corrupt=np.bool_(True),
        label_smoothing=np.float64(0.25),
        **numpy,
    )
    assert theirs.to_json() == ours.to_json()
    of_one = RECIPES["imagenet"]["paper"].with_options(train_resize=np.array([256]))
    assert of_one.task.train_resize == (256, 256)


def test_a_task_that_is_none_is_refused():
    with pytest.raises(ValueError, match="`task` must be .*ClassificationOptions.*'naming'"):
        dataclasses.replace(CIFAR, task="naming")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 3, "keras_resnet": "9.9"}, "of format 3, with which keras_resnet 9.9 goes on"),
        ({}, "of format 1, with which keras_resnet 0.1.0 as of commit a5ef051"),
    ],
)
def test_another_format_is_refused_with_the_version_that_goes_on(values, message):
    with pytest.raises(ValueError, match=f"{message}.* and this version.* does not"):
        TrainConfig.from_json(values, {"classification": ClassificationOptions}.get)


def test_of_options_of_the_task_a_copy_may_have_others():
    other = CIFAR.with_options(label_smoothing=0.2, depth=56)
    assert (other.depth, other.task.label_smoothing, CIFAR.task.label_smoothing) == (56, 0.2, 0.0)
    assert other.task.mean == CIFAR.task.mean
    with pytest.raises(TypeError, match="anchors"):
        CIFAR.with_options(anchors=3)


def test_only_what_changes_the_result_differs():
    changes = {"data_dir": "/data", "log_every_steps": 7, "pca_color": 0.1}
    other = CIFAR.with_options(depth=56, seed=1, **changes)
    assert differences(CIFAR, CIFAR) == {}
    expected = {"depth": (20, 56), "seed": (0, 1), "pca_color": (0.0, 0.1)}
    assert differences(CIFAR, other) == expected
    # Unset is the paper's value.
    deep = CIFAR.with_options(depth=110)
    assert differences(deep, deep.with_options(warmup_error=0.8)) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network", "VGG"),
        ("depth", 0),
        ("shortcut", "D"),
        ("bottleneck_stride", "2x2"),
        ("dtype", "float16"),
        ("train_steps", 0),
        ("train_steps", 10**20),
        ("global_batch_size", 10**20),
        ("stall_seconds", 10**13),
        ("train_steps", None),
        ("train_epochs", 3.0),
        ("evaluate_every_steps", 0),
        ("global_batch_size", 0),
        ("log_every_steps", 0),
        ("checkpoint_every_steps", 0),
        ("replicas", -1),
        ("seed", -1),
        ("seed", 2**32),
        ("learning_rate", -0.1),
        ("learning_rate", float("nan")),
        ("weight_decay", float("inf")),
        ("momentum", 1.0),
        ("learning_rate_drops", (20, 10)),
        ("learning_rate_drops", (10, 10)),
        ("learning_rate_drops", (0,)),
        ("schedule", "linear"),
        ("stem", "patches"),
        ("stem", "cifar"),
        ("block", "bottleneck"),
        ("activation", "elu"),
        ("train_images", 0),
        ("validation_images", -1),
        ("learning_rate_shares", ()),
        ("learning_rate_shares", (2, 0, 1)),
        ("warmup_epochs", 5.0),
        ("warmup_epochs", -1.0),
        ("warmup_error", 1.0),
        ("warmup_learning_rate", -1.0),
        ("ema_momentum", 1.0),
        ("plateau_evaluations", 0),
        ("dataset", None),
        ("dataset", np.zeros(3)),
        ("data_dir", b"/data"),
        ("weights", 10),
        ("skip_corrupt", "yes"),
        ("freeze_batch_norm", 1),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}`.* (must be|is for) .*Received: "):
        CIFAR.with_options(**{name: value})


def test_110_layers_warm_up_until_the_error_is_below_80_percent():
    warm = {depth: CIFAR.with_options(depth=depth) for depth in (20, 56, 110, 1202)}
    errors = {depth: config.effective_warmup_error() for depth, config in warm.items()}
    assert errors == {20: 0, 56: 0, 110: 0.8, 1202: 0.8}
    assert warm[110].warmup_learning_rate == 0.01
    assert warm[110].with_options(warmup_error=0.0).effective_warmup_error() == 0
    assert RECIPES["imagenet"]["paper"].effective_warmup_error() == 0


def test_no_epochs_are_no_training():
    with pytest.raises(ValueError, match="`train_epochs` must be above 0"):
        CIFAR.with_options(train_steps=None, train_epochs=0.0)


def test_where_data_are_and_what_is_written_when_change_no_result():
    assert {
        field.name for field in fields(TrainConfig) if not field.metadata["changes_result"]
    } == {
        "data_dir",
        # It changes the bits, as devices do, of which the run takes note.
        "jit_compile",
        "stall_seconds",
        "log_every_steps",
        "evaluate_every_steps",
        "checkpoint_every_steps",
        "keep_checkpoints",
        "profile_steps",
    }


def test_every_option_is_explained():
    for field in (*fields(TrainConfig), *fields(ClassificationOptions)):
        assert len(field.metadata["help"]) > 10


def test_a_rate_of_0_trains_nothing_and_is_no_mistake():
    assert CIFAR.with_options(learning_rate=0).learning_rate == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 21}, "`depth` must be 6n[+]2"),
        ({"network": "ResNet", "depth": 20}, "`depth` must be one of 10, 18, 34, 50, 101, 152"),
        ({"network": "CifarPlainNet", "shortcut": "A"}, "`shortcut` is for residual networks"),
        ({"bottleneck_stride": "3x3"}, "`bottleneck_stride` is for networks of bottlenecks"),
        ({"network": "ResNet", "depth": 50, "block": "basic"}, "`block` takes the place of basic"),
        ({"stem": "cifar"}, "`stem` is for the networks ResNet and PlainNet"),
        ({"network": "CifarPlainNet", "stem": "cifar"}, "`stem` is for the networks"),
    ],
)
def test_a_network_that_there_is_not_is_refused_without_building_it(options, message):
    with pytest.raises(ValueError, match=message):
        CIFAR.with_options(**options)
    of_bottlenecks = {"network": "ResNet", "depth": 50, "bottleneck_stride": "3x3"}
    assert CIFAR.with_options(**of_bottlenecks, stem="cifar", shortcut="C").depth == 50


def test_options_of_a_later_version_are_named():
    options_of = {"classification": ClassificationOptions}.get
    values = {**json.loads(CIFAR.to_json()), "warp": 9, "keras_resnet": "7.0"}
    with pytest.raises(ValueError, match=r"does not know, warp: .*keras_resnet 7\.0"):
        TrainConfig.from_json(values, options_of)
    # One of before an option was there has its default.
    del values["warp"], values["jit_compile"]
    assert TrainConfig.from_json(values, options_of) == CIFAR


def test_another_path_of_a_folder_is_no_difference():
    folder = CIFAR.with_options(dataset="folder:/a/pets")
    assert differences(folder, folder.with_options(dataset="./animals/")) == {}
    expected = {"dataset": (CIFAR.dataset, "folder:/a/pets")}
    assert differences(CIFAR, folder) == expected
    others = {"classes": ("ant", "bee"), "validation_share": 0.2}
    assert differences(folder, folder.with_options(**others)).keys() == others.keys()


def test_a_run_is_a_directory_or_around_a_network(tmp_path):
    assert run_of(tmp_path) is None
    (tmp_path / "config.json").touch()
    for path in (tmp_path, tmp_path / "best.keras", tmp_path / "absent.keras"):
        assert run_of(path) == tmp_path
    (tmp_path / "deeper").mkdir()
    assert run_of(tmp_path / "deeper") is None


@pytest.mark.parametrize(
    "options",
    [
        {"validation_share": 0},
        {"validation_share": 1.0},
        {"classes": ("ant",)},
        {"classes": ("ant", "ant")},
        {"classes": "ant"},
    ],
)
def test_impossible_shares_and_classes_are_refused(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        CIFAR.with_options(**options)
