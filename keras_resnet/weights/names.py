"""The names and layouts that others have for the weights of a residual network.

Ours are paths of layers and their weights, such as `conv2_1/conv1/kernel` and
`conv2_1/shortcut/bn/moving_mean`.
"""

import re

import numpy as np

from keras_resnet.layers import BatchNormalization, Convolution
from keras_resnet.parts import layers_by_path

# What keras.applications adds to a variance, and what we do.
_KERAS_EPSILON = 1.001e-5
_EPSILON = 1e-5

# Ours, and torch's; a batch normalization's count of batches has no use here.
_TORCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def variables_by_name(model):
    """The variables of a `ResNet` by our names, in order.

    Args:
      model: `ResNet` whose blocks are not stacked.
    """
    variables = {}
    for path, layer in layers_by_path(model).items():
        if isinstance(layer, BatchNormalization):
            for name in _TORCH_NORM:
                variables[f"{path}/{name}"] = getattr(layer, name)
        elif isinstance(layer, Convolution) or path == "fc":
            variables[f"{path}/kernel"] = layer.kernel
            if layer.use_bias:
                variables[f"{path}/bias"] = layer.bias
    return variables


# --- torchvision and timm


def torch_name(name):
    """torch's name for one of ours: `layer1.0.downsample.1.running_mean`."""
    path, _, weight = name.rpartition("/")
    match = re.fullmatch(r"conv(\d)_(\d+)/(.+)", path)
    if match:
        stage, position, part = int(match[1]) - 1, int(match[2]) - 1, match[3]
        part = {"shortcut/conv": "downsample.0", "shortcut/bn": "downsample.1"}.get(part, part)
        path = f"layer{stage}.{position}.{part}"
    elif path == "conv1_bn":
        path = "bn1"
    is_norm = "bn" in path or path.endswith("downsample.1")
    return f"{path}.{_TORCH_NORM[weight] if is_norm else {'kernel': 'weight'}.get(weight, weight)}"


def to_torch(name, value):
    """A weight of ours in torch's layout: kernels are [out, in, height, width] or [out, in]."""
    if not name.endswith("/kernel"):
        return value
    return np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T)


def from_torch(name, value):
    """The inverse of `to_torch`."""
    if not name.endswith("/kernel"):
        return value
    return np.ascontiguousarray(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T)


def is_torch(names):
    """Whether the names of weights are those of torchvision and timm."""
    return {"conv1.weight", "layer1.0.conv1.weight"} <= set(names)


# --- keras.applications


def keras_name(name):
    """keras.applications' name of a layer for one of ours, and of the weight in it."""
    path, _, weight = name.rpartition("/")
    match = re.fullmatch(r"conv(\d)_(\d+)/(.+)", path)
    if match:
        part = match[3].removeprefix("shortcut/")
        index = 0 if match[3].startswith("shortcut/") else int(part[-1])
        path = f"conv{match[1]}_block{match[2]}_{index}_{part.rstrip('123')}"
    elif path in ("conv1", "fc"):
        path = {"conv1": "conv1_conv", "fc": "predictions"}[path]
    return path, weight


def is_keras(names):
    """Whether the names of weights, `layer/weight`, are those of keras.applications."""
    return {"conv1_conv/kernel", "conv2_block1_1_conv/kernel"} <= set(names)


def from_keras(names, values):
    """Our weights of keras.applications', by our names.

    Its convolutions have biases, which the means of the normalizations after them can take; it adds
    more to variances; and its images are BGR.

    Args:
      names: ours, of the weights that are wanted.
      values: dict of arrays by `layer/weight`.
    """
    weights = {}
    for name in names:
        layer, weight = keras_name(name)
        value = values["/".join((layer, weight))]
        if weight == "moving_mean":
            conv = f"{layer.removesuffix('_bn')}_conv"
            value = value - values[f"{conv}/bias"]
        elif weight == "moving_variance":
            value = value + np.float32(_KERAS_EPSILON - _EPSILON)
        elif name == "conv1/kernel":
            value = value[:, :, ::-1]
        weights[name] = value
    return weights
