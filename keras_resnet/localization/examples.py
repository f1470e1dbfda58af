"""What a localizer is evaluated on: pictures, and the class of each."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_resnet.data.objects import ObjectTable
from keras_resnet.images.canvas import Canvas
from keras_resnet.images.preprocessing import Preprocessing


class Judged(NamedTuple):
    """What a batch of evaluation has.

    Attributes:
      inputs, shapes, own_shapes: see `canvas.Pictures`.
      labels: true classes, int64 [b].
    """

    inputs: tf.Tensor
    shapes: tf.Tensor
    own_shapes: tf.Tensor
    labels: tf.Tensor


def evaluation_example(
    objects: ObjectTable, preprocessing: Preprocessing, canvas: Canvas
) -> Callable[..., Judged]:
    """What a batch of evaluation has of each picture, for `batches.evaluation_batches`.

    Args:
      objects: `ObjectTable` whose rows the labels are; of each picture all are of one class.
      preprocessing: `Preprocessing` of the localizer.
      canvas: `Canvas` of the localizer.

    Returns:
      A function of image, row and weight to a `Judged` of one picture.
    """
    with tf.device("CPU:0"):
        labels = tf.constant(objects.labels[objects.splits[:-1]])

    def example(image: tf.Tensor, row: tf.Tensor, _: tf.Tensor) -> Judged:
        pixels = preprocessing.pixels(image)
        return Judged(*canvas.inputs(pixels, preprocessing), labels[row])

    return example
