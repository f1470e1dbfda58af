"""Time as it is within TensorFlow's graphs."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled


def time_after(values: Sequence[tf.Tensor] = ()) -> tf.Tensor:
    """When values are there: float64 seconds since 1970.

    Where determinism is asked for, TensorFlow has no clock, and the time is 0.

    Args:
      values: on whichever devices.
    """
    if is_op_determinism_enabled():
        return tf.constant(0.0, tf.float64)
    # A GPU is only told to compute them; a copy on the host waits until they are.
    with tf.device("CPU:0"), tf.control_dependencies([tf.identity(value) for value in values]):
        return tf.timestamp()
