"""What a network is made of, also inside of its blocks: finding, freezing and setting parts."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_resnet import checks
from keras_resnet.networks import layers, variants
from keras_resnet.networks.stacks import BlockStack


def layers_by_path(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """All layers, also those inside of blocks, by names such as conv2_1/shortcut/bn."""
    by_path: dict[str, keras.layers.Layer] = {}

    def parts(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
        if isinstance(layer, keras.Model):
            return layer.layers
        return layers.parts(layer.block if isinstance(layer, BlockStack) else layer)

    def add(layer: keras.layers.Layer, prefix: str) -> None:
        for part in parts(layer):
            by_path[prefix + part.name] = part
            add(part, f"{prefix}{part.name}/")

    add(model, "")
    return by_path


def follow_blocks(model: keras.Model) -> None:
    """Makes known to the stacks what was frozen in their blocks."""
    for layer in layers_by_path(model).values():
        if isinstance(layer, BlockStack):
            layer.follow_block()


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """All batch normalizations of a Keras model, also those inside of blocks, in order."""
    return [
        layer
        for layer in layers_by_path(model).values()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def stacks_of_variables(model: keras.Model) -> dict[int, keras.Variable]:
    """For the id of each variable of a stacked block the variable that holds it for all blocks."""
    return {
        id(variable): stack
        for layer in layers_by_path(model).values()
        if isinstance(layer, BlockStack)
        for variable, stack in zip(layer.block.variables, layer.stacks, strict=True)
    }


def moving_statistics(model: keras.Model) -> list[tuple[keras.Variable, keras.Variable]]:
    """The moving mean and variance of each batch normalization, pairs of variables in order.

    Those inside of a stack are of all of its blocks at once.
    """
    of_stacks = stacks_of_variables(model)
    return [
        tuple(of_stacks.get(id(v), v) for v in (norm.moving_mean, norm.moving_variance))
        for norm in batch_norms(model)
    ]


def freeze_batch_norm(model: keras.Model) -> keras.Model:
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


def freeze_stages(model: keras.Model, last: str) -> keras.Model:
    """Makes conv1 and the stages up to one keep their weights and statistics.

    Compile the model after it.

    Args:
      model: `ResNet`.
      last: the last stage to freeze: "conv1", "conv2" (conv1 and conv2_x), ..., "conv5".

    Returns:
      The model.

    Raises:
      UserError: the network has no such stage.
    """
    stages = sorted({layer.name[:5] for layer in model.layers if layer.name.startswith("conv")})
    checks.check_one_of("freeze", last, stages)
    for layer in model.layers:
        if layer.name.startswith("conv") and layer.name[:5] <= last:
            layer.trainable = False
    return model


def weights_of_layers(model: keras.Model) -> dict[str, Sequence[np.ndarray]]:
    """The weights of each layer by its name, arrays; those of stacked blocks by the blocks' names.

    Args:
      model: `ResNet`.
    """
    weights: dict[str, Sequence[np.ndarray]] = {}
    for layer in model.layers:
        if isinstance(layer, BlockStack):
            names = layer.names_of_blocks()
            weights.update(zip(names, layer.weights_of_blocks(), strict=True))
        else:
            weights[layer.name] = [variable.numpy() for variable in layer.variables]
    return weights


def zero_last_gammas(model: keras.Model) -> None:
    """Sets the scale of the last normalization of each residual block to 0: it is the identity.

    Blocks without a shortcut are left as they are: with 0 they would never learn.

    Raises:
      UserError: F(x) = 0 does not make a block the identity, or keeps it from learning: those of
        `variants` that compute ReLU(F(x)) + x or ReLU(F(x) + x^2).

    Source: Goyal et al., 2017, section 5.1.
    """
    for layer in model.layers:
        block = layer.block if isinstance(layer, BlockStack) else layer
        if not isinstance(block, layers.Block) or block.shortcut is None:
            continue
        if isinstance(block, (variants.OuterAdditionBlock, variants.SquaredShortcutBlock)):
            raise checks.UserError(
                "`zero_last_gamma` must be False for blocks that do not end in ReLU(F(x) + x). "
                f"Received: blocks of type {type(block).__name__}"
            )
        gamma = block.norms[-1].gamma
        gamma = layer.stack_of(gamma) if isinstance(layer, BlockStack) else gamma
        gamma.assign(np.zeros(gamma.shape))
