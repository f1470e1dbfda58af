"""Learning rates that fall by tenths: at given steps, or when the error has stopped falling."""

import math

import keras
import tensorflow as tf


def default_drops(train_steps):
    """Steps 1/2 and 3/4 through a training: 32k and 48k of the paper's 64k (section 4.2)."""
    return tuple(sorted({max(1, train_steps // 2), max(1, train_steps * 3 // 4)}))


@keras.saving.register_keras_serializable(package="keras_resnet")
class StepSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate divided by 10 after each of the given numbers of steps (sections 3.4 and 4.2).

    Keras's PiecewiseConstantDecay keeps the old rate for one step more and refuses to be constant.

    Args:
      learning_rate: rate of the first drops[0] steps.
      drops: increasing numbers of steps; none: the rate is constant.
    """

    def __init__(self, learning_rate, drops):
        super().__init__()
        self.learning_rate = learning_rate
        self.drops = tuple(drops)

    def __call__(self, step):
        """The rate of a step, counted from 0: a float32 scalar."""
        rates = [self.learning_rate / 10**passed for passed in range(len(self.drops) + 1)]
        passed = tf.cast(step, tf.int64) >= tf.constant(self.drops, tf.int64)
        return tf.gather(tf.constant(rates, tf.float32), tf.math.count_nonzero(passed))

    def get_config(self):
        return {"learning_rate": self.learning_rate, "drops": self.drops}


@keras.saving.register_keras_serializable(package="keras_resnet")
class PlateauSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate divided by 10 whenever the validation error has stopped falling (section 3.4).

    Args:
      learning_rate: rate of the first steps.
      evaluations: number of evaluations in a row without a new lowest error that make a plateau.
    """

    MAX_DROPS = 10

    def __init__(self, learning_rate, evaluations):
        super().__init__()
        self.learning_rate = learning_rate
        self.evaluations = evaluations
        self._drops = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._lowest_error = math.inf
        self._waited = 0

    def __call__(self, step):
        """The rate of now, whatever the step: a float32 scalar."""
        rates = [self.learning_rate / 10**drops for drops in range(self.MAX_DROPS + 1)]
        return tf.gather(tf.constant(rates, tf.float32), self._drops)

    def observe(self, error):
        """Takes note of an evaluation's error; returns whether the rate falls."""
        if error < self._lowest_error:
            self._lowest_error, self._waited = error, 0
        else:
            self._waited += 1
        falls = self._waited == self.evaluations and int(self._drops.numpy()) < self.MAX_DROPS
        if falls:
            self._waited = 0
            self._drops.assign_add(1)
        return falls

    def state(self):
        """What a checkpoint keeps, as JSON types."""
        return {
            "drops": int(self._drops.numpy()),
            "lowest_error": self._lowest_error,
            "waited": self._waited,
        }

    def restore(self, state):
        """Takes up what `state` gave."""
        self._drops.assign(state["drops"])
        self._lowest_error, self._waited = state["lowest_error"], state["waited"]

    def get_config(self):
        return {"learning_rate": self.learning_rate, "evaluations": self.evaluations}
