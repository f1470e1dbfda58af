"""Of boxes that lie over each other the one with the highest score: proposals and detections."""

import tensorflow as tf

# Sides of boxes that are of use at least, in pixels.
_MIN_SIDE = 1.0


def usable(boxes: tf.Tensor) -> tf.Tensor:
    """Whether boxes [..., 4] have a height and a width to speak of, bool [...]."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return tf.reduce_all(sides >= _MIN_SIDE, axis=-1)


def suppressed(
    boxes: tf.Tensor, scores: tf.Tensor, overlap: float, number: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Non-maximum suppression: the best boxes, none of which lies on a better one.

    Args:
      boxes: float [n, boxes, 4].
      scores: float [n, boxes]; those of minus infinity are not taken.
      overlap: intersection over union from which on the worse of two boxes is dropped.
      number: of boxes to keep, at most.

    Returns:
      Their places, int32 [n, number], best first, and how many there are, int32 [n].
    """
    # A box without area is never one of them. Infinite scores, or ones below the operation's own
    # threshold, would become NaN or 0 there.
    is_out = tf.equal(scores, -float("inf"))
    # It is for float32.
    boxes, scores = tf.cast(boxes, tf.float32), tf.cast(scores, tf.float32)
    # This form takes any number of pictures, and runs on GPUs and under XLA.
    places, counts = tf.image.non_max_suppression_padded(
        tf.where(is_out[..., tf.newaxis], tf.zeros_like(boxes), boxes),
        tf.where(~is_out, scores, scores.dtype.min),
        max_output_size=number,
        iou_threshold=overlap,
        pad_to_max_output_size=True,
        canonicalized_coordinates=True,
    )
    return tf.ensure_shape(places, [None, number]), counts
