import json

import numpy as np
import pytest

from keras_resnet import schedules


def test_the_papers_rate_falls_at_32k_and_48k():
    assert schedules.default_drops(64_000) == (32_000, 48_000)
    schedule = schedules.StepSchedule(0.1, (32_000, 48_000))
    rates = [float(schedule(step)) for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-6)


def test_no_drops_means_a_constant_rate():
    schedule = schedules.StepSchedule(0.1, ())
    np.testing.assert_allclose([schedule(0), schedule(10**6)], 0.1, rtol=1e-6)


@pytest.mark.parametrize("train_steps", [1, 2, 3, 4, 7])
def test_short_trainings_have_increasing_drops(train_steps):
    drops = schedules.default_drops(train_steps)
    assert list(drops) == sorted(set(drops))
    assert drops[0] >= 1


def test_the_rate_falls_when_the_error_has_stopped_falling():
    schedule = schedules.PlateauSchedule(0.1, 2)
    errors = [0.9, 0.8, 0.8, 0.7, 0.7, 0.75, 0.6, 0.61, 0.6, 0.6, 0.6]
    falls = [schedule.observe(error) for error in errors]
    assert [n for n, fell in enumerate(falls) if fell] == [5, 8, 10]
    np.testing.assert_allclose(schedule(123), 1e-4, rtol=1e-6)


def test_a_plateau_is_remembered():
    schedule = schedules.PlateauSchedule(0.1, 3)
    for error in (0.5, 0.5, 0.5, 0.5, 0.5):
        schedule.observe(error)
    copy = schedules.PlateauSchedule(0.1, 3)
    copy.restore(json.loads(json.dumps(schedule.state())))
    assert float(copy(0)) == float(schedule(0)) == np.float32(0.01)
    for error in (0.5, 0.4, 0.5, 0.5, 0.5):
        assert copy.observe(error) == schedule.observe(error)
    np.testing.assert_allclose(copy(0), 0.001, rtol=1e-6)
