"""From what a detector says of each region to the objects that it has found."""

import tensorflow as tf

from keras_resnet.detection.refinement import voted
from keras_resnet.detection.suppression import suppressed

# Of a region and a class; lower ones are not looked at.
LEAST_SCORE = 0.05

# Of a picture, at most.
DETECTIONS = 100

_OVERLAP = 0.3


def detections(
    probabilities: tf.Tensor, boxes: tf.Tensor, voting: bool = False
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """The objects of each picture: of each class the best boxes that do not lie on a better one.

    Args:
      probabilities: that each region shows an object of each class, float [n, regions, classes].
      boxes: of each region, if it is of a class, float [n, regions, classes, 4].
      voting: whether boxes that agree are averaged, see `refinement`.

    Returns:
      Boxes [n, 100, 4], scores [n, 100], the highest first, and classes, int32 [n, 100]; and how
      many of them are detections, int32 [n].
    """
    count, regions, classes = tf.unstack(tf.shape(probabilities))
    of_class = tf.reshape(tf.transpose(probabilities, [0, 2, 1]), [-1, regions])
    boxes = tf.reshape(tf.transpose(boxes, [0, 2, 1, 3]), [-1, regions, 4])
    ranks = tf.where(of_class >= LEAST_SCORE, of_class, -float("inf"))
    places, counts = suppressed(boxes, ranks, _OVERLAP, DETECTIONS)
    scores = tf.gather(of_class, places, batch_dims=1)
    found = tf.gather(boxes, places, batch_dims=1)
    if voting:
        found = voted(found, boxes, of_class)
    is_one = tf.range(DETECTIONS) < counts[:, tf.newaxis]
    scores = tf.reshape(tf.where(is_one, scores, 0), [count, -1])
    found = tf.reshape(found, [count, -1, 4])
    # The best of all classes together.
    scores, best = tf.math.top_k(scores, DETECTIONS)
    return (
        tf.gather(found, best, batch_dims=1),
        scores,
        best // DETECTIONS,
        tf.math.count_nonzero(scores, axis=1, dtype=tf.int32),
    )
