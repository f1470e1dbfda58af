"""What a segmenter computes of a batch in a training step: its losses, image by image."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_resnet.data.mask_keys import IGNORED
from keras_resnet.segmentation.interpolation import resized
from keras_resnet.segmentation.network import FCN

# What `training_values` gives; the first is the loss.
LOSSES = ("loss", "score_loss", "auxiliary_loss", "pixel_error")

# The share of the auxiliary loss, as in PSPNet and torchvision's training.
_AUXILIARY = 0.5


class Batch(NamedTuple):
    """A training batch.

    Attributes:
      inputs: float [b, height, width, channels].
      ids: of the classes of their pixels, uint8 [b, height, width].
    """

    inputs: tf.Tensor
    ids: tf.Tensor


def training_values(model: FCN) -> Callable[[Batch], dict[str, tf.Tensor]]:
    """A function from a training batch to the losses of each image.

    Each is the mean over the pixels that are of a class: so that an image counts alike, whichever
    images it comes with.

    Returns:
      A function of a `Batch` to `loss`, which is the sum of `score_loss` and half of
      `auxiliary_loss`, and `pixel_error`, the share of pixels of another class: [b] each.

    Source: Zhao et al., 2017 (PSPNet), section 3.3: the auxiliary loss.
    """

    def values(batch: Batch) -> dict[str, tf.Tensor]:
        scores, of_inner = model.maps(batch.inputs, training=True)
        shape = tf.shape(batch.ids)[1:]
        counts = tf.not_equal(batch.ids, IGNORED)
        labels = tf.where(counts, tf.cast(batch.ids, tf.int32), 0)
        logits = resized(scores, shape)
        losses = {
            "score_loss": _mean(_cross_entropies(labels, logits), counts),
            "auxiliary_loss": tf.zeros(tf.shape(labels)[:1], logits.dtype),
        }
        if of_inner is not None:
            entropies = _cross_entropies(labels, resized(of_inner, shape))
            losses["auxiliary_loss"] = _mean(entropies, counts)
        wrong = tf.not_equal(tf.argmax(logits, axis=-1, output_type=tf.int32), labels)
        loss = losses["score_loss"] + _AUXILIARY * losses["auxiliary_loss"]
        error = _mean(tf.cast(wrong, logits.dtype), counts)
        return {"loss": loss, **losses, "pixel_error": error}

    return values


def _cross_entropies(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _mean(values: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """Of [b, height, width] the mean over the pixels that count; 0 where none does."""
    total = tf.reduce_sum(tf.where(counts, values, 0), axis=[1, 2])
    number = tf.reduce_sum(tf.cast(counts, values.dtype), axis=[1, 2])
    return tf.math.divide_no_nan(total, number)
