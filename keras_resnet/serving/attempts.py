"""Decoding that may fail: the error is the picture's, unless the server is short of memory."""

import contextlib
from collections.abc import Callable

import tensorflow as tf

# Of memory that is asked for at once, in bytes.
_PAGE = 4096


def attempt(operation: Callable[[], tf.Tensor]) -> tf.Tensor:
    """What an operation gives; where it is an error zeros, and none along sides of any length.

    Args:
      operation: of few operations: TensorFlow makes each ready every time.
    """
    # A data set is what can lose an element to an error.
    found = tf.data.Dataset.from_tensors(0).map(lambda _: operation()).ignore_errors()
    spec = found.element_spec
    nothing = tf.zeros([side or 0 for side in spec.shape], spec.dtype)
    either = found.concatenate(tf.data.Dataset.from_tensors(nothing)).take(1)
    return either.get_single_element()


def memory_for(num_bytes: tf.Tensor) -> contextlib.AbstractContextManager[None]:
    """A context whose operations run only after so much memory was to be had.

    What fails for want of memory within a decoder looks like a damaged picture.

    Args:
      num_bytes: int64 scalar.

    Raises:
      tf.errors.ResourceExhaustedError: there is less.
    """
    with tf.device("CPU:0"):
        shape = tf.stack([tf.cast(num_bytes // _PAGE, tf.int32) + 1, _PAGE])
        # Nothing is written to it: it costs no time.
        return tf.control_dependencies([tf.raw_ops.Empty(shape=shape, dtype=tf.uint8)])
