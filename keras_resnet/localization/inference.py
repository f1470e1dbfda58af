"""What a localizer says of pictures."""

from collections.abc import Callable

import tensorflow as tf

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.boxes import clip, decode
from keras_resnet.detection.suppression import usable
from keras_resnet.images.canvas import Pictures
from keras_resnet.images.canvases import Values, by_canvas
from keras_resnet.localization.examples import Judged
from keras_resnet.localization.network import Localizer

# Classes that a picture gets, if there are as many.
TOP = 5


def judge(localizer: Localizer) -> Callable[[Judged], Values]:
    """A function from pictures to their most probable classes, and a box for each.

    A class's box is that of its surest anchor.

    Returns:
      A function of a `Judged` to `classes`, int32 [b, k], the most probable first, k being `TOP` at
      most; `scores`, their probabilities, float32 [b, k]; `boxes`, in pixels of the picture itself,
      float32 [b, k, 4]; and `true_box`, that of the true class, float32 [b, 4].

    Source: He et al., 2016, appendix C: the network is applied to the picture as a whole.
    """
    top = min(TOP, localizer.classes)

    def of_canvas(judged: Judged) -> Values:
        maps = localizer.trunk(judged.inputs, training=False)
        probabilities = tf.nn.softmax(localizer.classify(maps, judged.shapes))
        scores, classes = tf.math.top_k(probabilities, top)
        asked = tf.concat([classes, tf.cast(judged.labels[:, tf.newaxis], tf.int32)], axis=1)
        boxes = _boxes(localizer, maps, asked, judged.shapes)
        growth = tf.cast(judged.own_shapes / judged.shapes, boxes.dtype)
        boxes *= tf.gather(growth, [1, 0, 1, 0], axis=1)[:, tf.newaxis]
        boxes = tf.cast(boxes, tf.float32)
        return {
            "classes": classes,
            "scores": tf.cast(scores, tf.float32),
            "boxes": boxes[:, :top],
            "true_box": boxes[:, top],
        }

    nothing = {
        "classes": tf.TensorSpec([0, top], tf.int32),
        "scores": tf.TensorSpec([0, top], tf.float32),
        "boxes": tf.TensorSpec([0, top, 4], tf.float32),
        "true_box": tf.TensorSpec([0, 4], tf.float32),
    }
    return by_canvas(of_canvas, localizer.canvas, nothing)


def finder(localizer: Localizer) -> Callable[[Pictures], Values]:
    """The same for pictures whose class nobody knows.

    Returns:
      A function of `Pictures` to `classes`, `scores` and `boxes`, see `judge`, and `count`, how
      many there are of each picture, int32 [b].
    """
    of_judged = judge(localizer)

    def find(pictures: Pictures) -> Values:
        count = tf.shape(pictures.inputs)[:1]
        found = dict(of_judged(Judged(*pictures, tf.zeros(count, tf.int64))))
        del found["true_box"]
        return {**found, "count": tf.fill(count, found["classes"].shape[1])}

    return find


def _boxes(
    localizer: Localizer, maps: tf.Tensor, classes: tf.Tensor, shapes: tf.Tensor
) -> tf.Tensor:
    """The box of each of some classes, int32 [n, k], in pixels of the canvas, [n, k, 4]."""
    scores, codes = localizer.look(maps, classes)
    of_anchors = anchors(tf.shape(maps)[1:3], localizer.stride, localizer.anchor_shapes)
    boxes = decode(codes, tf.cast(of_anchors, codes.dtype))
    boxes = clip(boxes, shapes[:, tf.newaxis])
    # On a canvas there are also anchors beside the picture.
    best = tf.argmax(tf.where(usable(boxes), scores, -float("inf")), axis=-1)
    return tf.gather(boxes, best, batch_dims=2)
