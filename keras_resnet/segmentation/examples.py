"""What a segmenter sees of a picture: in training a part of it, scaled and mirrored."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from keras_resnet.data.mask_keys import IGNORED
from keras_resnet.data.masks import MaskTable
from keras_resnet.images.canvas import Canvas, Pictures, mean_color
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.images.resizing import resized
from keras_resnet.segmentation.losses import Batch

# The columns of the random numbers of a picture, see `augmentation.draw`.
_SCALE, _TOP, _LEFT, _MIRROR = 0, 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Variation:
    """How training pictures are varied, besides being mirrored.

    Attributes:
      scales: least and largest, of which one is drawn, times the shorter side of the canvas.
      crop: side of the part that is learned from, in pixels.
    """

    scales: tuple[float, float] = (1.0, 1.0)
    crop: int = 480


class Judged(NamedTuple):
    """What a batch of evaluation has.

    Attributes:
      pictures: `Pictures` for each canvas.
      ids: true classes of the pixels of each picture, row after row, uint8 [b, pixels].
    """

    pictures: tuple[Pictures, ...]
    ids: tf.Tensor


def training_example(
    masks: MaskTable,
    preprocessing: Preprocessing,
    canvas: Canvas,
    variation: Variation = Variation(),
) -> Callable[..., Batch]:
    """What a training batch has of each picture, for `batches.training_batches`.

    The picture is scaled to its canvas times a factor, and a square cut out of it, or laid on where
    it is smaller; pixels beside it are of no class.

    Args:
      masks: `MaskTable` whose rows the labels are.
      preprocessing: `Preprocessing` of the segmenter.
      canvas: `Canvas` of the segmenter.
      variation: `Variation`.

    Returns:
      A function of image, row, index and random numbers to a `Batch` of one picture.
    """
    opened = _opener(masks)
    least, largest = variation.scales

    def example(image: tf.Tensor, row: tf.Tensor, _: tf.Tensor, draws: tf.Tensor) -> Batch:
        pixels, ids = preprocessing.pixels(image), opened(row)
        scale = least + (largest - least) * tf.cast(draws[_SCALE], tf.float64)
        shape = canvas.scaled_shape(tf.shape(pixels)[:2])
        shape = tf.maximum(tf.cast(tf.round(tf.cast(shape, tf.float64) * scale), tf.int32), 1)
        scaled = resized(pixels, shape, preprocessing.interpolation)
        colors = (scaled - mean_color(preprocessing)) / tf.constant(preprocessing.deviation)
        ids = tf.image.resize(ids, shape, "nearest")
        room = tf.cast(tf.maximum(shape - variation.crop, 0) + 1, tf.float32)
        corner = tf.cast(draws[_TOP : _LEFT + 1] * room, tf.int32)
        inputs = _window(colors, corner, variation.crop, 0.0)
        ids = _window(ids, corner, variation.crop, IGNORED)
        is_mirrored = draws[_MIRROR] < 0.5
        inputs, ids = (tf.where(is_mirrored, each[:, ::-1], each) for each in (inputs, ids[..., 0]))
        return Batch(inputs, ids)

    return example


def evaluation_example(
    masks: MaskTable, preprocessing: Preprocessing, canvases: Sequence[Canvas]
) -> Callable[..., Judged]:
    """What a batch of evaluation has of each picture, for `batches.evaluation_batches`.

    Args:
      masks: `MaskTable` whose rows the labels are.
      preprocessing: `Preprocessing` of the segmenter.
      canvases: on which it sees each picture.

    Returns:
      A function of image, row and weight to a `Judged` of one picture.
    """
    opened = _opener(masks)

    def example(image: tf.Tensor, row: tf.Tensor, _: tf.Tensor) -> Judged:
        pixels = preprocessing.pixels(image)
        pictures = tuple(Pictures(*canvas.inputs(pixels, preprocessing)) for canvas in canvases)
        return Judged(pictures, tf.reshape(opened(row), [-1]))

    return example


def _opener(masks: MaskTable) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from a row to its mask, uint8 [height, width, 1]."""
    with tf.device("CPU:0"):
        pngs = tf.constant(masks.pngs, tf.string)
    return lambda row: tf.io.decode_png(pngs[row], channels=1)


def _window(values: tf.Tensor, corner: tf.Tensor, side: int, beside: float) -> tf.Tensor:
    """A square of values [height, width, channels] from a corner on, filled up where it ends."""
    part = values[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    missing = tf.pad((side - tf.shape(part)[:2])[:, tf.newaxis], [[0, 1], [1, 0]])
    whole = tf.pad(part, missing, constant_values=tf.cast(beside, values.dtype))
    return tf.ensure_shape(whole, [side, side, values.shape[-1]])
