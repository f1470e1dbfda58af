"""The names and layouts that others have for the weights of a residual network.

Ours are paths of layers and their weights, such as `conv2_1/conv1/kernel` and
`conv2_1/shortcut/bn/moving_mean`.
"""

import re
from collections.abc import Iterable, Mapping

import keras
import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.networks.layer_tree import layers_by_path
from keras_resnet.networks.layers import BatchNormalization, Convolution
from keras_resnet.networks.resnet import ResNet
from keras_resnet.networks.stacks import BlockStack

# What keras.applications adds to a variance, and what we do.
_KERAS_EPSILON = 1.001e-5
_EPSILON = 1e-5

OF_CONVOLUTION = ("kernel", "bias")
OF_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
HEAD = ("fc/kernel", "fc/bias")
_TORCH_OF_CONVOLUTION = ("weight", "bias")
_TORCH_OF_NORM = ("weight", "bias", "running_mean", "running_var")

# Torch counts the batches that a normalization has seen, which has no use here.
TORCH_COUNT = "num_batches_tracked"


def is_norm(path: str) -> bool:
    """Whether a layer of ours is a batch normalization: conv1_bn, bn2, shortcut/bn."""
    return "bn" in path.rpartition("/")[2]


def variables_by_name(model: ResNet) -> dict[str, keras.Variable]:
    """The variables of a `ResNet` by our names, in order.

    Those of stacked blocks, which only we have, are numbered: `conv2_2-200/0`.
    """
    variables: dict[str, keras.Variable] = {}
    stacks: list[str] = []
    for path, layer in layers_by_path(model).items():
        if isinstance(layer, BlockStack):
            stacks.append(path)
            # In the order in which Keras saves them.
            variables.update((f"{path}/{place}", v) for place, v in enumerate(layer.variables))
        elif path.partition("/")[0] in stacks:
            continue  # What stands in a stack for all of its blocks.
        elif isinstance(layer, BatchNormalization):
            variables.update((f"{path}/{name}", getattr(layer, name)) for name in OF_NORM)
        elif isinstance(layer, Convolution) or path == "fc":
            variables[f"{path}/kernel"] = layer.kernel
            if layer.use_bias:
                variables[f"{path}/bias"] = layer.bias
    return variables


# --- torchvision and timm


