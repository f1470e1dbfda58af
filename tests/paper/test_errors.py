import dataclasses
import json
import pathlib

import pytest

from keras_resnet.checks import UserError
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import errors
from keras_resnet.paper.measured import MeasuredRun

BASE = RECIPES["cifar10"]["paper"]


@pytest.fixture
def runs(tmp_path):
    """Runs by name, of which each has its evaluation."""
    made = {}
    for name, top1, options, progress in (
        ("first", 0.9, {}, ""),
        ("second", 0.92, {"seed": 1}, ""),
        ("again", 0.94, {"seed": 1}, ""),
        ("half", 0.5, {"depth": 56}, ", step 3 of 9"),
        ("elsewhere", 0.8, {"dataset": "mnist", "network": "CifarPlainNet"}, ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evaluation.json").write_text(json.dumps({"step": 9, "top1": top1}))
        config = BASE.with_options(**options)
        label = f"{config.network}-{config.depth}{progress}"
        made[name] = MeasuredRun(str(tmp_path / name), label, config)
    return made


def test_ours_stand_in_table_6(runs):
    ours = errors.of_runs(list(runs.values()))
    table = {(row["network"], row["data set"]): row for row in errors.rows(ours)}
    row = table["CifarResNet-20", "cifar10"]
    assert (row["published error %"], row["error %"]) == ("8.75", 8.0)
    assert row["of each run"] == ["10.00", "8.00", "6.00"]
    # Two of one seed are told apart, and what has not ended is named.
    assert row["runs"] == f"seed 0, seed 1, {runs['again'].path}"
    half = table["CifarResNet-56", "cifar10"]
    assert (half["error %"], half["runs"]) == (50.0, "CifarResNet-56, step 3 of 9")
    other = table["CifarPlainNet-20", "mnist"]
    assert (other["published error %"], other["error %"]) == (None, 20.0)
    # All others as published: nothing of ours.
    assert table["CifarResNet-110", "cifar10"]["published error %"] == "6.43 (6.61 +- 0.16)"
    assert table["Highway-19", "cifar10"]["error %"] is None
    assert len(table) == 6 + 6 + 1


def test_a_run_without_an_evaluation_is_named(runs):
    (pathlib.Path(runs["first"].path) / "evaluation.json").unlink()
    with pytest.raises(UserError, match="first has no evaluation.json"):
        errors.of_runs(list(runs.values()))


def test_a_damaged_evaluation_is_named(runs):
    (pathlib.Path(runs["first"].path) / "evaluation.json").write_text('{"step": 9}')
    with pytest.raises(UserError, match="first/evaluation.json is damaged: its top1 is no number"):
        errors.of_runs(list(runs.values()))


def test_runs_that_differ_in_more_than_the_seed_are_no_repetitions(runs):
    other = dataclasses.replace(
        runs["second"], config=runs["second"].config.with_options(shortcut="B")
    )
    ours = errors.of_runs([runs["first"], other, runs["again"], runs["half"]])
    found = {row["network"]: row["of each run"] for row in errors.rows(ours) if row["error %"]}
    assert found == {
        "CifarResNet-20, shortcut=unset": ["10.00", "6.00"],
        "CifarResNet-20, shortcut=B": ["8.00"],
        # Of 56 layers there is one.
        "CifarResNet-56": ["50.00"],
    }
    _, small = errors.panels(ours).values()
    assert small["CifarResNet, shortcut=B on cifar10"] == {20: [8.0]}


def test_without_runs_it_is_what_was_published():
    assert len(errors.rows(errors.of_runs([]))) == 12
    imagenet, small = errors.panels({}).values()
    # Tables 2 and 3.
    assert imagenet["residual, published"] == {
        18: [27.88],
        34: [25.03],
        50: [22.85],
        101: [21.75],
        152: [21.43],
    }
    assert imagenet["plain, published"] == {18: [27.94], 34: [28.54]}
    assert small["CifarResNet on cifar10, published"][110] == [6.43]


def test_the_curves_have_a_point_for_each_run(runs):
    _, small = errors.panels(errors.of_runs(list(runs.values()))).values()
    assert small["CifarResNet on cifar10"] == {20: [10.0, 8.0, 6.0], 56: [50.0]}
    assert small["CifarPlainNet on mnist"] == {20: [20.0]}
