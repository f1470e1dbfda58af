"""What a detector computes of a batch in a training step: its losses, image by image."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.boxes import encode
from keras_resnet.detection.network import REGION_SCALES, FasterRCNN
from keras_resnet.detection.proposals import TRAINING, ProposalOptions, proposals
from keras_resnet.detection.sampling import IGNORED, assign, sample

# What `training_values` gives; the first is the sum of the others.
LOSSES = ("loss", "rpn_score_loss", "rpn_box_loss", "score_loss", "box_loss")


class Batch(NamedTuple):
    """A training batch.

    Attributes:
      inputs: float [b, height, width, channels], on their canvas.
      shapes: of the pictures on it, int32 [b, 2].
      boxes: of the objects, in pixels of the canvas, float [b, m, 4]; what fills up has no area.
      labels: their classes, int64 [b, m].
      counts: whether each is one to learn, bool [b, m].
      seeds: int32 [b, 2].
    """

    inputs: tf.Tensor
    shapes: tf.Tensor
    boxes: tf.Tensor
    labels: tf.Tensor
    counts: tf.Tensor
    seeds: tf.Tensor


@dataclasses.dataclass(frozen=True)
class SamplingOptions:
    """How many anchors and regions of each picture are learned from.

    Source: Ren et al., 2015 (Faster R-CNN), sections 3.1.2 and 3.1.3; Girshick, 2015, section 2.3.
    """

    anchors: int = 256
    regions: int = 128
    proposals: ProposalOptions = TRAINING


def training_values(
    detector: FasterRCNN, options: SamplingOptions
) -> Callable[[Batch], dict[str, tf.Tensor]]:
    """A function from a training batch to the losses of each image.

    Returns:
      A function of a `Batch` to `loss`, which is the sum of `rpn_score_loss`, `rpn_box_loss`,
      `score_loss` and `box_loss`: [b] each.
    """

    def values(batch: Batch) -> dict[str, tf.Tensor]:
        maps = detector.trunk(batch.inputs, training=True)
        of_anchors = anchors(tf.shape(maps)[1:3], detector.stride, detector.anchor_shapes)
        scores, codes = detector.propose(maps)
        of_anchors = tf.cast(of_anchors, scores.dtype)
        batch = batch._replace(boxes=tf.cast(batch.boxes, scores.dtype))
        losses = proposal_losses(scores, codes, of_anchors, batch, options.anchors)
        found, is_one = proposals(
            tf.stop_gradient(scores),
            tf.stop_gradient(codes),
            of_anchors,
            batch.shapes,
            options.proposals,
        )
        losses |= _region_losses(detector, maps, found, is_one, batch, options)
        return {"loss": tf.add_n(list(losses.values())), **losses}

    return values


def proposal_losses(
    scores: tf.Tensor, codes: tf.Tensor, of_anchors: tf.Tensor, batch: Batch, number: int
) -> dict[str, tf.Tensor]:
    """The losses of the region proposal network.

    Args:
      scores: of each anchor, that there is an object, logits [b, anchors].
      codes: what makes the object's box of it, see `boxes.encode`, [b, anchors, 4].
      of_anchors: [anchors, 4].
      batch: `Batch`.
      number: of anchors of a picture that are learned from, half of them of objects at most.

    Returns:
      `rpn_score_loss` and `rpn_box_loss`, [b] each.

    Source: Ren et al., 2015 (Faster R-CNN), section 3.1.2.
    """
    assigned = assign(
        of_anchors, batch.boxes, batch.counts, foreground=0.7, background=0.3, forced=True
    )
    # Those that reach beyond the picture are not learned from.
    assigned = tf.where(_within(of_anchors, batch.shapes), assigned, IGNORED)
    places, is_used = sample(assigned, batch.seeds, number=number, positives=number // 2)
    found = tf.gather(assigned, places, batch_dims=1)
    is_object = is_used & (found >= 0)
    logits = tf.gather(scores, places, batch_dims=1)
    score_losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(is_object, logits.dtype), logits)
    targets = encode(_objects(batch.boxes, found), tf.gather(of_anchors, places))
    box_losses = _smooth_l1(tf.gather(codes, places, batch_dims=1) - targets, 1 / 9)
    return {
        "rpn_score_loss": _share(is_used, score_losses, is_used),
        "rpn_box_loss": _share(is_object, box_losses, is_used),
    }


def _region_losses(
    detector: FasterRCNN,
    maps: tf.Tensor,
    found: tf.Tensor,
    is_one: tf.Tensor,
    batch: Batch,
    options: SamplingOptions,
) -> dict[str, tf.Tensor]:
    """The losses of what is said of regions, see `training_values`."""
    # The objects themselves are regions, too: early in a training no other fits.
    regions = tf.concat([found, batch.boxes], axis=1)
    is_one = tf.concat([is_one, batch.counts], axis=1)
    assigned = assign(regions, batch.boxes, batch.counts, foreground=0.5, background=0.5)
    assigned = tf.where(is_one, assigned, IGNORED)
    number = options.regions
    places, is_used = sample(assigned, batch.seeds + 1, number=number, positives=number // 4)
    regions = tf.gather(regions, places, batch_dims=1)
    assigned = tf.gather(assigned, places, batch_dims=1)
    is_object = is_used & (assigned >= 0)
    logits, codes = detector.look(maps, regions, training=True)
    labels = tf.where(is_object, _objects(batch.labels, assigned), 0)
    # Class 0 is background.
    score_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.where(is_object, labels + 1, 0), logits
    )
    targets = encode(_objects(batch.boxes, assigned), regions, REGION_SCALES)
    box_losses = _smooth_l1(tf.gather(codes, labels, axis=2, batch_dims=2) - targets, 1.0)
    return {
        "score_loss": _share(is_used, score_losses, is_used),
        "box_loss": _share(is_object, box_losses, is_used),
    }


def _objects(values: tf.Tensor, assigned: tf.Tensor) -> tf.Tensor:
    """Of [b, m, ...] those of the assigned objects; anything where there is none."""
    return tf.gather(values, tf.maximum(assigned, 0), batch_dims=1)


def _within(boxes: tf.Tensor, shapes: tf.Tensor) -> tf.Tensor:
    """Whether boxes [n, 4] are within pictures of shapes [b, 2], bool [b, n]."""
    height, width = tf.unstack(tf.cast(shapes, boxes.dtype)[:, tf.newaxis], axis=-1)
    is_after = tf.reduce_all(boxes[:, :2] >= 0, axis=-1)
    return is_after & (boxes[:, 2] <= width) & (boxes[:, 3] <= height)


def _smooth_l1(errors: tf.Tensor, beta: float) -> tf.Tensor:
    """Of the four numbers of a box together: squares near 0, and beyond beta the size."""
    size = tf.abs(errors)
    losses = tf.where(size < beta, size**2 / (2 * beta), size - beta / 2)
    return tf.reduce_sum(losses, axis=-1)


def _share(condition: tf.Tensor, values: tf.Tensor, is_used: tf.Tensor) -> tf.Tensor:
    """The sum of the values for which a condition holds, over the number of those used, [b]."""
    total = tf.reduce_sum(tf.where(condition, values, 0), axis=1)
    number = tf.math.count_nonzero(is_used, axis=1, dtype=values.dtype)
    return total / tf.maximum(number, 1)
