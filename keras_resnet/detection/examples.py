"""What a detector sees of a picture: scaled, on its canvas, in training cropped and mirrored."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.data.objects import ObjectTable
from keras_resnet.detection.boxes import area, clip, mirror
from keras_resnet.detection.losses import Batch
from keras_resnet.images.canvas import Canvas, Pictures
from keras_resnet.images.preprocessing import Preprocessing

# The columns of the random numbers of a picture, see `augmentation.draw`.
_SCALE, _MIRROR, _SEEDS = 0, 3, slice(5, 7)

# The seed of a picture, and the one after it, are those of its anchors and regions.
_SEED_OF_CROP = 2


@dataclasses.dataclass(frozen=True)
class Variation:
    """How training pictures are varied, besides being mirrored.

    Attributes:
      shorter_sides: of which one is drawn for each picture, in pixels; none: that of the canvas.
      crop: least share of each side that is kept, above 0 to 1.
    """

    shorter_sides: tuple[int, ...] = ()
    crop: float = 1.0


def training_example(
    objects: ObjectTable,
    preprocessing: Preprocessing,
    canvas: Canvas,
    variation: Variation = Variation(),
) -> Callable[..., Batch]:
    """What a training batch has of each picture, for `batches.training_batches`.

    Args:
      objects: `ObjectTable` whose rows the labels are.
      preprocessing: `Preprocessing` of the detector.
      canvas: `Canvas` of the detector.
      variation: `Variation`.

    Returns:
      A function of image, row, index and random numbers to a `Batch` of one picture.
    """
    counts = np.diff(objects.splits)
    longest = int(counts.max(initial=1))
    with tf.device("CPU:0"):
        table = [tf.constant(values) for values in (objects.boxes, objects.labels)]
        is_ignored, splits = tf.constant(objects.is_ignored), tf.constant(objects.splits)

    def example(image: tf.Tensor, row: tf.Tensor, _: tf.Tensor, draws: tf.Tensor) -> Batch:
        first, last = splits[row], splits[row + 1]
        boxes, labels = (values[first:last] for values in table)
        to_learn = ~is_ignored[first:last]
        # A picture's own: what is drawn for it does not depend on the others of its batch.
        seed = tf.bitcast(draws[_SEEDS], tf.int32)
        pixels = preprocessing.pixels(image)
        if variation.crop < 1:
            pixels, boxes, is_within = _cropped(pixels, boxes, seed, variation.crop)
            to_learn &= is_within
        shorter = _drawn(variation.shorter_sides, draws[_SCALE])
        inputs, shape, own_shape = canvas.inputs(pixels, preprocessing, shorter)
        growth = tf.cast(shape / own_shape, tf.float32)
        boxes *= tf.gather(growth, [1, 0, 1, 0])
        is_mirrored = draws[_MIRROR] < 0.5
        boxes = tf.where(is_mirrored, mirror(boxes, shape[1]), boxes)
        inputs = tf.where(is_mirrored, _mirrored(inputs, shape[1]), inputs)
        beyond = [[0, longest - tf.cast(last - first, tf.int32)]]
        return Batch(
            inputs,
            shape,
            tf.ensure_shape(tf.pad(boxes, [*beyond, [0, 0]]), [longest, 4]),
            tf.ensure_shape(tf.pad(labels, beyond), [longest]),
            tf.ensure_shape(tf.pad(to_learn, beyond), [longest]),
            seed,
        )

    return example


def evaluation_example(
    preprocessing: Preprocessing, canvases: Sequence[Canvas]
) -> Callable[..., tuple[Pictures, ...]]:
    """What a batch of evaluation has of each picture, for `batches.evaluation_batches`.

    Args:
      preprocessing: `Preprocessing` of the detector.
      canvases: on which it sees each picture.

    Returns:
      A function of image, row and weight to `Pictures` of one picture, for each canvas.
    """

    def example(image: tf.Tensor, *_: tf.Tensor) -> tuple[Pictures, ...]:
        pixels = preprocessing.pixels(image)
        return tuple(Pictures(*canvas.inputs(pixels, preprocessing)) for canvas in canvases)

    return example


def _drawn(shorter_sides: tuple[int, ...], draw: tf.Tensor) -> tf.Tensor | None:
    """One of some sides, for a random number; None where there are none."""
    if not shorter_sides:
        return None
    place = tf.cast(draw * len(shorter_sides), tf.int32)
    return tf.constant(shorter_sides)[place]


def _cropped(
    pixels: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor, least: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A random window of a picture, what is left of boxes there, and whether their centers are.

    Args:
      pixels: uint8 [height, width, channels].
      boxes: float32 [objects, 4].
      seed: int32 [2].
      least: share of each side that is kept at least.
    """
    shares, places = tf.split(tf.random.stateless_uniform([4], seed + _SEED_OF_CROP), 2)
    sides = tf.cast(tf.shape(pixels)[:2], tf.float32)
    kept = tf.maximum(tf.round(sides * (least + (1 - least) * shares)), 1)
    corner = tf.floor(places * (sides - kept + 1))
    window = tf.slice(
        pixels,
        tf.concat([tf.cast(corner, tf.int32), [0]], 0),
        tf.concat([tf.cast(kept, tf.int32), [-1]], 0),
    )
    boxes -= tf.gather(corner, [1, 0, 1, 0])
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    is_within = tf.reduce_all((centers >= 0) & (centers < kept[::-1]), axis=1)
    left = clip(boxes, kept)
    # What nothing is seen of is no box, and not one without area in some place.
    return window, tf.where(area(left)[:, tf.newaxis] > 0, left, 0), is_within


def _mirrored(inputs: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """A picture in the corner of its canvas, mirrored within its own width."""
    picture, beside = inputs[:, :width], inputs[:, width:]
    return tf.ensure_shape(tf.concat([picture[:, ::-1], beside], axis=1), inputs.shape)
