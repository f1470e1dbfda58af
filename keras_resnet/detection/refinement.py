"""Box voting: a detection's box becomes the mean of all that agree with it."""

import tensorflow as tf

from keras_resnet.detection.boxes import intersection_over_union

_AGREE = 0.5


def voted(kept: tf.Tensor, boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """The mean of the boxes that overlap each kept one by half or more, weighed by their scores.

    Args:
      kept: boxes that were left by suppression, float [..., k, 4].
      boxes: all boxes of the class before, float [..., n, 4].
      scores: their scores, float [..., n], not negative.

    Returns:
      As `kept`; where no box votes, the kept one.

    Source: Gidaris and Komodakis, 2015, section 3.3; He et al., 2016, appendix A.
    """
    agrees = intersection_over_union(kept, boxes) >= _AGREE
    weights = tf.where(agrees, scores[..., tf.newaxis, :], 0)
    total = tf.reduce_sum(weights, axis=-1, keepdims=True)
    means = tf.math.divide_no_nan(tf.matmul(weights, boxes), total)
    return tf.where(total > 0, means, kept)
