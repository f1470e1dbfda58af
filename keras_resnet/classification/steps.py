"""What a classifier computes of a batch: in a training step its loss, in evaluation its answers."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.networks.inference import inference
from keras_resnet.networks.resnet import logits_model


def training_values(
    network: keras.Model, label_smoothing: float = 0.0, class_weights: np.ndarray | None = None
) -> Callable[[tuple[tf.Tensor, tf.Tensor]], dict[str, tf.Tensor]]:
    """A function from a training batch to the cross-entropy and whether the answer is right.

    Args:
      network: `ResNet` with its top.
      label_smoothing: share of the target that is spread evenly over all classes.
      class_weights: by which the loss of a picture is multiplied, [classes]; None: 1.

    Returns:
      A function of (images, labels) to `loss` [b], in the logits' dtype, and `top1` (int64) [b].
    """
    logits_of = logits_model(network)

    def values(batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        images, labels = batch
        logits = logits_of(images, training=True)
        hits = tf.equal(tf.argmax(logits, axis=-1), labels)
        loss = _cross_entropy(labels, logits, label_smoothing)
        if class_weights is not None:
            loss *= tf.gather(tf.constant(class_weights, loss.dtype), labels)
        return {"loss": loss, "top1": tf.cast(hits, tf.int64)}

    return values


def answers(
    network: keras.Model,
) -> Callable[[tuple[tf.Tensor, tf.Tensor, tf.Tensor]], dict[str, tf.Tensor]]:
    """A function from a batch of evaluation to what is to be known of each of its images.

    Args:
      network: `ResNet` with its top.

    Returns:
      A function of (images, labels, weights) to `loss` (float64), the cross-entropy, and `top1`
      and, of more than five classes, `top5` (bool), whether the label is among the most probable
      classes: [b] each.
    """
    logits_of = logits_model(network)
    infer = inference(logits_of)

    def values(batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        images, labels, _ = batch
        logits = infer(images)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        scores = tf.cast(logits, tf.float32)
        hits = {
            f"top{k}": tf.math.in_top_k(labels, scores, k)
            for k in (1, 5)
            # Among the first five of five classes is every one.
            if k == 1 or k < logits.shape[-1]
        }
        return {"loss": tf.cast(losses, tf.float64), **hits}

    return values


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float) -> tf.Tensor:
    if not label_smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    targets = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return keras.losses.categorical_crossentropy(
        targets, logits, from_logits=True, label_smoothing=label_smoothing
    )
