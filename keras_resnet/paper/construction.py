"""The paper's argument by construction: a deeper network need not be worse than a shallower one."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data import batches
from keras_resnet.data.sources import Source
from keras_resnet.networks import layers, resnet
from keras_resnet.networks.inference import inference
from keras_resnet.networks.layer_tree import weights_of_layers
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.networks.stacks import BlockStack


def deeper_copy(model: resnet.ResNet, blocks: Sequence[int]) -> resnet.ResNet:
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
    can_be_identities = config["activation"] == "relu" and (
        config["block"] == "basic"
        if config["shortcut"] is None
        else config["block"] in ("basic", "bottleneck") and config["shortcut"] != "C"
    )
    if not can_be_identities:
        raise UserError(
            "`model` must have shortcuts A or B, or none around basic blocks, and ReLU: no other "
            f"block can be the identity. Received: {model.name!r} with block={config['block']!r}, "
            f"shortcut={config['shortcut']!r}, activation={config['activation']!r}"
        )
    deeper = resnet.ResNet.from_config(
        {**config, "blocks": blocks, "name": f"{model.name}_deeper", "stacked": None}
    )
    copied = weights_of_layers(model)
    for layer in deeper.layers:
        if isinstance(layer, BlockStack):
            _make_identity(layer.block)
            identity = [variable.numpy() for variable in layer.block.variables]
            names = layer.names_of_blocks()
            layer.set_weights_of_blocks([copied.get(name, identity) for name in names])
        elif layer.name in copied:
            for variable, value in zip(layer.variables, copied[layer.name], strict=True):
                variable.assign(value)
        else:
            _make_identity(layer)
    return deeper


def _make_identity(block: layers.Block) -> None:
    """Makes a block the identity of what is not negative, as all its inputs are."""
    if block.shortcut is None:
        _copy_input(block)
    else:
        block.norms[-1].gamma.assign(np.zeros(block.norms[-1].gamma.shape))


def _copy_input(block: layers.Block) -> None:
    """Makes the convolutions of a plain basic block copy their input."""
    for convolution, norm in zip(block.convolutions, block.norms, strict=True):
        kernel = np.zeros(convolution.kernel.shape)
        center = convolution.kernel_size[0] // 2
        kernel[center, center] = np.eye(convolution.filters)
        convolution.kernel.assign(kernel)
        # The moving variance of a new network is 1.
        norm.gamma.assign(np.full(norm.gamma.shape, (1 + norm.epsilon) ** 0.5))


def logits(model: resnet.ResNet, source: Source, batch_size: int = 128) -> np.ndarray:
    """The logits of every image of a source, float [images, classes], in order.

    Args:
      model: `ResNet` with a `preprocessing`.
      source: `Source`.
      batch_size: images at once.

    Raises:
      UserError: an image cannot be read.
    """
    infer = inference(resnet.logits_model(model))
    inputs = batches.evaluation_batches(
        source, batches.labelled(needed_preprocessing(model)), global_batch_size=batch_size
    )
    with batches.faults_named(source, range(len(source))):
        answers = [infer(images) for images, _, _ in inputs]
    return tf.concat(answers, axis=0).numpy()[: len(source)]
