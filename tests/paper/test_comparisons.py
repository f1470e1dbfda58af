import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import comparisons

CIFAR = RECIPES["cifar10"]["paper"]
IMAGENET = RECIPES["imagenet"]["paper"].with_options(depth=34, shortcut="A")


def test_networks_of_figure_6_differ_in_kind_and_depth_alone():
    comparison = comparisons.degradation(CIFAR, (56, 20, 56))
    assert list(comparison.trainings) == ["plain-20", "plain-56", "residual-20", "residual-56"]
    assert comparison.trainings["residual-20"] == CIFAR
    plain = comparison.trainings["plain-56"]
    assert plain == CIFAR.with_options(network="CifarPlainNet", depth=56)
    assert comparison.source == "Figure 6"
    assert comparison.panels == {
        "plain": ["plain-20", "plain-56"],
        "residual": ["residual-20", "residual-56"],
    }
    with pytest.raises(ValueError, match="`depth` must be 6n"):
        comparisons.degradation(CIFAR, (20, 57))


def test_networks_of_table_2_have_no_more_parameters_than_plain_ones():
    comparison = comparisons.degradation(IMAGENET, (18, 34))
    of_trainings = {
        name: (each.network, each.depth, each.shortcut)
        for name, each in comparison.trainings.items()
    }
    assert of_trainings == {
        "plain-18": ("PlainNet", 18, None),
        "plain-34": ("PlainNet", 34, None),
        "residual-18": ("ResNet", 18, "A"),
        "residual-34": ("ResNet", 34, "A"),
    }
    assert "Table 2" in comparison.source
    assert comparison.published["plain-34"] == "28.54"
    with pytest.raises(ValueError, match="`depth` must be one of 18, 34"):
        comparisons.degradation(IMAGENET, (50,))


def test_the_claim_of_degradation_holds_up_to_110_layers():
    of_depths = {
        depths: [
            (claim.first, claim.second) for claim in comparisons.degradation(CIFAR, depths).claims
        ]
        for depths in ((20, 32, 110, 1202), (20, 1202), (20,))
    }
    assert of_depths == {
        (20, 32, 110, 1202): [("plain-110", "plain-20"), ("residual-110", "residual-20")],
        (20, 1202): [],
        (20,): [],
    }


def test_shortcuts_of_table_3():
    comparison = comparisons.shortcuts(IMAGENET)
    assert {name: each.shortcut for name, each in comparison.trainings.items()} == {
        "plain": None,
        "A": "A",
        "B": "B",
        "C": "C",
    }
    assert comparison.trainings["plain"].network == "PlainNet"
    assert comparison.published == {"plain": "28.54", "A": "25.03", "B": "24.52", "C": "24.19"}
    assert {claim.of for claim in comparison.claims} == {"test"}
    # Of other networks the paper has none.
    assert comparisons.shortcuts(CIFAR).published == {}
    assert comparisons.shortcuts(CIFAR).trainings["C"].network == "CifarResNet"
    with pytest.raises(ValueError, match="`depth` must be one of 18, 34"):
        comparisons.shortcuts(IMAGENET.with_options(depth=50))


def test_the_warm_up_is_all_that_differs():
    deep = CIFAR.with_options(depth=110)
    trainings = comparisons.warm_up(deep).trainings
    assert {name: each.effective_warmup_error() for name, each in trainings.items()} == {
        "warm-up": 0.8,
        "without": 0.0,
    }
    assert trainings["warm-up"].with_options(warmup_error=0.0) == trainings["without"]
    given = comparisons.warm_up(deep.with_options(warmup_error=0.5)).trainings
    assert given["warm-up"].warmup_error == 0.5


def test_a_shortcut_around_each_layer_or_each_two():
    trainings = comparisons.single_layer(CIFAR).trainings
    assert {name: (each.network, each.block) for name, each in trainings.items()} == {
        "plain": ("CifarPlainNet", None),
        "one-layer": ("CifarResNet", "single_layer"),
        "two-layers": ("CifarResNet", None),
    }


def test_the_first_seed_has_the_directory_that_one_alone_has():
    trainings = {"a": CIFAR.with_options(seed=3), "b": CIFAR.with_options(depth=56)}
    runs = comparisons.with_seeds(trainings, 2)
    assert {name: list(of_one) for name, of_one in runs.items()} == {
        "a": ["a", "a-seed4"],
        "b": ["b", "b-seed1"],
    }
    assert runs["a"]["a"] == trainings["a"]
    assert runs["b"]["b-seed1"] == trainings["b"].with_options(seed=1)
