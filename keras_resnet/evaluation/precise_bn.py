"""Statistics of batch normalizations over many images, instead of moving averages."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.data import batches
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.networks.layer_tree import batch_norms, moving_statistics
from keras_resnet.networks.resnet import ResNet, needed_preprocessing


class Moments:
    """Mean and variance of many values, from those of parts of them that are equally large."""

    def __init__(self) -> None:
        self._parts = 0
        self._means: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0

    def add(self, mean: np.ndarray, variance: np.ndarray) -> None:
        """Takes up a part: arrays of one shape."""
        mean, variance = mean.astype(np.float64), variance.astype(np.float64)
        self._parts += 1
        self._means += mean
        self._squares += variance + mean**2

    def of_all(self) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Mean and variance of all parts, float64."""
        mean = self._means / self._parts
        return mean, self._squares / self._parts - mean**2


@contextlib.contextmanager
def without_memory(norms: Sequence[keras.layers.BatchNormalization]) -> Iterator[None]:
    """Within the context the moving statistics of a training step are those of its batch."""
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def set_precise_statistics(
    model: ResNet, source: Source, num_images: int, batch_size: int = 128
) -> int:
    """Replaces the moving statistics by those of images: averages of batches, all of one weight.

    The moving averages follow the last batches of training, and their weights. As the authors did,
    mean and variance are computed anew when training has ended, by the network that it gave.

    Args:
      model: `ResNet` with a `preprocessing`; those of its normalizations that are frozen keep what
        they have.
      source: `Source` of the training images, which are seen as in evaluation.
      num_images: number of images, drawn at random; rounded down to whole batches.
      batch_size: images at once.

    Returns:
      Number of images used.

    Raises:
      UserError: `num_images` is below 2 or above what there is, or an image cannot be read.

    Source: He et al., 2016, release notes ("BN statistics computed on many training images").
    """
    num_images = checks.check_integer("precise_bn", num_images, 2)
    if num_images > len(source):
        raise checks.UserError(
            f"`precise_bn` must be at most {len(source)}, the number of training images. "
            f"Received: precise_bn={num_images}"
        )
    batch_size = min(checks.check_integer("batch_size", batch_size, 1), num_images)
    num_images -= num_images % batch_size
    # A folder is sorted by class, and a batch of one class has other moments than one of all.
    order = np.random.default_rng(0).permutation(len(source))[:num_images]
    source = SubsetSource(source, order)
    inputs = batches.evaluation_batches(
        source, batches.labelled(needed_preprocessing(model)), global_batch_size=batch_size
    )
    pairs = moving_statistics(model)
    moments = [Moments() for _ in pairs]
    observe = tf.function(lambda images: model(images, training=True))
    with (
        without_memory(batch_norms(model)),
        batches.faults_named(source, range(len(source))),
    ):
        for images, _, _ in inputs:
            observe(images)
            for of_norm, (mean, variance) in zip(moments, pairs, strict=True):
                of_norm.add(mean.numpy(), variance.numpy())
    for (mean, variance), of_norm in zip(pairs, moments, strict=True):
        of_mean, of_variance = of_norm.of_all()
        mean.assign(of_mean)
        variance.assign(of_variance)
    return num_images
