"""What a detector finds in pictures."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.boxes import clip, decode
from keras_resnet.detection.canvases import by_canvas
from keras_resnet.detection.detections import DETECTIONS, detections
from keras_resnet.detection.network import REGION_SCALES, FasterRCNN
from keras_resnet.detection.proposals import TESTING, ProposalOptions, proposals


class Pictures(NamedTuple):
    """What a detector sees of pictures, see `Canvas.inputs`.

    Attributes:
      inputs: float [b, longer, longer, channels].
      shapes: of the pictures on their canvas, int32 [b, 2].
      own_shapes: of the pictures, int32 [b, 2].
    """

    inputs: tf.Tensor
    shapes: tf.Tensor
    own_shapes: tf.Tensor


NOTHING = {
    "boxes": tf.TensorSpec([0, DETECTIONS, 4], tf.float32),
    "scores": tf.TensorSpec([0, DETECTIONS], tf.float32),
    "classes": tf.TensorSpec([0, DETECTIONS], tf.int32),
    "count": tf.TensorSpec([0], tf.int32),
}


def finder(
    detector: FasterRCNN, *, voting: bool = False, options: ProposalOptions = TESTING
) -> Callable[[Pictures], dict[str, tf.Tensor]]:
    """A function from pictures to what is found in each.

    Args:
      detector: `FasterRCNN`.
      voting: see `detections.detections`.
      options: `ProposalOptions`.

    Returns:
      A function of `Pictures` to `boxes`, in pixels of the picture itself, float32 [b, 100, 4];
      `scores`, the highest first, float32 [b, 100]; `classes`, int32 [b, 100]; and `count`, how
      many of them were found, int32 [b].
    """

    def of_canvas(pictures: Pictures) -> dict[str, tf.Tensor]:
        maps = detector.trunk(pictures.inputs, training=False)
        of_anchors = anchors(tf.shape(maps)[1:3], detector.stride, detector.anchor_shapes)
        of_anchors = tf.cast(of_anchors, maps.dtype)
        scores, codes = detector.propose(maps)
        regions, is_one = proposals(scores, codes, of_anchors, pictures.shapes, options)
        logits, codes = detector.look(maps, regions)
        probabilities = tf.nn.softmax(logits)[..., 1:]
        probabilities = tf.where(is_one[..., tf.newaxis], probabilities, 0)
        boxes = decode(codes, regions[:, :, tf.newaxis], REGION_SCALES)
        boxes = clip(boxes, pictures.shapes[:, tf.newaxis])
        found, scores, classes, count = detections(probabilities, boxes, voting)
        growth = tf.cast(pictures.own_shapes / pictures.shapes, found.dtype)
        growth = tf.gather(growth, [1, 0, 1, 0], axis=1)
        return {
            "boxes": tf.cast(found * growth[:, tf.newaxis], tf.float32),
            "scores": tf.cast(scores, tf.float32),
            "classes": classes,
            "count": count,
        }

    return by_canvas(of_canvas, detector.canvas, NOTHING)
