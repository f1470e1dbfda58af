import json

import pytest
from harness import tiny_training

from keras_resnet.training.rates import make_rates


def test_rates_follow_shares_or_drops():
    shares = make_rates(tiny_training(learning_rate=0.1), 8, 1.0)
    assert [shares.of_step(step) for step in (0, 3, 4, 5, 6, 7)] == [0.1, 0.1, 0.01, 0.01] + [
        0.001
    ] * 2
    drops = make_rates(tiny_training(learning_rate=0.1, learning_rate_drops=(2,)), 8, 1.0)
    assert [drops.of_step(step) for step in (1, 2, 7)] == [0.1, 0.01, 0.01]
    assert (shares.drops, drops.drops) == ((4, 6), (2,))
    assert drops.states() == {} and drops.steps_to_decision() is None
    assert not drops.observe_steps([0.5]) and not drops.observe_evaluation(0.5)


def test_a_warm_up_and_a_plateau_are_kept_in_checkpoints():
    config = tiny_training(
        schedule="plateau", plateau_evaluations=1, warmup_error=0.5, warmup_learning_rate=0.001
    )
    rates = make_rates(config, 500, 1.0)
    assert rates.drops == ()
    assert (rates.of_step(0), rates.steps_to_decision()) == (0.001, 100)
    assert not rates.observe_steps([0.4] * 60)
    again = make_rates(config, 500, 1.0)
    again.restore(json.loads(json.dumps(rates.states())))
    assert again.steps_to_decision() == 40
    assert again.observe_steps([0.4] * 40)
    assert again.of_step(100) == 0.1
    assert [again.observe_evaluation(error) for error in (0.3, 0.3)] == [False, True]
    assert again.of_step(101) == 0.01


def test_a_warm_up_is_shorter_than_its_training():
    config = tiny_training(schedule="cosine", warmup_epochs=2.0)
    make_rates(config, 21, 10.0)
    with pytest.raises(ValueError, match="`warmup_epochs` must be shorter .* which is 20 steps"):
        make_rates(config, 20, 10.0)
