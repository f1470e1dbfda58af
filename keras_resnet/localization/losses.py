"""What a localizer computes of a batch in a training step: its losses, image by image."""

from collections.abc import Callable

import tensorflow as tf

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.losses import Batch, proposal_losses
from keras_resnet.localization.network import Localizer

# What `training_values` gives; the first is the sum of the others.
LOSSES = ("loss", "class_loss", "rpn_score_loss", "rpn_box_loss")


def training_values(localizer: Localizer, number: int) -> Callable[[Batch], dict[str, tf.Tensor]]:
    """A function from a training batch to the losses of each image.

    All objects of a picture are of one class, and that class's outputs alone learn from it.

    Args:
      localizer: `Localizer`.
      number: of anchors of a picture that are learned from, half of them of objects at most.

    Returns:
      A function of a `Batch` to `loss`, which is the sum of `class_loss`, `rpn_score_loss` and
      `rpn_box_loss`: [b] each.

    Source: He et al., 2016, appendix C: 8 anchors of each picture.
    """

    def values(batch: Batch) -> dict[str, tf.Tensor]:
        maps = localizer.trunk(batch.inputs, training=True)
        labels = batch.labels[:, 0]
        logits = localizer.classify(maps, batch.shapes, training=True)
        scores, codes = (each[:, 0] for each in localizer.look(maps, labels[:, tf.newaxis]))
        of_anchors = anchors(tf.shape(maps)[1:3], localizer.stride, localizer.anchor_shapes)
        batch = batch._replace(boxes=tf.cast(batch.boxes, scores.dtype))
        losses = {
            "class_loss": tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits),
            **proposal_losses(scores, codes, tf.cast(of_anchors, scores.dtype), batch, number),
        }
        return {"loss": tf.add_n(list(losses.values())), **losses}

    return values
