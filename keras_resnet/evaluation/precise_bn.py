"""Statistics of batch normalizations over many images, instead of moving averages."""

import numpy as np
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.data import batches
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.networks.layer_tree import batch_norms, moving_statistics
from keras_resnet.networks.resnet import ResNet, needed_preprocessing


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
    checks.check_integer("precise_bn", num_images, 2)
    if num_images > len(source):
        raise checks.UserError(
            f"`precise_bn` must be at most {len(source)}, the number of training images. "
            f"Received: precise_bn={num_images}"
        )
    batch_size = min(batch_size, num_images)
    num_images -= num_images % batch_size
    # A folder is sorted by class, and a batch of one class has other moments than one of all.
    order = np.random.default_rng(0).permutation(len(source))[:num_images]
    source = SubsetSource(source, order)
    inputs = batches.evaluation_batches(
        source, batches.labelled(needed_preprocessing(model)), global_batch_size=batch_size
    )
    pairs = moving_statistics(model)
    sums = [[0.0, 0.0] for _ in pairs]
    norms = batch_norms(model)
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            # The moving statistics of a step are then those of its batch.
            norm.momentum = 0.0
        observe = tf.function(lambda images: model(images, training=True))
        with batches.faults_named(source, range(len(source))):
            for images, _, _ in inputs:
                observe(images)
                for sums_of_pair, pair in zip(sums, pairs, strict=True):
                    mean, variance = (value.numpy().astype(np.float64) for value in pair)
                    sums_of_pair[0] += mean
                    sums_of_pair[1] += variance + mean**2
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    num_batches = num_images // batch_size
    for (mean, variance), (means, squares) in zip(pairs, sums, strict=True):
        mean.assign(means / num_batches)
        variance.assign(squares / num_batches - (means / num_batches) ** 2)
    return num_images
