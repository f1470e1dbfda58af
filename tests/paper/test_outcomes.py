import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import outcomes
from keras_resnet.paper.comparisons import Claim, Comparison, degradation, with_seeds
from keras_resnet.paper.outcomes import Outcome

BASE = RECIPES["cifar10"]["paper"]


def lines(*errors):
    return [{"step": 10 * (n + 1), "top1": 1 - error} for n, error in enumerate(errors)]


def run(*errors, epochs=None):
    """Lines of metrics of a run of these training errors, with an evaluation at the end."""
    rows = [{"split": "train", **line} for line in lines(*errors)]
    for row, epoch in zip(rows, epochs or range(1, len(rows) + 1), strict=True):
        row["epoch"] = epoch
    return [*rows, {"split": "validation", "step": rows[-1]["step"], "top1": 0.5}]


def outcome(training_errors, test_errors=(50.0,), diverged=()):
    """Of runs that ended with these errors in %."""
    seeds = tuple(range(len(training_errors)))
    metrics = tuple(run(error / 100) for error in training_errors)
    return Outcome(seeds, metrics, 10, tuple(test_errors), tuple(diverged))


def test_the_final_error_is_that_of_the_last_tenth():
    assert outcomes.final_training_error(lines(*[0.9] * 18, 0.2, 0.1)) == 15.0
    assert outcomes.final_training_error(lines(0.3)) == 30.0
    # Of ten lines the last alone: the ninth ends where the last tenth begins.
    assert outcomes.final_training_error(lines(*[0.9] * 9, 0.12346)) == 12.35
    # A line of three steps counts as three.
    rows = [{"step": step, "top1": top1} for step, top1 in ((90, 0.1), (93, 0.9), (100, 0.7))]
    assert outcomes.final_training_error(rows) == round((3 * 10 + 7 * 30) / 10, 2)


def test_steps_to_an_error_are_those_of_the_first_line_below():
    rows = lines(0.5, 0.3, 0.4, 0.2)
    assert [outcomes.steps_to(rows, error) for error in (50, 35, 20.5, 10)] == [10, 20, 40, None]
    # At most so many.
    assert outcomes.steps_to([{"step": 7, "top1": 0.75}], 25) == 7


def test_an_outcome_is_of_the_runs_that_ended():
    runs = with_seeds({"a": BASE}, 3)["a"]
    results = {"a": {"top1": 0.9, "images": 7}, "a-seed1": None, "a-seed2": {"top1": 0.80004}}
    results["a-seed2"]["images"] = 7
    metrics = {"a": run(0.2), "a-seed1": run(0.9), "a-seed2": run(0.3)}
    found = Outcome.of(runs, results, metrics)
    assert (found.seeds, found.diverged, found.images) == ((0, 2), (1,), 7)
    assert (found.training_errors, found.test_errors) == ((20.0, 30.0), (10.0, 20.0))
    assert found.metrics == (metrics["a"], metrics["a-seed2"])
    nothing = Outcome.of(runs, dict.fromkeys(runs), metrics)
    assert (nothing.seeds, nothing.diverged, nothing.images) == ((), (0, 1, 2), None)


def comparison(first, second, claim="the paper's claim", of="training", config=BASE):
    trainings = {"first": config, "second": config}
    found = {"first": first, "second": second}
    return Comparison("Figure 6", trainings, {}, [Claim(claim, "first", "second", of)]), found


def verdict(*arguments, **options):
    (sentence,) = outcomes.verdicts(*comparison(*arguments, **options))
    return sentence


def test_of_one_run_it_is_said_that_the_seed_may_be_the_reason():
    assert verdict(outcome([21.5]), outcome([10.0])) == (
        "The paper: the paper's claim. Here the training error of first is higher: 21.50%, and "
        "10.00% of second; of one run, whose seed may be the reason."
    )
    # Whatever they show.
    assert "first is lower: 8.50%, and 9.00%" in verdict(outcome([8.5]), outcome([9.0]))
    assert "first is equal: 9.00%" in verdict(outcome([9.0]), outcome([9.0]))


def test_a_difference_within_the_spread_is_no_verdict():
    apart = verdict(outcome([12.0, 11.0, 13.0]), outcome([10.9, 10.0]))
    assert "first is higher with every seed: 12.00%, and 10.45% of second." in apart
    # The worst of one is as good as the best of the other.
    within = verdict(outcome([12.0, 11.0, 13.0]), outcome([11.0, 10.0]))
    assert within == (
        "The paper: the paper's claim. Here 2 seeds do not tell the training errors of first and "
        "second apart: 12.00% and 10.50%."
    )
    reverse = verdict(outcome([1.0, 2.0]), outcome([2.5, 3.0]))
    assert "first is lower with every seed" in reverse