def to_torch(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of ours, arrays by name, with the names and layouts of torchvision and timm.

    Their kernels are [out, in, height, width] or [out, in].

    Raises:
      UserError: blocks are stacked, which have no names there.
    """
    return {
        _torch_name(name): _turned(value, (3, 2, 0, 1)) if name.endswith("/kernel") else value
        for name, value in weights.items()
    }


def from_torch(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of `to_torch`.

    Raises:
      UserError: a name is none of a residual network.
    """
    weights: dict[str, np.ndarray] = {}
    for theirs, value in values.items():
        if not theirs.endswith(TORCH_COUNT):
            weights |= from_torch_layer(theirs, _path_of_torch(theirs), value)
    return weights


def from_torch_layer(theirs: str, path: str, value: np.ndarray) -> dict[str, np.ndarray]:
    """A weight of a layer, by our name and in our layout.

    Args:
      theirs: torch's name of the weight, which ends in what it is of its layer: running_mean.
      path: our name of the layer.
      value: the array.

    Raises:
      UserError: such a layer has no such weight.
    """
    ours = dict(
        zip(_TORCH_OF_NORM, OF_NORM, strict=True)
        if is_norm(path)
        else zip(_TORCH_OF_CONVOLUTION, OF_CONVOLUTION, strict=True)
    )
    weight = theirs.rpartition(".")[2]
    if weight not in ours:
        raise UserError(f"{theirs[:100]!r} is no weight of a residual network.")
    is_kernel = ours[weight] == "kernel"
    return {f"{path}/{ours[weight]}": _turned(value, (2, 3, 1, 0)) if is_kernel else value}


def is_torch(names: Iterable[str]) -> bool:
    """Whether the names of weights are those of torchvision and timm."""
    return {"conv1.weight", "layer1.0.conv1.weight"} <= set(names)


def _turned(kernel: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.ascontiguousarray(kernel.transpose(axes) if kernel.ndim == 4 else kernel.T)


def _torch_name(name: str) -> str:
    """torch's name for one of ours: `layer1.0.downsample.1.running_mean`."""
    path, _, weight = name.rpartition("/")
    match = re.fullmatch(r"conv(\d)_(\d+)/(.+)", path)
    if match:
        part: dict[str, str] | str
        part = {"shortcut/conv": "downsample.0", "shortcut/bn": "downsample.1"}
        part = part.get(match[3], match[3])
        theirs = f"layer{int(match[1]) - 1}.{int(match[2]) - 1}.{part}"
    elif path in ("conv1", "conv1_bn", "fc"):
        theirs = {"conv1_bn": "bn1"}.get(path, path)
    else:
        raise UserError(f"Stacked blocks have no names in torchvision and timm. Received: {name}")
    if is_norm(path):
        return f"{theirs}.{_TORCH_OF_NORM[OF_NORM.index(weight)]}"
    return f"{theirs}.{_TORCH_OF_CONVOLUTION[OF_CONVOLUTION.index(weight)]}"


def _path_of_torch(theirs: str) -> str:
    """Our name of a layer for torch's of one of its weights."""
    path = theirs.rpartition(".")[0]
    match = re.fullmatch(r"layer(\d)\.(0|[1-9]\d{0,3})\.(?:(conv\d|bn\d)|downsample\.([01]))", path)
    if match:
        part = match[3] or ("shortcut/conv", "shortcut/bn")[int(match[4])]
        return f"conv{int(match[1]) + 1}_{int(match[2]) + 1}/{part}"
    if path not in ("conv1", "bn1", "fc"):
        raise UserError(f"{theirs[:100]!r} is no weight of a residual network.")
    return {"bn1": "conv1_bn"}.get(path, path)


# --- keras.applications


def to_keras(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of ours, arrays by name, with the names of keras.applications, `layer/weight`.

    Its convolutions have biases, here zeros; it adds more to variances; and its images are BGR.

    Raises:
      UserError: the network is none of bottlenecks.
    """
    values = {}
    for name, value in weights.items():
        layer, weight = _keras_name(name)
        if weight == "kernel" and layer.endswith("_conv"):
            values[f"{layer}/bias"] = np.zeros(value.shape[-1:], value.dtype)
        if weight == "moving_variance":
            value = value - np.float32(_KERAS_EPSILON - _EPSILON)
        elif name == "conv1/kernel":
            value = np.ascontiguousarray(value[:, :, ::-1])
        values[f"{layer}/{weight}"] = value
    return values


def from_keras(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inverse of `to_keras`; the means of normalizations take biases before them.

    Raises:
      UserError: a name is none of a residual network.
    """
    weights = {}
    for theirs, value in values.items():
        name = _name_of_keras(theirs)
        if name.endswith("/bias") and name != "fc/bias":
            continue
        if name.endswith("/moving_mean"):
            layer = theirs.rpartition("/")[0].removesuffix("_bn")
            value = value - values.get(f"{layer}_conv/bias", np.float32(0))
        elif name.endswith("/moving_variance"):
            value = value + np.float32(_KERAS_EPSILON - _EPSILON)
        elif name == "conv1/kernel":
            value = np.ascontiguousarray(value[:, :, ::-1])
        weights[name] = value
    return weights


def is_keras(names: Iterable[str]) -> bool:
    """Whether the names of weights, `layer/weight`, are those of keras.applications."""
    return {"conv1_conv/kernel", "conv2_block1_1_conv/kernel"} <= set(names)


def _keras_name(name: str) -> tuple[str, str]:
    """keras.applications' name of a layer for one of ours, and of the weight in it."""
    path, _, weight = name.rpartition("/")
    match = re.fullmatch(r"conv(\d)_(\d+)/(shortcut/)?(conv|bn)(\d?)", path)
    if match:
        return f"conv{match[1]}_block{match[2]}_{match[5] or 0}_{match[4]}", weight
    if path not in ("conv1", "conv1_bn", "fc"):
        raise UserError(f"Stacked blocks have no names in keras.applications. Received: {name}")
    return {"conv1": "conv1_conv", "fc": "predictions"}.get(path, path), weight


def _name_of_keras(theirs: str) -> str:
    """Our name for one of keras.applications'."""
    path, _, weight = theirs.rpartition("/")
    match = re.fullmatch(r"conv(\d)_block([1-9]\d{0,3})_(\d)_(conv|bn)", path)
    if match:
        part = f"shortcut/{match[4]}" if match[3] == "0" else f"{match[4]}{match[3]}"
        path = f"conv{match[1]}_{match[2]}/{part}"
    elif path in ("conv1_conv", "conv1_bn", "predictions"):
        path = {"conv1_conv": "conv1", "predictions": "fc"}.get(path, path)
    else:
        raise UserError(f"{theirs[:100]!r} is no weight of a residual network.")
    if weight not in (OF_NORM if is_norm(path) else OF_CONVOLUTION):
        raise UserError(f"{theirs[:100]!r} is no weight of a residual network.")
    return f"{path}/{weight}"
