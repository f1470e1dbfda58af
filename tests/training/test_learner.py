import keras
import numpy as np
import pytest
from harness import tiny_training

from keras_resnet.training.learner import Learner
from keras_resnet.training.rates import make_rates


def learner(**options):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    config = tiny_training(**options)
    return Learner.of(config, network, make_rates(config, 1, 1.0))


def test_the_optimizer_is_that_of_the_configuration():
    found = learner(momentum=0.75, learning_rate=0.5)
    assert (found.optimizer.momentum, found.rates.of_step(0)) == (0.75, 0.5)
    # Weights and velocities, and the number of steps.
    assert len(found.variables) == 2 + 2 + 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_named(value):
    found = learner()
    assert found.infinite_variable() is None
    found.network.get_layer("last").kernel.assign([[1.0], [value]])
    assert found.infinite_variable().endswith("last/kernel")


def test_averaged_weights_are_there_for_a_while():
    found = learner(ema_momentum=0.75, momentum=0.0, learning_rate=1.0)
    kernel = found.network.get_layer("last").kernel
    kernel.assign([[1.0], [2.0]])
    for variable in found.optimizer.variables:
        if "average" in variable.path and "kernel" in variable.path:
            variable.assign([[5.0], [6.0]])
    with found.averaged_weights():
        np.testing.assert_array_equal(kernel, [[5.0], [6.0]])
    np.testing.assert_array_equal(kernel, [[1.0], [2.0]])
    plain = learner()
    before = plain.network.get_weights()
    with plain.averaged_weights():
        np.testing.assert_array_equal(plain.network.get_weights()[0], before[0])
