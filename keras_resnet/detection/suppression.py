"""Of boxes that lie over each other the one with the highest score: proposals and detections."""

import numpy as np
import tensorflow as tf

from keras_resnet.detection.boxes import area

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
    # The operations are for float32.
    boxes, scores = tf.cast(boxes, tf.float32), tf.cast(scores, tf.float32)
    # A box without area is never one of them.
    scores = tf.where(area(boxes) > 0, scores, -float("inf"))
    # On GPUs few large operations are faster; on CPUs they take 2 to 100 times as long.
    of_rows = _at_once if tf.config.list_physical_devices("GPU") else _row_by_row
    places, counts = of_rows(boxes, scores, overlap, number)
    return tf.ensure_shape(places, [None, number]), counts


def _row_by_row(
    boxes: tf.Tensor, scores: tf.Tensor, overlap: float, number: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """`suppressed`, of one picture or class after the other."""
    # The operation keeps what has just this overlap.
    below = float(np.nextafter(np.float32(overlap), np.float32(0)))

    def of_row(row: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        kept = tf.raw_ops.NonMaxSuppressionV4(
            boxes=row[0],
            scores=row[1],
            max_output_size=number,
            iou_threshold=below,
            score_threshold=-float("inf"),
            pad_to_max_output_size=True,
        )
        return kept.selected_indices, kept.valid_outputs

    return tf.map_fn(of_row, (boxes, scores), fn_output_signature=(tf.int32, tf.int32))


def _at_once(
    boxes: tf.Tensor, scores: tf.Tensor, overlap: float, number: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """`suppressed`, of all pictures and classes together."""
    # Infinite scores, or ones below the operation's own threshold, would become NaN or 0 there.
    is_out = tf.equal(scores, -float("inf"))
    return tf.image.non_max_suppression_padded(
        tf.where(is_out[..., tf.newaxis], tf.zeros_like(boxes), boxes),
        tf.where(~is_out, scores, scores.dtype.min),
        max_output_size=number,
        iou_threshold=overlap,
        pad_to_max_output_size=True,
        canonicalized_coordinates=True,
    )
