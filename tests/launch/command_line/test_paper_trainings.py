import pytest

from command_line import paper_trainings
from keras_resnet.checks import UserError


def request(make, *arguments):
    """What a subcommand reads: where to write, the name, the comparison, seeds and errors."""
    subcommand = make()
    subcommand.program.flags(["program", *arguments])
    return subcommand.read([])


def networks(comparison):
    return {name: (each.network, each.depth) for name, each in comparison.trainings.items()}


def test_degradation_is_figure_6_or_table_2():
    _, name, comparison, seeds, errors = request(paper_trainings.degradation, "--seeds=3")
    assert (name, seeds, errors) == ("degradation", 3, (30, 20, 15, 10))
    assert list(comparison.trainings) == ["plain-20", "plain-56", "residual-20", "residual-56"]
    _, _, comparison, _, _ = request(
        paper_trainings.degradation, "--recipe=imagenet", "--stem=cifar", "--dataset=fashion_mnist"
    )
    assert networks(comparison) == {
        "plain-18": ("PlainNet", 18),
        "plain-34": ("PlainNet", 34),
        "residual-18": ("ResNet", 18),
        "residual-34": ("ResNet", 34),
    }
    assert {each.stem for each in comparison.trainings.values()} == {"cifar"}


def test_shortcuts_are_of_34_layers_or_of_those_that_are_asked_for():
    _, _, comparison, _, _ = request(paper_trainings.shortcuts)
    assert networks(comparison)["A"] == ("ResNet", 34)
    _, _, comparison, _, _ = request(paper_trainings.shortcuts, "--recipe=cifar10", "--depth=8")
    assert networks(comparison) == {
        "plain": ("CifarPlainNet", 8),
        **dict.fromkeys("ABC", ("CifarResNet", 8)),
    }


def test_the_warm_up_is_of_110_layers():
    _, _, comparison, _, errors = request(paper_trainings.warm_up, "--train_steps=7")
    assert set(networks(comparison).values()) == {("CifarResNet", 110)}
    assert {each.train_steps for each in comparison.trainings.values()} == {7}
    assert errors == (90, 80, 50, 30)


def test_single_layers_are_of_20():
    _, name, comparison, _, _ = request(paper_trainings.single_layer)
    assert name == "single_layer"
    assert networks(comparison)["one-layer"] == ("CifarResNet", 20)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (paper_trainings.degradation, ["--seeds=0"], "`seeds` must be an integer of at least 1"),
        (paper_trainings.shortcuts, ["--depth=50"], "`depth` must be one of 18, 34"),
        (paper_trainings.warm_up, ["--depth=111"], "`depth` must be 6n"),
        (paper_trainings.single_layer, ["--errors=x"], "`errors` must be numbers"),
        (
            paper_trainings.degradation,
            ["--recipe=imagenet", "--depths=20"],
            "`depth` must be one of 18, 34",
        ),
    ],
)
def test_mistakes_are_named(make, arguments, message):
    with pytest.raises(UserError, match=message):
        request(make, *arguments)
