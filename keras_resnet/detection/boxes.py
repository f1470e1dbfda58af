"""Boxes: rectangles of a picture, and how a detector expresses one relative to another.

A box is its left, top, right and bottom edge, in pixels from the corner of the picture: the pixel
in row 0 and column 0 reaches from 0 to 1.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

# A box grows by at most this factor over the one that it is encoded by; a network that has learned
# nothing would give infinite ones. Of a picture of 1,000 pixels and the smallest anchors.
MAX_GROWTH = 1000 / 16

# Of a side that is encoded: a box without height or width must not make a loss infinite.
_MIN_SIDE = 1e-3


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Areas of boxes [..., 4], in square pixels; 0 for those that are inverted."""
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    return tf.maximum(right - left, 0) * tf.maximum(bottom - top, 0)


def intersection_over_union(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """How far each of some boxes and each of others cover the same, 0 to 1.

    Args:
      boxes: float [..., n, 4].
      others: float [..., m, 4].

    Returns:
      [..., n, m]; 0 where neither has an area.
    """
    first, second = boxes[..., :, tf.newaxis, :], others[..., tf.newaxis, :, :]
    left, top, right, bottom = tf.unstack(first, axis=-1)
    other_left, other_top, other_right, other_bottom = tf.unstack(second, axis=-1)
    width = tf.minimum(right, other_right) - tf.maximum(left, other_left)
    height = tf.minimum(bottom, other_bottom) - tf.maximum(top, other_top)
    intersection = tf.maximum(width, 0) * tf.maximum(height, 0)
    union = area(first) + area(second) - intersection
    return tf.math.divide_no_nan(intersection, union)


def clip(boxes: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Boxes without what is outside of their pictures.

    Args:
      boxes: float [..., n, 4].
      shape: height and width of each picture, [..., 2].

    Returns:
      As `boxes`.
    """
    height, width = tf.unstack(tf.cast(shape, boxes.dtype)[..., tf.newaxis, :], axis=-1)
    limits = tf.stack([width, height, width, height], axis=-1)
    return tf.clip_by_value(boxes, tf.zeros_like(limits), limits)


def mirror(boxes: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Where boxes [..., 4] are in a picture that is mirrored left to right, of a width."""
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    width = tf.cast(width, boxes.dtype)
    return tf.stack([width - right, top, width - left, bottom], axis=-1)


def _centers_and_sides(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], _MIN_SIDE)
    return boxes[..., :2] + sides / 2, sides


def encode(boxes: tf.Tensor, anchors: tf.Tensor, scales: Sequence[float] = (1.0,) * 4) -> tf.Tensor:
    """What is to be told of anchors to make boxes of them: the inverse of `decode`.

    Args:
      boxes, anchors: float [..., 4].
      scales: by which the four numbers are multiplied.

    Returns:
      [..., 4]: the way to the center, in sides of the anchor, and logarithms of the growth; first
      of the width, then of the height.

    Source: Girshick et al., 2014 (R-CNN), appendix C.
    """
    centers, sides = _centers_and_sides(boxes)
    anchor_centers, anchor_sides = _centers_and_sides(anchors)
    way = (centers - anchor_centers) / anchor_sides
    growth = tf.math.log(sides / anchor_sides)
    return tf.concat([way, growth], axis=-1) * tf.constant(scales, boxes.dtype)


def decode(codes: tf.Tensor, anchors: tf.Tensor, scales: Sequence[float] = (1.0,) * 4) -> tf.Tensor:
    """The boxes that codes make of anchors, which grow at most by `MAX_GROWTH`; see `encode`."""
    codes = codes / tf.constant(scales, codes.dtype)
    centers, sides = _centers_and_sides(anchors)
    centers += codes[..., :2] * sides
    sides *= tf.exp(tf.minimum(codes[..., 2:], math.log(MAX_GROWTH)))
    return tf.concat([centers - sides / 2, centers + sides / 2], axis=-1)
