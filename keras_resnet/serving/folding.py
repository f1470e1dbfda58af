"""Batch normalizations folded into the convolutions before them: the same function, faster.

At inference a normalization scales and shifts each channel by constants, which a convolution with a
bias can do by itself.
"""

from collections.abc import Mapping

import keras
import numpy as np

from keras_resnet.networks.layer_tree import layers_by_path, stacks_of_variables
from keras_resnet.networks.layers import BatchNormalization, Convolution
from keras_resnet.networks.resnet import ResNet


def fold_batch_norm(model: ResNet, dtype: str | None = None) -> ResNet:
    """A network without batch normalizations that answers as the given one does at inference.

    Args:
      model: `ResNet`.
      dtype: Keras dtype policy of the result, such as "mixed_bfloat16"; None: the model's.

    Returns:
      `ResNet` with `folded=True`, whose weights are products and sums of the model's, computed in
      float64. It is not to be trained.
    """
    config = {**model.get_config(), "folded": True, "frozen": []}
    network = ResNet.from_config({**config, "dtype": dtype or config["dtype"]})
    if model.get_config()["folded"]:
        network.set_weights(model.get_weights())
        return network
    theirs, ours = stacks_of_variables(model), stacks_of_variables(network)
    folded = layers_by_path(network)
    for path, layer in layers_by_path(model).items():
        if isinstance(layer, Convolution):
            conv, conv_path = layer, path
        elif isinstance(layer, BatchNormalization):
            # The convolution that came last is the one that it follows.
            values = _folded(conv, layer, theirs)
            twin = folded[conv_path]
            for variable, value in zip((twin.kernel, twin.bias), values, strict=True):
                ours.get(id(variable), variable).assign(value)
    if config["include_top"]:
        network.get_layer("fc").set_weights(model.get_layer("fc").get_weights())
    return network


def _folded(
    conv: Convolution, norm: BatchNormalization, stacks: Mapping[int, keras.Variable]
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias that do what a convolution and its normalization do together."""
    variables = (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance, conv.kernel)
    gamma, beta, mean, variance, kernel = (
        stacks.get(id(variable), variable).numpy().astype(np.float64) for variable in variables
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    # In a stack of blocks the first axis is the position of the block.
    return kernel * scale[..., np.newaxis, np.newaxis, np.newaxis, :], beta - mean * scale
