import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import ablation
from keras_resnet.paper.outcomes import Outcome

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
    assert (cell.task.augmentation, cell.activation, cell.block) == ("doubled", "tanh", None)
    assert cell.learning_rate_shares == (5, 4, 1)
    variant = trainings["outer_addition-2:1:1"]
    assert (variant.block, variant.learning_rate_shares) == ("outer_addition", (2, 1, 1))
    assert (variant.task.augmentation, variant.activation) == ("none", "relu")


def lines(*top1, epoch=1.0):
    return [
        {"split": "validation", "step": n, "epoch": epoch * (n + 1), "top1": value}
        for n, value in enumerate(top1)
    ]


def outcome(*top1, metrics=None):
    """Of seeds that ended with these shares of right answers."""
    errors = tuple(round(100 - 100 * value, 2) for value in top1)
    seeds = tuple(range(len(top1)))
    return Outcome(seeds, metrics or tuple(lines(value) for value in top1), 10, errors, ())


def test_published_figures_stand_beside_ours_on_cifar10():
    trainings = ablation.configs(BASE, ((2, 1, 1), (5, 3, 2)), ("relu",), ("doubled",), ())
    results = {"doubled-relu-2:1:1": outcome(0.95), "doubled-relu-5:3:2": outcome(0.9)}
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
    elsewhere = BASE.with_options(dataset="shapes")
    trainings = ablation.configs(elsewhere, ((2, 1, 1),), ("relu",), ("doubled",), ())
    (row,) = ablation.rows(trainings, top1)
    assert row == {"augmentation": "doubled", "activation": "relu", "2:1:1": 95.0}


def test_the_published_figures_are_the_projects():
    """As it prints them: a table for each augmentation, a row for each share."""
    activations = ("sigmoid", "tanh", "relu", "leaky_relu")
    published = {
        "none": [
            (87.25, 91.68, 94.42, 94.41),
            (87.41, 91.71, 94.51, 94.54),
            (88.08, 91.70, 94.40, 94.28),
        ],
        "doubled": [
            (88.92, 92.12, 94.98, 94.68),
            (89.00, 92.54, 94.99, 94.92),
            (89.12, 92.84, 95.14, 94.77),
        ],
        "tripled": [
            (86.94, 91.35, 93.12, 93.22),
            (88.07, 90.97, 93.51, 93.51),
            (87.16, 91.28, 93.15, 93.45),
        ],
    }
    trainings = ablation.configs(
        BASE, ablation.SHARES, ablation.ACTIVATIONS, ablation.AUGMENTATIONS, ()
    )
    table = ablation.rows(trainings, dict.fromkeys(trainings, (50.0,)))
    assert len(table) == 3 * 4
    for row in table:
        column = activations.index(row["activation"])
        for share, figures in zip(
            ("2:1:1", "5:3:2", "5:4:1"), published[row["augmentation"]], strict=True
        ):
            assert row[f"{share} published"] == figures[column]
            assert row[f"{share} difference"] == round(50 - figures[column], 2)
    # Other shares have no published figures.
    trainings = ablation.configs(BASE, ((3, 1),), ("relu",), ("none",), ())
    assert ablation.rows(trainings, {"none-relu-3:1": (50.0,)}) == [
        {"augmentation": "none", "activation": "relu", "3:1": 50.0}
    ]


def test_blocks_stand_beside_the_base():
    trainings = ablation.configs(BASE, ((2, 1, 1),), ("relu", "tanh"), ("none",), ablation.VARIANTS)
    results = {name: outcome(0.5 + 0.01 * n) for n, name in enumerate(trainings)}
    rows = ablation.variant_rows(trainings, ablation.top1_of(results))
    assert [(row["block"], row["top-1 %"]) for row in rows] == [
        ("basic", 50.0),
        ("inverted_bottleneck", 52.0),
        ("outer_addition", 53.0),
        ("squared_shortcut", 54.0),
    ]
    assert [row["published"] for row in rows] == [None, None, "about equal", "bad"]
    assert {row["shares"] for row in rows} == {"2:1:1"}
    assert ablation.variant_rows({}, {}) == []
    # Blocks have no place in the grid.
    assert [row["activation"] for row in ablation.rows(trainings, ablation.top1_of(results))] == [
        "relu",
        "tanh",
    ]
    # A base that was not trained is left out.
    blocks = {name: training for name, training in trainings.items() if training.block}
    rows = ablation.variant_rows(blocks, ablation.top1_of(results))
    assert [row["block"] for row in rows] == list(ablation.VARIANTS)


