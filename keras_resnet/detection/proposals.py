"""From what a region proposal network says of each anchor to regions worth a look."""

import dataclasses
from typing import Self

import tensorflow as tf

from keras_resnet.detection.boxes import clip, decode
from keras_resnet.detection.suppression import suppressed, usable


@dataclasses.dataclass(frozen=True)
class ProposalOptions:
    """How many regions are looked at.

    Attributes:
      before: of each picture, the best ones that go into suppression.
      after: that are left at most.
      overlap: intersection over union above which one of two is dropped.

    Source: Ren et al., 2015 (Faster R-CNN), section 3.3.
    """

    before: int
    after: int
    overlap: float = 0.7

    @classmethod
    def of_training(cls, number: int) -> Self:
        """Of the 12,000 best anchors 2,000 regions, or in that proportion."""
        return cls(6 * number, number)

    @classmethod
    def of_testing(cls, number: int) -> Self:
        """Of the 6,000 best anchors 300 regions, or in that proportion."""
        return cls(20 * number, number)


TRAINING = ProposalOptions.of_training(2_000)


def proposals(
    scores: tf.Tensor,
    codes: tf.Tensor,
    anchors: tf.Tensor,
    shapes: tf.Tensor,
    options: ProposalOptions,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The regions that are most likely to hold an object.

    Args:
      scores: of each anchor, float [n, anchors].
      codes: what makes a region of it, see `boxes.encode`, float [n, anchors, 4].
      anchors: float [anchors, 4].
      shapes: height and width of the pictures, int [n, 2]; regions do not reach beyond.
      options: `ProposalOptions`.

    Returns:
      float [n, after, 4], the best first, and whether each is one, bool [n, after].
    """
    before = tf.minimum(options.before, tf.shape(scores)[1])
    regions = clip(decode(codes, anchors), shapes)
    scores = tf.where(usable(regions), scores, -float("inf"))
    scores, places = tf.math.top_k(scores, before)
    regions = tf.gather(regions, places, batch_dims=1)
    kept, counts = suppressed(regions, scores, options.overlap, options.after)
    is_one = tf.range(options.after) < counts[:, tf.newaxis]
    kept_regions = tf.gather(regions, kept, batch_dims=1)
    return tf.where(is_one[..., tf.newaxis], kept_regions, 0), is_one
