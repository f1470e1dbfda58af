import json

import numpy as np
import pytest

from keras_resnet.training.state import State, Window


def test_a_state_survives_json():
    state = State(
        step=7,
        window=Window({"loss": 0.1 + 0.2, "top1": 3.0}, 2, 1 / 3, 1 / 7),
        best={"step": 5, "top1": 0.7},
        environments=[{"tensorflow": "2.21.0", "onednn": True}],
        schedules={"plateau": {"lowest_error": float("inf")}},
    )
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_sums_do_not_depend_on_how_steps_fell_into_calls(rng):
    sums = rng.normal(size=(9, 2)) * 10.0 ** rng.integers(-9, 9, (9, 1))
    whole, parts = Window(), Window()
    whole.add(("loss", "hits"), sums, 1.0, None)
    for start, stop in ((0, 1), (1, 6), (6, 9)):
        parts.add(("loss", "hits"), sums[start:stop], (stop - start) / 9, None)
    assert whole.sums == parts.sums and (whole.steps, parts.steps) == (9, 9)
    np.testing.assert_allclose(list(whole.sums.values()), sums.sum(axis=0))


def test_a_step_waits_for_what_its_images_come_late():
    # Three steps of 0.2 s, of which each has its images 0.1 s before its end.
    late, early = Window(), Window()
    late.add(("loss",), np.zeros((3, 1)), 0.6, 0.1)
    assert late.seconds_waited == pytest.approx(0.3)
    # They are there before the step begins.
    early.add(("loss",), np.zeros((3, 1)), 0.6, 0.3)
    assert early.seconds_waited == 0.0
    late.add(("loss",), np.zeros((1, 1)), 0.4, 0.3)
    assert late.seconds_waited == pytest.approx(0.4) and late.seconds == pytest.approx(1.0)


def test_what_is_not_known_of_a_part_is_not_known_of_the_whole():
    window = Window()
    for seconds_ahead in (0.1, None, 0.1):
        window.add(("loss",), np.zeros((1, 1)), 0.2, seconds_ahead)
    assert window.seconds_waited is None


def test_a_state_of_before_it_was_counted_does_not_know_how_long_it_waited():
    values = State(window=Window({"loss": 1.0}, 2, 0.5, 0.25)).to_json()
    assert State.from_json(values).window.seconds_waited == 0.25
    del values["window"]["seconds_waited"], values["evaluations_since_best"]
    earlier = State.from_json(values)
    assert earlier.window.seconds_waited is None
    assert earlier.evaluations_since_best == 0


def test_a_state_of_before_there_were_environments_knows_a_part_of_its_own():
    values = State(step=3).to_json()
    del values["environments"]
    earlier = State.from_json({**values, "replicas": 2, "onednn": True, "xla": False})
    assert earlier == State(step=3, environments=[{"replicas": 2, "onednn": True, "xla": False}])
