"""Which of some encoded pictures can be used, and what a network sees of those.

A picture that cannot be used does not fail its batch: its row says why in `status`.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_resnet.images import headers
from keras_resnet.serving.answers import (
    CONVERT_FIRST,
    DAMAGED,
    NOT_AN_IMAGE,
    OK,
    TOO_LARGE,
    TOO_LONG,
    TOO_MANY_SCANS,
)
from keras_resnet.serving.options import Limits

# Of a progressive JPEG, which has some ten. Each may take as long as decoding all of another.
MAX_SCANS = 100


def usable_rows(
    image_bytes: tf.Tensor, inputs_of: Callable[[tf.Tensor], Any], nothing: Any, limits: Limits
) -> tuple[Any, tf.Tensor, tf.Tensor]:
    """The network's inputs for those of some pictures that can be used.

    Args:
      image_bytes: string [n].
      inputs_of: a function of one picture to what a network sees of it, tensors of one shape.
      nothing: the same of no picture.
      limits: `Limits`.

    Returns:
      What the function gives of the k usable ones, [k, ...] each, their places among the n, int64
      [k], and the status of each, string [n].
    """

    def header(place: tf.Tensor, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return place, _status_of_header(image_bytes, limits)

    def row(place: tf.Tensor, image_bytes: tf.Tensor) -> tuple[tf.Tensor, Any]:
        fits = tf.equal(_status_of_header(image_bytes, limits), OK)
        with headers.checked(fits, "the picture is not to be decoded"):
            return place, inputs_of(tf.identity(image_bytes))

    count = tf.size(image_bytes, tf.int64)
    places, found = _rows_without_error(image_bytes, header, tf.constant(DAMAGED), count)
    status = tf.tensor_scatter_nd_update(tf.fill([count], DAMAGED), places[:, tf.newaxis], found)
    places, inputs = _rows_without_error(image_bytes, row, nothing, count)
    # What has a good header and does not decode is damaged.
    decoded = tf.scatter_nd(places[:, tf.newaxis], tf.ones_like(places), [count]) > 0
    status = tf.where(tf.equal(status, OK) & ~decoded, DAMAGED, status)
    return inputs, places, status


def at_least_one(inputs: tf.Tensor) -> tf.Tensor:
    """The inputs, or a row of zeros for none: a convolution of nothing is an error."""
    missing = tf.maximum(1 - tf.shape(inputs)[0], 0)
    return tf.pad(inputs, [[0, missing], *[[0, 0]] * (inputs.shape.rank - 1)])


def _rows_without_error(
    image_bytes: tf.Tensor,
    function: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, Any]],
    nothing: Any,
    count: tf.Tensor,
) -> tuple[tf.Tensor, Any]:
    """What a function of (place, row) gives for the rows for which it is no error, in batches."""
    # A data set is what can lose a row to an error, and works on several at once. The last row,
    # which is cut off again, is there because a batch must have one.
    last = tf.data.Dataset.from_tensors((count, nothing))
    places, values = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(function, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .concatenate(last)
        .batch(count + 1)
        .get_single_element()
    )
    return places[:-1], tf.nest.map_structure(lambda each: each[:-1], values)


def _status_of_header(image_bytes: tf.Tensor, limits: Limits) -> tf.Tensor:
    """The status of a picture before it is decoded; an error where its header is damaged."""

    def of_jpeg() -> tf.Tensor:
        too_many = _number_of_scans(image_bytes) > MAX_SCANS
        return tf.cond(too_many, lambda: TOO_MANY_SCANS, of_size)

    def of_size() -> tf.Tensor:
        pixels = headers.num_pixels(headers.encoded_shape(image_bytes))
        return tf.where(pixels > limits.max_pixels, TOO_LARGE, OK)

    def of_others() -> tf.Tensor:
        return tf.cond(headers.is_decodable(image_bytes), of_size, not_decodable)

    def not_decodable() -> tf.Tensor:
        return tf.where(headers.is_picture(image_bytes), CONVERT_FIRST, NOT_AN_IMAGE)

    too_long = tf.strings.length(image_bytes) > limits.max_bytes
    return tf.cond(
        too_long,
        lambda: TOO_LONG,
        lambda: tf.cond(tf.io.is_jpeg(image_bytes), of_jpeg, of_others),
    )


def _number_of_scans(image_bytes: tf.Tensor) -> tf.Tensor:
    """How many scans a JPEG has, at most; thumbnails within it count, too."""
    values = tf.io.decode_raw(image_bytes, tf.uint8)
    starts = tf.equal(values[:-1], 0xFF) & tf.equal(values[1:], 0xDA)
    return tf.math.count_nonzero(starts)
