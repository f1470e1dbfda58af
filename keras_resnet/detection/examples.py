"""What a detector sees of a picture in training: scaled and mirrored, with its objects."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.data.objects import ObjectTable
from keras_resnet.detection.boxes import mirror
from keras_resnet.detection.losses import Batch
from keras_resnet.images.canvas import Canvas
from keras_resnet.images.preprocessing import Preprocessing

# The columns of the random numbers of a picture, see `augmentation.draw`.
_SCALE, _MIRROR, _SEEDS = 0, 3, slice(5, 7)


def training_example(
    objects: ObjectTable, preprocessing: Preprocessing, canvas: Canvas
) -> Callable[..., Batch]:
    """What a training batch has of each picture, for `batches.training_batches`.

    Args:
      objects: `ObjectTable` whose rows the labels are.
      preprocessing: `Preprocessing` of the detector.
      canvas: `Canvas` of the detector.

    Returns:
      A function of image, row, index and random numbers to a `Batch` of one picture.
    """
    counts = np.diff(objects.splits)
    longest = int(counts.max(initial=1))
    with tf.device("CPU:0"):
        table = [tf.constant(values) for values in (objects.boxes, objects.labels)]
        is_ignored, splits = tf.constant(objects.is_ignored), tf.constant(objects.splits)

    def example(image: tf.Tensor, row: tf.Tensor, _: tf.Tensor, draws: tf.Tensor) -> Batch:
        inputs, shape, own_shape = canvas.inputs(image, preprocessing)
        first, last = splits[row], splits[row + 1]
        beyond = [[0, longest - tf.cast(last - first, tf.int32)]]
        boxes, labels = (values[first:last] for values in table)
        growth = tf.cast(shape / own_shape, tf.float32)
        boxes *= tf.gather(growth, [1, 0, 1, 0])
        is_mirrored = draws[_MIRROR] < 0.5
        boxes = tf.where(is_mirrored, mirror(boxes, shape[1]), boxes)
        inputs = tf.where(is_mirrored, _mirrored(inputs, shape[1]), inputs)
        return Batch(
            inputs,
            shape,
            tf.ensure_shape(tf.pad(boxes, [*beyond, [0, 0]]), [longest, 4]),
            tf.ensure_shape(tf.pad(labels, beyond), [longest]),
            tf.ensure_shape(tf.pad(~is_ignored[first:last], beyond), [longest]),
            # A picture's own: what is drawn for it does not depend on the others of its batch.
            tf.bitcast(draws[_SEEDS], tf.int32),
        )

    return example


def _mirrored(inputs: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """A picture in the corner of its canvas, mirrored within its own width."""
    picture, beside = inputs[:, :width], inputs[:, width:]
    return tf.ensure_shape(tf.concat([picture[:, ::-1], beside], axis=1), inputs.shape)
