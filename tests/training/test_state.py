import json

import numpy as np

from keras_resnet.training.state import State, Window


def test_a_state_survives_json():
    state = State(
        step=7,
        window=Window({"loss": 0.1 + 0.2, "top1": 3.0}, 2, 1 / 3),
        best={"step": 5, "top1": 0.7},
        schedules={"plateau": {"lowest_error": float("inf")}},
    )
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_sums_do_not_depend_on_how_steps_fell_into_calls(rng):
    sums = rng.normal(size=(9, 2)) * 10.0 ** rng.integers(-9, 9, (9, 1))
    whole, parts = Window(), Window()
    whole.add(("loss", "hits"), sums, 1.0)
    for start, stop in ((0, 1), (1, 6), (6, 9)):
        parts.add(("loss", "hits"), sums[start:stop], (stop - start) / 9)
    assert whole.sums == parts.sums and (whole.steps, parts.steps) == (9, 9)
    np.testing.assert_allclose(list(whole.sums.values()), sums.sum(axis=0))
