import dataclasses

import pytest

from keras_resnet.config import RECIPES
from keras_resnet.paper import ablation

BASE = RECIPES["ablation"]["study"]


def test_the_base_is_the_studys():
    assert (BASE.network, BASE.depth, BASE.stem) == ("ResNet", 18, "cifar")
    assert (BASE.global_batch_size, BASE.weight_decay, BASE.train_epochs) == (128, 2e-4, 200)


def test_the_grid_has_36_cells_and_3_blocks():
    trainings = ablation.configs(
        BASE,
        ablation.SHARES,
        ablation.ACTIVATIONS,
        ablation.AUGMENTATIONS,
        ablation.VARIANTS,
    )
    assert len(trainings) == 3 * 4 * 3 + 3
    # All differ, and all but a block's are published.
    assert len({config.to_json() for config in trainings.values()}) == 39
    cell = trainings["doubled-tanh-5:4:1"]
    assert (cell.augmentation, cell.activation, cell.block) == ("doubled", "tanh", None)
    assert cell.learning_rate_shares == (5, 4, 1)
    variant = trainings["outer_addition-2:1:1"]
    assert (variant.block, variant.learning_rate_shares) == ("outer_addition", (2, 1, 1))
    assert (variant.augmentation, variant.activation) == ("none", "relu")


def lines(*top1, epoch=1.0):
    return [
        {"split": "validation", "step": n, "epoch": epoch * (n + 1), "top1": value}
        for n, value in enumerate(top1)
    ]


def test_published_figures_stand_beside_ours_on_cifar10():
    trainings = ablation.configs(BASE, ((2, 1, 1), (5, 3, 2)), ("relu",), ("doubled",), ())
    results = {"doubled-relu-2:1:1": {"top1": 0.95}, "doubled-relu-5:3:2": {"top1": 0.9}}
    top1 = ablation.top1_of(results)
    assert ablation.rows(trainings, top1) == [
        {
            "augmentation": "doubled",
            "activation": "relu",
            "2:1:1": 95.0,
            "2:1:1 published": 94.98,
            "2:1:1 difference": 0.02,
            "5:3:2": 90.0,
            "5:3:2 published": 94.99,
            "5:3:2 difference": -4.99,
        }
    ]
    elsewhere = dataclasses.replace(BASE, dataset="shapes")
    trainings = ablation.configs(elsewhere, ((2, 1, 1),), ("relu",), ("doubled",), ())
    (row,) = ablation.rows(trainings, top1)
    assert row == {"augmentation": "doubled", "activation": "relu", "2:1:1": 95.0}


def test_blocks_stand_beside_the_base():
    trainings = ablation.configs(BASE, ((2, 1, 1),), ("relu", "tanh"), ("none",), ablation.VARIANTS)
    results = {name: {"top1": 0.5 + 0.01 * n} for n, name in enumerate(trainings)}
    rows = ablation.variant_rows(trainings, ablation.top1_of(results))
    assert [(row["block"], row["top-1 %"]) for row in rows] == [
        ("basic", 50.0),
        ("inverted_bottleneck", 52.0),
        ("outer_addition", 53.0),
        ("squared_shortcut", 54.0),
    ]
    assert [row["published"] for row in rows] == [None, None, "about equal", "bad"]
    assert ablation.variant_rows({}, {}) == []


def test_a_training_that_diverged_is_a_result():
    trainings = ablation.configs(BASE, ((2, 1, 1),), ("tanh",), ("none",), ("squared_shortcut",))
    top1 = ablation.top1_of({"none-tanh-2:1:1": None, "squared_shortcut-2:1:1": None})
    (row,) = ablation.rows(trainings, top1)
    assert (row["2:1:1"], row["2:1:1 difference"]) == ("diverged", None)
    assert ablation.variant_rows(trainings, top1)[0]["top-1 %"] == "diverged"


def test_mnist_is_compared_after_one_and_five_epochs():
    base = dataclasses.replace(BASE, dataset="mnist")
    trainings = ablation.configs(base, ((2, 1, 1),), ("relu",), ("none",), ())
    metrics = {"none-relu-2:1:1": lines(0.98, 0.985, 0.99, 0.991, 0.992)}
    rows = ablation.mnist_rows(trainings, metrics)
    assert [(row["epochs"], row["top-1 %"], row["difference"]) for row in rows] == [
        (1, 98.0, 0.04),
        (5, 99.2, -0.24),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "cosine"}, "`schedule` must be 'steps'"),
        ({"learning_rate_drops": (50,)}, "`learning_rate_drops` unset"),
        ({"depth": 50}, "`depth` must be one of 18, 34 for `variants`"),
    ],
)
def test_what_would_not_be_an_ablation_is_refused(change, message):
    base = dataclasses.replace(BASE, **change)
    with pytest.raises(ValueError, match=message):
        ablation.configs(base, ((2, 1, 1),), ("relu",), ("none",), ("outer_addition",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activations": ("elu",)}, "`activations` must be one of"),
        ({"augmentations": ("crop_mirror",)}, "`augmentations` must be one of"),
        ({"variants": ("basic",)}, "`variants` must be one of"),
        ({"shares": ((2, 0),)}, "`learning_rate_shares` must be an integer"),
    ],
)
def test_what_is_unknown_is_named(arguments, message):
    known = {"shares": ((1,),), "activations": ("relu",), "augmentations": ("none",)}
    with pytest.raises(ValueError, match=message):
        ablation.configs(BASE, **{**known, "variants": (), **arguments})
