import pytest

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import degradation

BASE = RECIPES["cifar10"]["paper"]


def test_networks_differ_in_kind_and_depth_alone():
    trainings = degradation.configs(BASE, (56, 20, 56))
    assert list(trainings) == ["plain-20", "plain-56", "residual-20", "residual-56"]
    assert trainings["residual-20"] == BASE
    assert (trainings["plain-56"].network, trainings["plain-56"].depth) == ("CifarPlainNet", 56)
    with pytest.raises(ValueError, match="`depth` must be 6n"):
        degradation.configs(BASE, (20, 57))


def lines(*errors):
    return [{"step": 10 * (n + 1), "top1": 1 - error} for n, error in enumerate(errors)]


def test_the_final_error_is_that_of_the_last_tenth():
    assert degradation.final_training_error(lines(*[0.9] * 18, 0.2, 0.1)) == 15.0
    assert degradation.final_training_error(lines(0.3)) == 30.0
    # Of ten lines the last alone: the ninth ends where the last tenth begins.
    assert degradation.final_training_error(lines(*[0.9] * 9, 0.12346)) == 12.35


def test_steps_to_an_error_are_those_of_the_first_line_below():
    rows = lines(0.5, 0.3, 0.4, 0.2)
    assert [degradation.steps_to(rows, error) for error in (50, 35, 20.5, 10)] == [10, 20, 40, None]
    # At most so many.
    assert degradation.steps_to([{"step": 7, "top1": 0.75}], 25) == 7


def test_verdicts_say_what_was_found():
    table = [
        {"network": name, "training error %": error}
        for name, error in {
            "plain-20": 10.0,
            "plain-56": 21.5,
            "residual-20": 9.0,
            "residual-56": 9.5,
        }.items()
    ]
    plain, residual = degradation.verdicts(table)
    assert plain == (
        "The paper: the training error of deeper plain networks is higher. Here that of plain-56 "
        "is higher: 21.50%, and 10.00% of plain-20."
    )
    # Whatever they show.
    assert "deeper residual networks is lower. Here that of residual-56 is higher" in residual
    assert degradation.verdicts(table[:1]) == []
    table[3]["training error %"] = 9.0
    assert "that of residual-56 is equal: 9.00%, and 9.00% of" in degradation.verdicts(table)[1]
    table[3]["training error %"] = 8.5
    assert "that of residual-56 is lower: 8.50%, and 9.00% of" in degradation.verdicts(table)[1]
    # The claim holds up to the authors' 110 layers.
    table[1]["network"] = "plain-110"
    assert "that of plain-110 is higher" in degradation.verdicts(table[:2])[0]
    table[1]["network"] = "plain-1202"
    assert degradation.verdicts(table[:2]) == []


def test_published_errors_stand_beside_those_on_cifar10(tmp_path, monkeypatch):
    monkeypatch.setattr(degradation, "_parameters", lambda run: 1)
    trainings = degradation.configs(BASE, (20, 26))
    results = {name: {"top1": 0.9, "images": 10} for name in trainings}
    metrics = {name: [{"split": "train", **row} for row in lines(0.2)] for name in trainings}
    table = degradation.rows(trainings, results, metrics, tmp_path, (50,))
    published = {row["network"]: row["published test error %"] for row in table}
    # Table 6 has neither plain networks nor 26 layers.
    assert published == {
        "plain-20": None,
        "plain-26": None,
        "residual-20": "8.75",
        "residual-26": None,
    }
    row = table[0]
    assert (row["parameters"], row["training error %"], row["test error %"]) == (1, 20.0, 10.0)
    assert (row["test images"], row["steps to 50% training error"]) == (10, 10)


def test_images_that_were_held_out_are_called_so(tmp_path, monkeypatch):
    monkeypatch.setattr(degradation, "_parameters", lambda run: 1)
    base = BASE.with_options(dataset="fashion_mnist", validation_images=100)
    trainings = degradation.configs(base, (20,))
    results = {name: {"top1": 0.12344, "images": 100} for name in trainings}
    metrics = {
        name: [{"split": "train", **lines(0.2)[0]}, {"split": "validation", **lines(0.1)[0]}]
        for name in trainings
    }
    (row, _) = degradation.rows(trainings, results, metrics, tmp_path, (15, 2.5))
    assert row == {
        "network": "plain-20",
        "parameters": 1,
        # Of the rows of training alone.
        "training error %": 20.0,
        "validation error %": 87.66,
        "validation images": 100,
        "steps to 15% training error": None,
        "steps to 2.5% training error": None,
    }


def test_a_training_that_diverged_is_a_result(tmp_path):
    trainings = degradation.configs(BASE, (20,))
    results = dict.fromkeys(trainings)
    metrics = {name: [] for name in trainings}
    table = degradation.rows(trainings, results, metrics, tmp_path, (50,))
    assert [row["test error %"] for row in table] == ["diverged"] * 2
    assert degradation.verdicts(table) == []
