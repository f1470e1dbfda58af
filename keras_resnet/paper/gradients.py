"""Norms of gradients through the depth of a network: whether any vanish (section 4.1)."""

import types
from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.data import batches
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.networks import layers
from keras_resnet.networks.resnet import ResNet, logits_model, needed_preprocessing
from keras_resnet.networks.stacks import BlockStack

# Of so many batches the mean is taken.
BATCHES = 10


def gradient_norms(model: ResNet, source: Source, batch_size: int = 128) -> dict[str, float]:
    """The L2 norm of the gradient of each 3x3 kernel, the mean of that of some batches.

    The gradient is that of the cross-entropy of a batch, as a training step computes it, without
    augmentation and L2 term. The moving statistics of the model change.

    Args:
      model: `ResNet` with a classifier and a `preprocessing`.
      source: `Source` of the training images, of which as many as there are, at most
        `BATCHES` * batch_size, are drawn at random, always the same ones.
      batch_size: images of a batch, at most those of the source.

    Returns:
      dict of float by name, such as conv2_1/conv2, in the order of the layers.

    Raises:
      UserError: an image cannot be read.

    Source: He et al., 2016, section 4.1.
    """
    batch_size = min(batch_size, len(source))
    number = min(BATCHES, len(source) // batch_size) * batch_size
    order = np.random.default_rng(0).permutation(len(source))[:number]
    source = SubsetSource(source, order)
    norms_of = _norms_function(model)
    inputs = batches.evaluation_batches(
        source, batches.labelled(needed_preprocessing(model)), global_batch_size=batch_size
    )
    with batches.faults_named(source, range(len(source))):
        of_batches = [norms_of(images, labels).numpy() for images, labels, _ in inputs]
    names = [name for name, _, _ in _kernels(model)]
    return dict(zip(names, np.mean(of_batches, axis=0).tolist(), strict=True))


def _norms_function(model: ResNet) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function of images and labels to the norms of the gradients of `_kernels`, float [n]."""
    network, kernels = logits_model(model), list(_kernels(model))
    variables = {id(variable): variable.value for _, variable, _ in kernels}

    @tf.function
    def norms_of(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, variables)
        return tf.stack([tf.norm(gradients[id(v)][place]) for _, v, place in kernels])

    return norms_of


def _kernels(
    model: ResNet,
) -> Iterator[tuple[str, keras.Variable, int | types.EllipsisType]]:
    """Yields of each 3x3 layer, in order, its name, and the variable and the place of its kernel.

    Stacked blocks have one variable, whose first axis is the block; other kernels are all of it.
    """
    if model.get_layer("conv1").kernel_size == (3, 3):
        yield "conv1", model.get_layer("conv1").kernel, ...
    for layer in model.layers:
        is_stack = isinstance(layer, BlockStack)
        block = layer.block if is_stack else layer
        if not isinstance(block, layers.Block):
            continue
        names = layer.names_of_blocks() if is_stack else [layer.name]
        for place, name in enumerate(names):
            for conv in block.convolutions:
                if conv.kernel_size == (3, 3):
                    kernel = layer.stack_of(conv.kernel) if is_stack else conv.kernel
                    yield f"{name}/{conv.name}", kernel, place if is_stack else ...


def summary(label: str, step: int, norms: Mapping[str, float]) -> dict[str, object]:
    """A row for a network after some steps: its first and last norm, the extremes, their ratio."""
    values = list(norms.values())
    return {
        "network": label,
        "step": step,
        "3x3 layers": len(values),
        "first": float(f"{values[0]:.4g}"),
        "last": float(f"{values[-1]:.4g}"),
        "smallest": float(f"{min(values):.4g}"),
        "largest": float(f"{max(values):.4g}"),
        # Layers that are dead have none.
        "largest / smallest": float(f"{max(values) / min(values):.4g}") if min(values) else None,
    }
