import time

import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from keras_resnet.training.clock import time_after


def test_the_time_is_that_at_which_values_are_there():
    ends = []

    def slow(value):
        time.sleep(0.2)
        ends.append(time.time())
        return value

    # Of an argument: what is constant TensorFlow computes before it runs a graph.
    @tf.function
    def when(argument):
        value = tf.numpy_function(slow, [argument], tf.float64, stateful=False)
        return time_after([value]), value

    found = when(tf.ones([], tf.float64))[0].numpy()
    assert ends[-1] <= found <= time.time()


def test_where_determinism_is_asked_for_there_is_no_clock():
    tf.config.experimental.enable_op_determinism()
    try:
        assert tf.function(lambda: time_after([tf.zeros([])]))().numpy() == 0.0
    finally:
        disable_op_determinism()
