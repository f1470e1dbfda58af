"""Figure 7: how strongly the layers of a trained network respond."""

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from keras_resnet.data import batches
from keras_resnet.data.sources import Source
from keras_resnet.networks import layers
from keras_resnet.networks.resnet import ResNet, needed_preprocessing
from keras_resnet.networks.stacks import BlockStack


def responses(model: ResNet, source: Source, batch_size: int = 128) -> dict[str, float]:
    """Standard deviation of the response of each 3x3 layer, over all images, places and channels.

    The response is what comes of the batch normalization that follows the convolution, before the
    nonlinearity or the addition.

    Args:
      model: `ResNet` with a `preprocessing`.
      source: `Source`.
      batch_size: images at once; the result does not depend on it.

    Returns:
      dict of float by name, such as conv2_1/conv2, in the order of the layers.

    Raises:
      UserError: an image cannot be read.

    Source: He et al., 2016, Figure 7.
    """
    names: list[str] = []

    @tf.function
    def sums(images: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        names.clear()
        found = []
        for name, response in _responses(model, images):
            names.append(name)
            found.append(_moments(response, weights))
        return tf.stack(found)

    # Not one alone: see `inference`.
    inputs = batches.evaluation_batches(
        source, batches.labelled(needed_preprocessing(model)), global_batch_size=max(2, batch_size)
    )
    total = np.zeros(())
    with batches.faults_named(source, range(len(source))):
        for images, _, weights in inputs:
            total = total + sums(images, weights).numpy()
    values, values_squared, count = total.T
    deviations = np.sqrt(values_squared / count - (values / count) ** 2)
    return dict(zip(names, deviations.tolist(), strict=True))


def _moments(response: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Sum, sum of squares and number of the values of the images of weight 1."""
    values = tf.boolean_mask(tf.cast(response, tf.float64), weights > 0)
    count = tf.size(values, tf.int64)
    return tf.stack([tf.reduce_sum(values), tf.reduce_sum(values**2), tf.cast(count, tf.float64)])


def _responses(model: ResNet, x: tf.Tensor) -> Iterator[tuple[str, tf.Tensor]]:
    """Yields name and response of each 3x3 layer, in order."""
    for layer in model.layers[1:]:
        if isinstance(layer, layers.Block):
            yield from _block_responses(layer, layer.name, x)
        elif isinstance(layer, BlockStack):
            for position, name in enumerate(layer.names_of_blocks()):
                with layer.block_at(position) as block:
                    yield from _block_responses(block, name, x)
                    x = block(x, training=False)
            continue
        x = layer(x, training=False) if layer.name == "conv1_bn" else layer(x)
        if layer.name == "conv1_bn" and model.get_layer("conv1").kernel_size == (3, 3):
            yield "conv1", x


def _block_responses(
    block: layers.Block, name: str, x: tf.Tensor
) -> Iterator[tuple[str, tf.Tensor]]:
    for convolution, norm in zip(block.convolutions, block.norms, strict=True):
        response = norm(convolution(x), training=False)
        if convolution.kernel_size == (3, 3):
            yield f"{name}/{convolution.name}", response
        x = block.activate(response)


def summary(label: str, deviations: Mapping[str, float]) -> dict[str, object]:
    """A row for a network: its number of 3x3 layers and their deviations in short."""
    values = list(deviations.values())
    return {
        "network": label,
        "3x3 layers": len(values),
        "mean": round(float(np.mean(values)), 4),
        "median": round(float(np.median(values)), 4),
        "largest": round(max(values), 4),
        "smallest": round(min(values), 4),
    }