def test_a_claim_may_be_of_the_test_error():
    first, second = outcome([1.0], [30.0]), outcome([2.0], [20.0])
    assert "the test error of first is higher: 30.00%" in verdict(first, second, of="test")
    kept = BASE.with_options(validation_images=100)
    said = verdict(first, second, of="test", config=kept)
    assert "the validation error of first is higher" in said


def test_what_diverged_is_said_and_left_out():
    pair = comparison(outcome([], (), [0, 1]), outcome([10.0], diverged=[1]))
    assert outcomes.verdicts(*pair) == [
        "first diverged with seed 0, and is left out of figures and curves.",
        "first diverged with seed 1, and is left out of figures and curves.",
        "second diverged with seed 1, and is left out of figures and curves.",
    ]
    table = outcomes.rows(*pair, {"first": None, "second": 7}, (50,))
    assert [row["training error %"] for row in table] == ["diverged", 10.0]
    assert [row["test error %"] for row in table] == ["diverged", 50.0]


def test_a_row_has_the_mean_and_each_seed():
    base = BASE.with_options(dataset="fashion_mnist", validation_images=100)
    pair = comparison(outcome([12.0, 15.0], [20.0, 21.0]), outcome([1.0]), config=base)
    row, _ = outcomes.rows(*pair, {"first": 1, "second": None}, (50, 12.5))
    assert row == {
        "network": "first",
        "parameters": 1,
        "training error %": 13.5,
        "training error of each seed": ["12.00", "15.00"],
        "validation error %": 20.5,
        "validation error of each seed": ["20.00", "21.00"],
        "validation images": 10,
        "steps to 50% training error": ["10", "10"],
        "steps to 12.5% training error": ["10", "-"],
    }


def test_of_one_seed_a_row_has_no_others():
    base = BASE.with_options(dataset="fashion_mnist")
    pair = comparison(outcome([12.0]), outcome([1.0]), config=base)
    row, _ = outcomes.rows(*pair, {"first": 1, "second": None}, (50, 2))
    assert row == {
        "network": "first",
        "parameters": 1,
        "training error %": 12.0,
        "test error %": 50.0,
        "test images": 10,
        "steps to 50% training error": 10,
        "steps to 2% training error": None,
    }


def test_published_errors_stand_beside_those_on_the_papers_data():
    known = degradation(BASE, (20, 26))
    found = dict.fromkeys(known.trainings, outcome([1.0]))
    table = outcomes.rows(known, found, dict.fromkeys(found), ())
    # Table 6 has neither plain networks nor 26 layers.
    assert {row["network"]: row["published error %"] for row in table} == {
        "plain-20": None,
        "plain-26": None,
        "residual-20": "8.75",
        "residual-26": None,
    }
    elsewhere = degradation(BASE.with_options(dataset="mnist"), (20,))
    found = dict.fromkeys(elsewhere.trainings, outcome([1.0]))
    table = outcomes.rows(elsewhere, found, dict.fromkeys(found), ())
    assert not any("published error %" in row for row in table)


def test_gaps_are_of_epochs_that_both_have_reached():
    epochs = (0.5, 1.0, 1.5, 2.0)
    first = Outcome((0,), (run(0.5, 0.4, 0.3, 0.2, epochs=epochs),), 10, (1.0,), ())
    second = Outcome((0,), (run(0.4, 0.3, epochs=epochs[:2]),), 10, (1.0,), ())
    assert outcomes.by_epoch(first) == pytest.approx({1: 45.0, 2: 25.0})
    claims = [Claim("", "first", "second"), Claim("", "first", "second", of="test")]
    assert outcomes.gaps(claims, {"first": first, "second": second}) == [
        {"epoch": 1, "first - second": 10.0}
    ]
    # Evenly, with the last.
    long = Outcome((0,), (run(*[0.5] * 25),), 10, (1.0,), ())
    rows = outcomes.gaps(claims, {"first": long, "second": long})
    assert [row["epoch"] for row in rows] == [1, 4, 7, 10, 13, 16, 19, 22, 25]
    assert {row["first - second"] for row in rows} == {0.0}
    # Over all seeds.
    both = Outcome((0, 1), (run(0.5), run(0.3)), 10, (1.0, 1.0), ())
    assert outcomes.by_epoch(both) == pytest.approx({1: 40.0})
