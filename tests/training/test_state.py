import json

import numpy as np
import pytest

from keras_resnet.training.state import State, Window
from keras_resnet.training.step_times import StepTimes


def test_a_state_survives_json():
    state = State(
        step=7,
        window=Window({"loss": 0.1 + 0.2, "top1": 3.0}, 2, 1, StepTimes(1 / 3, 1 / 7)),
        best={"step": 5, "top1": 0.7},
        environments=[{"tensorflow": "2.21.0", "onednn": True}],
        schedules={"plateau": {"lowest_error": float("inf")}},
    )
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_sums_do_not_depend_on_how_steps_fell_into_calls(rng):
    sums = rng.normal(size=(9, 2)) * 10.0 ** rng.integers(-9, 9, (9, 1))
    whole, parts = Window(), Window()
    whole.add(("loss", "hits"), sums, StepTimes(1.0))
    for start, stop in ((0, 1), (1, 6), (6, 9)):
        parts.add(("loss", "hits"), sums[start:stop], StepTimes((stop - start) / 9))
    assert whole.sums == parts.sums and (whole.steps, parts.steps) == (9, 9)
    assert parts.times.all == pytest.approx(1.0)
    np.testing.assert_allclose(list(whole.sums.values()), sums.sum(axis=0))


def test_steps_whose_times_are_not_to_count_are_steps():
    window = Window()
    window.add(("loss",), np.ones((3, 1)), None)
    window.add(("loss",), np.ones((2, 1)), StepTimes(0.5, 0.1))
    assert (window.sums, window.steps, window.timed_steps) == ({"loss": 5.0}, 5, 2)
    assert (window.times.all, window.times.waiting) == (0.5, 0.1)


def test_a_state_of_an_earlier_version_has_the_sums_and_not_the_times():
    values = State(window=Window({"loss": 1.0}, 2, 2, StepTimes(0.5))).to_json()
    del values["evaluations_since_best"]
    values["window"] = {"sums": {"loss": 1.0}, "steps": 2, "seconds": 0.5, "seconds_waited": 0.25}
    earlier = State.from_json(values)
    assert earlier.window == Window({"loss": 1.0}, 2)
    assert earlier.evaluations_since_best == 0


def test_a_state_of_before_there_were_environments_knows_a_part_of_its_own():
    values = State(step=3).to_json()
    del values["environments"]
    earlier = State.from_json({**values, "replicas": 2, "onednn": True, "xla": False})
    assert earlier == State(step=3, environments=[{"replicas": 2, "onednn": True, "xla": False}])
