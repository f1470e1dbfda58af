"""What a network is made of, also inside of its blocks: finding, freezing and setting parts."""

import keras
import numpy as np

from keras_resnet import checks, layers
from keras_resnet.stacks import BlockStack


def layers_by_path(model):
    """All layers, also those inside of blocks, by names such as conv2_1/shortcut/bn."""
    by_path = {}

    def parts(layer):
        if isinstance(layer, keras.Model):
            return layer.layers
        return layers.parts(layer.block if isinstance(layer, BlockStack) else layer)

    def add(layer, prefix):
        for part in parts(layer):
            by_path[prefix + part.name] = part
            add(part, f"{prefix}{part.name}/")

    add(model, "")
    return by_path


def follow_blocks(model):
    """Makes known to the stacks what was frozen in their blocks."""
    for layer in layers_by_path(model).values():
        if isinstance(layer, BlockStack):
            layer.follow_block()


def batch_norms(model):
    """All batch normalizations of a Keras model, also those inside of blocks, in order."""
    return [
        layer
        for layer in layers_by_path(model).values()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def freeze_batch_norm(model):
    """Makes every batch normalization keep and use its moving statistics, and its scale and offset.

    For fine-tuning on few images or in small batches. It reaches those inside of blocks, which
    `model.layers` does not show. Compile the model after it.

    Args:
      model: Keras model, such as a `ResNet` or one that holds its layers.

    Returns:
      The model.

    Raises:
      UserError: it holds no batch normalization.

    Source: detection with fixed batch normalization, He et al., 2016, appendix A.
    """
    if not isinstance(model, keras.Model):
        raise checks.UserError(f"`model` must be a Keras model. Received: {model!r}")
    norms = batch_norms(model)
    if not norms:
        raise checks.UserError(
            f"`model` must hold batch normalizations, in itself, in models or in blocks. Received: "
            f"{model.name!r}, which holds none of them there."
        )
    for norm in norms:
        norm.trainable = False
    follow_blocks(model)
    return model


def weights_of_layers(model):
    """The weights of each layer by its name, arrays; those of stacked blocks by the blocks' names.

    Args:
      model: `ResNet`.
    """
    weights = {}
    for layer in model.layers:
        if isinstance(layer, BlockStack):
            names = layer.names_of_blocks()
            weights.update(zip(names, layer.weights_of_blocks(), strict=True))
        else:
            weights[layer.name] = [variable.numpy() for variable in layer.variables]
    return weights


def zero_last_gammas(model):
    """Sets the scale of the last normalization of each residual block to 0: it is the identity.

    Source: Goyal et al., 2017, section 5.1.
    """
    for layer in model.layers:
        if isinstance(layer, BlockStack):
            last = layer.stack_of(layer.block.norms[-1].gamma)
        elif isinstance(layer, layers.Block):
            last = layer.norms[-1].gamma
        else:
            continue
        last.assign(np.zeros(last.shape))