def test_a_training_that_diverged_is_a_result():
    trainings = ablation.configs(BASE, ((2, 1, 1),), ("tanh",), ("none",), ("squared_shortcut",))
    top1 = ablation.top1_of({"none-tanh-2:1:1": outcome(), "squared_shortcut-2:1:1": outcome()})
    (row,) = ablation.rows(trainings, top1)
    assert (row["2:1:1"], row["2:1:1 difference"]) == ("diverged", None)
    assert ablation.variant_rows(trainings, top1)[0]["top-1 %"] == "diverged"


def test_of_several_seeds_there_is_the_mean_and_each():
    trainings = ablation.configs(BASE, ((2, 1, 1),), ("relu",), ("none",), ("outer_addition",))
    top1 = {"none-relu-2:1:1": (94.0, 95.0), "outer_addition-2:1:1": (90.0, 91.5)}
    (row,) = ablation.rows(trainings, top1)
    assert (row["2:1:1"], row["2:1:1, each seed"]) == (94.5, ["94.00", "95.00"])
    assert row["2:1:1 difference"] == 0.08
    _, variant = ablation.variant_rows(trainings, top1)
    assert (variant["top-1 %"], variant["top-1 %, each seed"]) == (90.75, ["90.00", "91.50"])


def test_rows_have_the_same_columns_where_some_seeds_diverged():
    trainings = ablation.configs(
        BASE, ((2, 1, 1),), ("relu", "tanh"), ("none",), ("outer_addition", "squared_shortcut")
    )
    top1 = {
        "none-relu-2:1:1": (94.0,),
        "none-tanh-2:1:1": (90.0, 91.0),
        "outer_addition-2:1:1": (),
        "squared_shortcut-2:1:1": (50.0, 51.0),
    }
    for rows in (ablation.rows(trainings, top1), ablation.variant_rows(trainings, top1)):
        assert len({tuple(row) for row in rows}) == 1 and len(rows) > 1
    first, _ = ablation.rows(trainings, top1)
    assert (first["2:1:1"], first["2:1:1, each seed"]) == (94.0, ["94.00"])
    outer = ablation.variant_rows(trainings, top1)[1]
    assert (outer["top-1 %"], outer["top-1 %, each seed"]) == ("diverged", [])


def test_only_what_is_beyond_the_spread_is_called_a_difference():
    trainings = ablation.configs(
        BASE, ((2, 1, 1), (5, 4, 1)), ("relu", "tanh"), ("none",), ("outer_addition",)
    )
    top1 = {
        "none-relu-2:1:1": (90.0, 92.0),
        # Within the spread of the first.
        "none-relu-5:4:1": (91.0, 93.0),
        # Beyond it, and beyond that of the next.
        "none-tanh-2:1:1": (85.0, 86.0),
        # Of one seed nothing is known.
        "none-tanh-5:4:1": (50.0,),
        "outer_addition-2:1:1": (90.0, 89.0),
    }
    assert ablation.differences(trainings, top1) == [
        {
            "differing in": "activation",
            "better": "none-relu-2:1:1",
            "worse": "none-tanh-2:1:1",
            "by points": 5.5,
            "at least": 4.0,
        }
    ]


def test_mnist_is_compared_after_one_and_five_epochs():
    base = BASE.with_options(dataset="mnist")
    trainings = ablation.configs(base, ((2, 1, 1),), ("relu",), ("none",), ())
    metrics = {"none-relu-2:1:1": outcome(0.992, metrics=(lines(0.98, 0.985, 0.99, 0.991, 0.992),))}
    rows = ablation.mnist_rows(trainings, metrics)
    assert [(row["epochs"], row["top-1 %"], row["difference"]) for row in rows] == [
        (1, 98.0, 0.04),
        (5, 99.2, -0.24),
    ]
    assert [(row["training"], row["published"]) for row in rows] == [
        ("none-relu-2:1:1", 97.96),
        ("none-relu-2:1:1", 99.44),
    ]
    # Of evaluations at the end of these epochs alone.
    between = {"none-relu-2:1:1": outcome(0.9, metrics=(lines(0.9, epoch=2.0),))}
    assert ablation.mnist_rows(trainings, between) == []
    trainings = ablation.configs(BASE, ((2, 1, 1),), ("relu",), ("none",), ())
    assert ablation.mnist_rows(trainings, metrics) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "cosine"}, "`schedule` must be 'steps'"),
        ({"learning_rate_drops": (50,)}, "`learning_rate_drops` unset"),
        ({"depth": 50}, "`depth` must be one of 18, 34 for `variants`"),
    ],
)
def test_what_would_not_be_an_ablation_is_refused(change, message):
    base = BASE.with_options(**change)
    with pytest.raises(ValueError, match=message):
        ablation.configs(base, ((2, 1, 1),), ("relu",), ("none",), ("outer_addition",))


def test_the_grid_goes_without_basic_blocks():
    base = BASE.with_options(depth=50)
    (training,) = ablation.configs(base, ((2, 1, 1),), ("relu",), ("none",), ()).values()
    assert training.depth == 50


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
