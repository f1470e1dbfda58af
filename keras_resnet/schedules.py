"""Learning rates as functions of the step."""

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
