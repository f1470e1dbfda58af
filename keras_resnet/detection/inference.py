"""What a detector finds in pictures."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.boxes import clip, decode
from keras_resnet.detection.detections import detections
from keras_resnet.detection.network import REGION_SCALES, FasterRCNN
from keras_resnet.detection.proposals import ProposalOptions, proposals
from keras_resnet.detection.suppression import usable
from keras_resnet.images.canvas import Canvas, Pictures
from keras_resnet.images.canvases import Values, by_canvas


def finder(
    detector: FasterRCNN,
    *,
    canvases: Sequence[Canvas] = (),
    refined: bool = False,
    voting: bool = False,
) -> Callable[..., Values]:
    """A function from pictures to what is found in each.

    Regions are proposed, the detector looks at each, and suppression leaves what it is sure of.
    There is more to choose from when it looks twice, or at several scales.

    Args:
      detector: `FasterRCNN`.
      canvases: those on which it sees each picture; without, its own one alone. The boxes of all
        join before suppression. (The paper has the regions of one scale looked at on the maps of
        two, and takes the maximum of the features.)
      refined: whether it looks again at the boxes that it made of the regions, each as the class
        that is most likely there. The boxes of both looks join before suppression.
      voting: see `detections.detections`.

    Returns:
      A function of one `Pictures` for each canvas, of the same pictures, to `boxes`, in pixels of
      the picture itself, float32 [b, 100, 4]; `scores`, the highest first, float32 [b, 100];
      `classes`, int32 [b, 100]; and `count`, how many of them were found, int32 [b].

    Source: He et al., 2016, appendix A: box refinement and multi-scale testing.
    """
    options = ProposalOptions.of_testing(detector.proposals)
    shape = [0, (2 if refined else 1) * options.after, detector.classes]

    def of_canvas(pictures: Pictures) -> Values:
        maps = detector.trunk(pictures.inputs, training=False)
        regions, is_one = _regions(detector, maps, pictures.shapes, options)
        looks = [_look(detector, maps, regions, is_one, pictures.shapes)]
        if refined:
            regions = _likely_boxes(*looks[0])
            looks.append(_look(detector, maps, regions, is_one & usable(regions), pictures.shapes))
        probabilities, boxes = (tf.concat(parts, axis=1) for parts in zip(*looks, strict=True))
        return {"probabilities": probabilities, "boxes": boxes}

    dtype = detector.variable_dtype
    nothing = {
        "probabilities": tf.TensorSpec(shape, dtype),
        "boxes": tf.TensorSpec([*shape, 4], dtype),
    }
    looks_on = [by_canvas(of_canvas, canvas, nothing) for canvas in canvases or [detector.canvas]]

    def find(*of_canvases: Pictures) -> Values:
        # All boxes in pixels of the first canvas.
        first, probabilities, boxes = of_canvases[0], [], []
        for look_on, pictures in zip(looks_on, of_canvases, strict=True):
            part = look_on(pictures)
            growth = _growth(pictures.shapes, first.shapes, dtype)
            boxes.append(part["boxes"] * growth[:, tf.newaxis, tf.newaxis])
            probabilities.append(part["probabilities"])
        found, scores, classes, count = detections(
            tf.concat(probabilities, axis=1), tf.concat(boxes, axis=1), voting
        )
        growth = _growth(first.shapes, first.own_shapes, dtype)
        return {
            "boxes": tf.cast(found * growth[:, tf.newaxis], tf.float32),
            "scores": tf.cast(scores, tf.float32),
            "classes": classes,
            "count": count,
        }

    return find


def _regions(
    detector: FasterRCNN, maps: tf.Tensor, shapes: tf.Tensor, options: ProposalOptions
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the detector proposes to look at, see `proposals`."""
    of_anchors = anchors(tf.shape(maps)[1:3], detector.stride, detector.anchor_shapes)
    scores, codes = detector.propose(maps)
    return proposals(scores, codes, tf.cast(of_anchors, scores.dtype), shapes, options)


def _look(
    detector: FasterRCNN,
    maps: tf.Tensor,
    regions: tf.Tensor,
    is_one: tf.Tensor,
    shapes: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Of each region and class the probability, 0 where it is no region, and the box."""
    logits, codes = detector.look(maps, regions)
    probabilities = tf.nn.softmax(logits)[..., 1:]
    probabilities = tf.where(is_one[..., tf.newaxis], probabilities, 0)
    boxes = decode(codes, regions[:, :, tf.newaxis], REGION_SCALES)
    return probabilities, clip(boxes, shapes[:, tf.newaxis])


def _likely_boxes(probabilities: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Of the boxes of each region that of its most likely class, [n, regions, 4]."""
    return tf.gather(boxes, tf.argmax(probabilities, axis=-1), batch_dims=2)


def _growth(shapes: tf.Tensor, to_shapes: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """What boxes are multiplied by when pictures get other heights and widths, [b, 4]."""
    return tf.gather(tf.cast(to_shapes / shapes, dtype), [1, 0, 1, 0], axis=1)
