import json

import keras
import numpy as np
import pytest

from keras_resnet.training import schedules


def test_the_papers_rate_falls_at_32k_and_48k():
    assert schedules.share_drops(64_000, (2, 1, 1)) == (32_000, 48_000)
    schedule = schedules.StepSchedule(0.1, (32_000, 48_000))
    rates = [float(schedule(step)) for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-6)


def test_no_drops_means_a_constant_rate():
    schedule = schedules.StepSchedule(0.1, ())
    np.testing.assert_allclose([schedule(0), schedule(10**6)], 0.1, rtol=1e-6)


@pytest.mark.parametrize("train_steps", [1, 2, 3, 4, 7])
def test_short_trainings_have_increasing_drops(train_steps):
    drops = schedules.share_drops(train_steps, (2, 1, 1))
    assert list(drops) == sorted(set(drops))
    assert drops[0] >= 1


def test_shares_are_shares_of_the_training():
    assert schedules.share_drops(1000, (5, 3, 2)) == (500, 800)
    assert schedules.share_drops(1000, (5, 4, 1)) == (500, 900)
    assert schedules.share_drops(1000, (1,)) == ()


@pytest.mark.parametrize("warmup_steps", [0, 25])
def test_the_cosine_rises_and_falls_as_the_formula(warmup_steps):
    schedule = schedules.cosine(0.4, 100, warmup_steps)
    steps = np.arange(100)
    fallen = np.maximum(steps - warmup_steps, 0) / (100 - warmup_steps)
    expected = 0.4 * (1 + np.cos(np.pi * fallen)) / 2
    if warmup_steps:
        expected = np.where(steps < warmup_steps, 0.4 * steps / warmup_steps, expected)
    np.testing.assert_allclose([schedule(step) for step in steps], expected, atol=1e-7)


def test_a_warm_up_longer_than_the_training_rises_all_the_while():
    schedule = schedules.cosine(0.4, 10, 20)
    rates = [schedule(step) for step in range(10)]
    np.testing.assert_allclose(rates, 0.4 * np.arange(10) / 20, atol=1e-7)


def warmup():
    return schedules.ErrorWarmup(schedules.StepSchedule(0.1, (250,)), 0.01, 0.8)


def test_the_warm_up_ends_by_the_error_of_100_steps():
    schedule = warmup()
    assert float(schedule(0)) == np.float32(0.01)
    # 0.8 on average, which is not below 0.8.
    assert not schedule.observe([1.0] * 50)
    assert schedule.steps_to_decision() == 50
    assert not schedule.observe([1.0] * 30 + [0.0] * 20)
    assert float(schedule(100)) == np.float32(0.01)
    # Low at last, not on average; then on average.
    assert not schedule.observe([0.9] * 99 + [0.0])
    assert float(schedule(260)) == np.float32(0.01)
    assert schedule.observe([0.79] * 100)
    assert schedule.steps_to_decision() is None
    assert float(schedule(240)) == np.float32(0.1)
    assert float(schedule(260)) == np.float32(0.01)


def test_a_warm_up_is_remembered():
    schedule, copy = warmup(), warmup()
    schedule.observe([0.85] * 50)
    early = schedule.state()
    schedule.observe([0.85] * 10)
    assert early == {"is_over": False, "errors": [0.85] * 50}
    copy.restore(json.loads(json.dumps(schedule.state())))
    assert copy.steps_to_decision() == 40
    assert schedule.observe([0.7] * 40) and copy.observe([0.7] * 40)
    again = warmup()
    again.restore(json.loads(json.dumps(copy.state())))
    assert again.steps_to_decision() is None
    assert float(again(0)) == np.float32(0.1)


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


def test_the_rate_falls_ten_times_at_most():
    schedule = schedules.PlateauSchedule(1.0, 1)
    falls = [schedule.observe(0.5) for _ in range(13)]
    assert falls == [False, *[True] * 10, False, False]
    np.testing.assert_allclose(schedule(0), 1e-10, rtol=1e-6)


def test_what_a_schedule_observed_stays_in_the_network_that_keras_saves(tmp_path):
    plateau = schedules.PlateauSchedule(0.1, 2)
    schedule = schedules.ErrorWarmup(plateau, 0.003, 0.8)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(keras.optimizers.SGD(schedule), "mse")
    example = np.ones((1, 1)), np.ones((1, 1))
    network.train_on_batch(*example)
    schedule.observe([0.5] * 100)
    for error in (0.5, 0.4, 0.4, 0.4, 0.4):
        plateau.observe(error)
    network.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    # Fell once, and waits for the second evaluation.
    assert float(copy.optimizer.learning_rate) == np.float32(0.01)
    for each in (network, copy):
        each.train_on_batch(*example)
    for ours, theirs in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert json.loads(json.dumps(plateau.state())) == {
        "drops": 1,
        "lowest_error": 0.4,
        "waited": 1,
    }
