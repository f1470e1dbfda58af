import dataclasses
import json

import pytest

from keras_resnet.runs.config import RECIPES, TrainConfig, differences

CIFAR = RECIPES["cifar10"]["paper"]


def test_the_cifar_recipe_is_section_4_2():
    assert (CIFAR.network, CIFAR.depth, CIFAR.dataset) == ("CifarResNet", 20, "cifar10")
    assert (CIFAR.global_batch_size, CIFAR.train_steps) == (128, 64_000)
    assert (CIFAR.learning_rate, CIFAR.momentum, CIFAR.weight_decay) == (0.1, 0.9, 1e-4)
    assert (CIFAR.mean, CIFAR.augmentation) == ("pixel", "pad_crop_mirror")


def test_the_imagenet_recipe_is_section_3_4():
    recipe = RECIPES["imagenet"]["paper"]
    assert (recipe.global_batch_size, recipe.train_steps) == (256, 600_000)
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay) == (0.1, 0.9, 1e-4)
    assert (recipe.augmentation, recipe.pca_color) == ("crop_mirror", 0.1)


@pytest.mark.parametrize(("program", "ema_momentum"), [("cifar10", 0.999), ("imagenet", 0.9999)])
def test_the_modern_recipe_is_that_of_the_docs(program, ema_momentum):
    recipe = RECIPES[program]["modern"]
    assert (recipe.schedule, recipe.warmup_epochs) == ("cosine", 5)
    assert (recipe.label_smoothing, recipe.decay_batch_norm) == (0.1, False)
    assert (recipe.zero_last_gamma, recipe.ema_momentum) == (True, ema_momentum)
    assert dataclasses.replace(recipe, depth=110).effective_warmup_error() == 0
    if program == "imagenet":
        assert recipe.train_epochs == 90


def test_the_recipe_of_fine_tuning_is_that_of_the_docs():
    recipe = RECIPES["imagenet"]["fine_tuning"]
    assert (recipe.weights, recipe.freeze, recipe.freeze_batch_norm) == ("imagenet", None, False)
    assert (recipe.global_batch_size, recipe.momentum, recipe.weight_decay) == (32, 0.9, 1e-4)
    assert (recipe.learning_rate, recipe.schedule, recipe.train_epochs) == (0.01, "cosine", 20)
    assert (recipe.warmup_epochs, recipe.augmentation, recipe.pca_color) == (0, "crop_mirror", 0)


def test_one_size_is_a_range_of_one():
    config = dataclasses.replace(RECIPES["imagenet"]["paper"], train_resize=[256])
    assert config.train_resize == (256, 256)


def test_options_of_the_other_kind_are_refused():
    with pytest.raises(ValueError, match="`train_resize` is for augmentation='crop_mirror'"):
        dataclasses.replace(CIFAR, train_resize=(32, 40))
    with pytest.raises(ValueError, match="`learning_rate_drops` is for schedule='steps'"):
        dataclasses.replace(CIFAR, schedule="plateau", learning_rate_drops=(1,))


def test_evaluations_change_the_result_of_plateaus():
    plateau = dataclasses.replace(CIFAR, schedule="plateau")
    assert differences(plateau, dataclasses.replace(plateau, evaluate_every_steps=7)) == [
        "evaluate_every_steps"
    ]
    assert differences(CIFAR, dataclasses.replace(CIFAR, evaluate_every_steps=7)) == []


def test_survives_json():
    config = dataclasses.replace(CIFAR, learning_rate_drops=(10, 20), data_dir="/data")
    assert TrainConfig.from_json(config.to_json()) == config


def test_only_what_changes_the_result_differs():
    other = dataclasses.replace(CIFAR, depth=56, seed=1, data_dir="/data", log_every_steps=7)
    assert differences(CIFAR, CIFAR) == []
    assert differences(CIFAR, other) == ["depth", "seed"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network", "VGG"),
        ("depth", 0),
        ("mean", "median"),
        ("augmentation", "blur"),
        ("shortcut", "D"),
        ("bottleneck_stride", "2x2"),
        ("dtype", "float16"),
        ("image_size", 0),
        ("resize", -1),
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
        ("pca_color", -0.1),
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
        ("label_smoothing", 1.0),
        ("ema_momentum", 1.0),
        ("plateau_evaluations", 0),
        ("train_resize", (480, 256)),
        ("train_resize", (1, 2, 3)),
        ("train_resize", (0,)),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}`.* (must be|is for) .*Received: "):
        dataclasses.replace(CIFAR, **{name: value})


def test_110_layers_warm_up_until_the_error_is_below_80_percent():
    warm = {depth: dataclasses.replace(CIFAR, depth=depth) for depth in (20, 56, 110, 1202)}
    errors = {depth: config.effective_warmup_error() for depth, config in warm.items()}
    assert errors == {20: 0, 56: 0, 110: 0.8, 1202: 0.8}
    assert warm[110].warmup_learning_rate == 0.01
    assert dataclasses.replace(warm[110], warmup_error=0.0).effective_warmup_error() == 0
    assert RECIPES["imagenet"]["paper"].effective_warmup_error() == 0


def test_runs_from_before_the_warm_up_have_none():
    for depth, expected in ((20, []), (110, ["warmup_error"])):
        config = dataclasses.replace(CIFAR, depth=depth)
        values = json.loads(config.to_json())
        del values["warmup_error"], values["ema_momentum"]
        earlier = TrainConfig.from_json(json.dumps(values))
        assert earlier.effective_warmup_error() == 0
        assert differences(config, earlier) == expected


def test_no_epochs_are_no_training():
    with pytest.raises(ValueError, match="`train_epochs` must be above 0"):
        dataclasses.replace(CIFAR, train_steps=None, train_epochs=0.0)


def test_an_image_may_be_cropped_to_all_of_it():
    assert dataclasses.replace(CIFAR, image_size=32, resize=32).resize == 32
    assert dataclasses.replace(CIFAR, learning_rate=0).learning_rate == 0


def test_the_crop_fits_into_the_resized_image():
    with pytest.raises(ValueError, match="`resize` must be at least `image_size`"):
        dataclasses.replace(CIFAR, image_size=64, resize=32)


def test_where_data_are_and_what_is_written_when_change_no_result():
    fields = dataclasses.fields(TrainConfig)
    assert {field.name for field in fields if not field.metadata["changes_result"]} == {
        "data_dir",
        "stall_seconds",
        "log_every_steps",
        "evaluate_every_steps",
        "checkpoint_every_steps",
        "keep_checkpoints",
    }


def test_every_option_is_explained():
    for field in dataclasses.fields(TrainConfig):
        assert len(field.metadata["help"]) > 10
