"""A faster network for serving, and by how much it may answer differently."""

import dataclasses

import keras
import numpy as np

from keras_resnet import checks
from keras_resnet.classification import protocols
from keras_resnet.data.sources import Source
from keras_resnet.networks.resnet import ResNet
from keras_resnet.serving.folding import fold_batch_norm
from keras_resnet.serving.options import OPTIMIZATIONS


@dataclasses.dataclass(frozen=True)
class Optimized:
    """A network with folded batch normalizations, and how differently it answers.

    Attributes:
      network: the `ResNet`.
      precision: what it computes in, of `OPTIMIZATIONS`.
      dataset: name of the data set and its split.
      images: number of images compared, all of the data set's.
      largest: largest difference of a probability, 0 to 1.
      agreement: share of images with the same most probable class, 0 to 1.
    """

    network: keras.Model
    precision: str
    dataset: str
    images: int
    largest: float
    agreement: float

    def describe(self) -> str:
        """How it computes, and how differently it answers."""
        return (
            "Batch normalizations are folded into the convolutions; it computes in "
            f"{self.precision}. On all {self.images:,} images of {self.dataset} its probabilities "
            f"differ from the trained network's by at most {self.largest:.2g}, and the most "
            f"probable class is the same for {self.agreement:.2%}."
        )


def optimize(
    model: ResNet,
    precision: str,
    source: Source,
    dataset: str,
    max_difference: float | None = None,
) -> Optimized:
    """The same network in a faster form, compared with the given one on a data set.

    Args:
      model: `ResNet` with a `preprocessing`.
      precision: "float32" or "bfloat16": what it computes in.
      source: `Source` on whose images both answer.
      dataset: name of the data set and its split, for the record.
      max_difference: largest difference of a probability that is accepted; None: that of
        `OPTIMIZATIONS`.

    Returns:
      `Optimized`.

    Raises:
      UserError: the difference is larger, or a value is not supported.
    """
    checks.check_one_of("optimize", precision, tuple(OPTIMIZATIONS))
    policy, accepted = OPTIMIZATIONS[precision]
    if max_difference is not None:
        checks.check_number("max_difference", max_difference, 0)
        accepted = max_difference
    network = fold_batch_norm(model, policy)
    theirs, _ = protocols.answers(model, source)
    ours, _ = protocols.answers(network, source)
    optimized = Optimized(
        network=network,
        precision=precision,
        dataset=dataset,
        images=len(theirs),
        largest=float(np.abs(ours - theirs).max()),
        agreement=float(np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1))),
    )
    if optimized.largest > accepted:
        raise checks.UserError(
            f"The optimized network differs by {optimized.largest:.2g} in a probability on "
            f"{dataset}, more than {accepted:g} (top-1 agrees on {optimized.agreement:.2%} of "
            f"{optimized.images} images). Export without --optimize, or accept more by "
            "--max_difference."
        )
    return optimized
