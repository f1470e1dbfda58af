"""Values between the places of a map, as matrix products: exact in any dtype, with gradients."""

import tensorflow as tf


def between(
    pixels: tf.Tensor, step: tf.Tensor, end: tf.Tensor, places: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """How much each pixel has of each place of a map, along one axis; bilinear.

    Args:
      pixels: their numbers, int32 [n].
      step: places for a pixel, float64 scalar: the first pixel and the first place begin together.
      end: pixels beyond the middle of the place before it have the value of that, int32 scalar.
      places: how many there are, int32 scalar.
      dtype: of the result.

    Returns:
      [n, places], each row with a sum of 1.
    """
    middles = (tf.cast(pixels, tf.float64) + 0.5) * step - 0.5
    middles = tf.clip_by_value(middles, 0, tf.cast(end - 1, tf.float64))
    distances = tf.abs(middles[:, tf.newaxis] - tf.cast(tf.range(places), tf.float64))
    return tf.cast(tf.maximum(1 - distances, 0), dtype)


def interpolated(maps: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Maps [..., height, width, channels] at other rows and columns, see `between`."""
    values = tf.einsum("yh,...hwc->...ywc", rows, maps)
    return tf.einsum("xw,...ywc->...yxc", columns, values)


def resized(maps: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Maps [n, height, width, channels] of another height and width, int32 [2]."""
    sides = tf.shape(maps)[1:3]
    step = sides / shape
    rows, columns = (
        between(tf.range(shape[axis]), step[axis], sides[axis], sides[axis], maps.dtype)
        for axis in range(2)
    )
    return interpolated(maps, rows, columns)
