import pytest
from drawings import training_row

from keras_resnet import CifarResNet
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import studies
from keras_resnet.paper.outcomes import Outcome

BASE = RECIPES["cifar10"]["paper"].with_options(dataset="fashion_mnist")


def outcome(*seeds, steps=64_000):
    rows = [{**training_row(steps), "epoch": 136.53}]
    return Outcome(seeds, (rows,) * len(seeds), 10, (1.0,) * len(seeds), ())


@pytest.mark.parametrize(
    ("options", "found", "expected"),
    [
        (
            {},
            {"a": outcome(0, 1), "b": outcome(1, 2)},
            "fashion_mnist, 64,000 steps (137 epochs), seeds 0 1 2, rate divided by 10 after "
            "32,000 and 48,000",
        ),
        (
            {"learning_rate_drops": (500,)},
            {"a": outcome(3, steps=600)},
            "fashion_mnist, 600 steps (137 epochs), seed 3, rate divided by 10 after 500",
        ),
        (
            {"schedule": "cosine"},
            {"a": outcome(0)},
            "fashion_mnist, 64,000 steps (137 epochs), seed 0",
        ),
    ],
)
def test_a_title_says_what_was_trained_how_long_and_with_which_rates(options, found, expected):
    assert studies._circumstances(BASE.with_options(**options), found) == expected


def test_what_diverged_has_no_seeds_and_no_drops():
    nothing = {"a": Outcome((), (), None, (), (0,))}
    assert studies._circumstances(BASE, nothing) == "fashion_mnist"


def test_parameters_are_those_of_the_first_seed_that_did_not_diverge(tmp_path):
    run, config = tmp_path / "plain-8-seed2", BASE.with_options(seed=1)
    run.mkdir()
    (run / "config.json").write_text(config.to_json())
    CifarResNet(8).save(run / "model.keras")
    assert studies._parameters(tmp_path, "plain-8", config, outcome(2)) == 75_290
    nothing = Outcome((), (), None, (), (1, 2))
    assert studies._parameters(tmp_path, "plain-8", config, nothing) is None


def test_an_ablation_says_which_seeds_diverged():
    found = {"a": Outcome((1,), outcome(1).metrics, 10, (1.0,), (0, 2)), "b": outcome(0)}
    assert studies._ablation_text("on folder:a|b", {"Part": [{"x": 1}]}, found) == (
        "on folder:a\\|b:\n\nPart:\n\n| x |\n| --- |\n| 1 |\n"
        "\na diverged with seed 0, and is left out of figures and curves.\n"
        "\na diverged with seed 2, and is left out of figures and curves.\n"
    )
