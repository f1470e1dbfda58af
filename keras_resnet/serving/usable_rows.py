"""Which of some encoded pictures can be used, and what a network sees of those.

A picture that cannot be used does not fail its batch: its row says why in `status`. What is no
fault of a picture does: a client asks again.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.answers import OK
from keras_resnet.serving.bounded_pixels import bounded_pixels
from keras_resnet.serving.options import Limits

# Of a batch; each may take as much memory as the limits allow.
PICTURES_AT_ONCE = 2


def usable_rows(
    image_bytes: tf.Tensor,
    preprocessing: Preprocessing,
    inputs_of: Callable[[tf.Tensor], Any],
    nothing: Any,
    limits: Limits,
) -> tuple[Any, tf.Tensor, tf.Tensor]:
    """The network's inputs for those of some pictures that can be used.

    Args:
      image_bytes: string [n].
      preprocessing: `Preprocessing` of the network.
      inputs_of: a function of the pixels of one picture to what a network sees of it, tensors of
        one shape.
      nothing: the same of no picture.
      limits: `Limits`.

    Returns:
      What the function gives of the k usable ones, [k, ...] each, their places among the n, int64
      [k], and the status of each, string [n].

    Raises:
      tf.errors.ResourceExhaustedError: memory is short.
    """
    count = tf.size(image_bytes)

    def rows(pixels: tf.Tensor) -> list[tf.Tensor]:
        return [value[tf.newaxis] for value in tf.nest.flatten(inputs_of(pixels))]

    no_rows = [tf.zeros([0, *value.shape], value.dtype) for value in tf.nest.flatten(nothing)]

    def step(place: tf.Tensor, statuses: tf.TensorArray, inputs: list[tf.TensorArray]) -> Any:
        pixels, status = bounded_pixels(image_bytes[place], preprocessing, limits)
        found = tf.cond(tf.equal(status, OK), lambda: rows(pixels), lambda: no_rows)
        inputs = [array.write(place, value) for array, value in zip(inputs, found, strict=True)]
        return place + 1, statuses.write(place, status), inputs

    _, statuses, inputs = tf.while_loop(
        lambda place, *_: place < count,
        step,
        (
            tf.constant(0),
            tf.TensorArray(tf.string, count, element_shape=[]),
            [
                tf.TensorArray(
                    value.dtype, count, infer_shape=False, element_shape=[None, *value.shape[1:]]
                )
                for value in no_rows
            ],
        ),
        parallel_iterations=PICTURES_AT_ONCE,
    )
    status = statuses.stack()
    values = [array.concat() for array in inputs]
    places = tf.where(tf.equal(status, OK))[:, 0]
    return tf.nest.pack_sequence_as(nothing, values), places, status


def at_least_one(inputs: tf.Tensor) -> tf.Tensor:
    """The inputs, or a row of zeros for none: a convolution of nothing is an error."""
    missing = tf.maximum(1 - tf.shape(inputs)[0], 0)
    return tf.pad(inputs, [[0, missing], *[[0, 0]] * (inputs.shape.rank - 1)])
