"""The paper's argument by construction: a deeper network need not be worse than a shallower one."""

import numpy as np
import tensorflow as tf

from keras_resnet import batches, models
from keras_resnet.checks import UserError


def deeper_copy(model, blocks):
    """A network with more blocks that computes the same function as a given one.

    The blocks of the given network are copied, and each block that is added to a stage is made the
    identity: with a shortcut by a last normalization of scale 0, without one by kernels that copy
    their center.

    Args:
      model: `ResNet`, trained or not.
      blocks: number of blocks of each stage, at least as many as the model has.

    Returns:
      A `ResNet` that differs in `blocks` and name alone.

    Raises:
      UserError: a stage would lose blocks, or an added block cannot be the identity (option C, and
        bottlenecks without shortcuts).

    Source: He et al., 2016, section 1.
    """
    config = model.get_config()
    if len(blocks) != len(config["blocks"]) or any(
        more < fewer for more, fewer in zip(blocks, config["blocks"], strict=True)
    ):
        raise UserError(
            f"`blocks` must be at least {tuple(config['blocks'])}, those of the model. "
            f"Received: blocks={tuple(blocks)!r}"
        )
    if config["shortcut"] == "C" or (config["shortcut"] is None and config["block"] != "basic"):
        raise UserError(
            "`model` must have shortcuts A or B, or none around basic blocks: no other block can "
            f"be the identity. Received: {model.name!r} with shortcut={config['shortcut']!r}"
        )
    deeper = models.ResNet.from_config({**config, "blocks": blocks, "name": f"{model.name}_deeper"})
    copied = {layer.name: layer for layer in model.layers}
    for layer in deeper.layers:
        if layer.name in copied:
            layer.set_weights(copied[layer.name].get_weights())
        elif config["shortcut"] is None:
            _copy_input(layer)
        else:
            layer.norms[-1].gamma.assign(np.zeros(layer.norms[-1].gamma.shape))
    return deeper


def _copy_input(block):
    """Makes a plain basic block the identity of what is not negative, as all its inputs are."""
    for convolution, norm in zip(block.convolutions, block.norms, strict=True):
        kernel = np.zeros(convolution.kernel.shape)
        center = convolution.kernel_size[0] // 2
        kernel[center, center] = np.eye(convolution.filters)
        convolution.kernel.assign(kernel)
        # The moving variance of a new network is 1.
        norm.gamma.assign(np.full(norm.gamma.shape, (1 + norm.epsilon) ** 0.5))


def logits(model, source, batch_size=128):
    """The logits of every image of a source, float [images, classes], in order.

    Args:
      model: `ResNet` with a `preprocessing`.
      source: `Source`.
      batch_size: images at once.

    Raises:
      UserError: an image cannot be read.
    """
    network = models.logits_model(model)
    inputs = batches.evaluation_batches(
        source, model.preprocessing, global_batch_size=batch_size, num_replicas=1
    )
    with batches.faults_named(source, range(len(source))):
        answers = [network(images, training=False) for images, _, _ in inputs]
    return tf.concat(answers, axis=0).numpy()[: len(source)]
