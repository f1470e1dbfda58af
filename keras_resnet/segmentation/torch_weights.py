"""The segmentation networks of torchvision, from the files of their weights."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.networks.resnet import ResNet
from keras_resnet.segmentation.network import FCN, RATES
from keras_resnet.weights import names
from keras_resnet.weights.architecture import architecture
from keras_resnet.weights.damage import explained
from keras_resnet.weights.pth import read_pth
from keras_resnet.weights.sets import weight_set

# Those of PASCAL VOC, which their published weights have learned, in alphabetical order.
CLASS_NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)

_BACKBONE = "backbone."

# torchvision's name of a layer, and ours.
_LAYERS = {
    **{f"aux_classifier.{place}": f"auxiliary/{name}" for place, name in enumerate(("conv", "bn"))},
    "aux_classifier.4": "auxiliary/scores",
    "classifier.4": "head/scores",
}
_OF_FCN = {"classifier.0": "head/conv", "classifier.1": "head/bn"}
_OF_DEEPLAB = {
    "classifier.0.convs.0.0": "head/near_conv",
    "classifier.0.convs.0.1": "head/near_bn",
    **{
        f"classifier.0.convs.{place}.{part}": f"head/rate{rate}_{name}"
        for place, rate in enumerate(RATES, 1)
        for part, name in enumerate(("conv", "bn"))
    },
    "classifier.0.convs.4.1": "head/everywhere_conv",
    "classifier.0.convs.4.2": "head/everywhere_bn",
    "classifier.0.project.0": "head/joined_conv",
    "classifier.0.project.1": "head/joined_bn",
    "classifier.1": "head/conv",
    "classifier.2": "head/bn",
}


def is_segmenter(values: Mapping[str, object]) -> bool:
    """Whether the names of weights are those of torchvision's FCN or DeepLabV3."""
    return {f"{_BACKBONE}conv1.weight", "classifier.4.weight"} <= values.keys()


def read_segmenter(path: str | os.PathLike[str]) -> FCN:
    """The network of a `.pth` file of torchvision's FCN or DeepLabV3, with its weights.

    It expects of pictures what all of them do; of 21 classes the names are those of PASCAL VOC.

    Raises:
      UserError: the file is damaged, or of another network.
    """
    return segmenter_of(read_pth(path), pathlib.Path(path))


def segmenter_of(values: Mapping[str, np.ndarray], path: pathlib.Path) -> FCN:
    """The same of arrays by torchvision's names, that are of a file."""
    if not is_segmenter(values):
        raise UserError(f"{path} must hold an FCN or a DeepLabV3 of torchvision.")
    with explained(path, "is of another network"):
        weights = _named(values)
        model = FCN(**_arguments(weights))
        variables = model.variables_by_name()
        if variables.keys() != weights.keys():
            raise ValueError(f"{min(variables.keys() ^ weights.keys())} is in one of both only")
        for name, variable in variables.items():
            if weights[name].shape != tuple(variable.shape):
                raise ValueError(f"{name} has the shape {weights[name].shape}")
            if not np.isfinite(weights[name]).all():
                raise ValueError(f"{name} is not finite")
        for name, variable in variables.items():
            variable.assign(weights[name])
    return model


def _named(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights by our names."""
    inside = {
        name.removeprefix(_BACKBONE): value
        for name, value in values.items()
        if name.startswith(_BACKBONE)
    }
    weights = {f"trunk/{name}": value for name, value in names.from_torch(inside).items()}
    is_deeplab = "classifier.0.project.0.weight" in values
    layers = {**_LAYERS, **(_OF_DEEPLAB if is_deeplab else _OF_FCN)}
    for theirs, value in values.items():
        if theirs.startswith(_BACKBONE) or theirs.endswith(names.TORCH_COUNT):
            continue
        layer = theirs.rpartition(".")[0]
        if layer not in layers:
            raise ValueError(f"{theirs[:100]!r} is no weight of these networks")
        weights |= names.from_torch_layer(theirs, layers[layer], value)
    return weights


def _arguments(weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Those of `FCN`."""
    inside = {
        name.removeprefix("trunk/"): value
        for name, value in weights.items()
        if name.startswith("trunk/")
    }
    found = architecture(inside)
    network = ResNet(
        **{**found, "include_top": False},
        bottleneck_stride="3x3" if found["block"] == "bottleneck" else None,
        input_shape=(None, None, inside["conv1/kernel"].shape[2]),
        preprocessing=weight_set("torchvision/v1", 50).preprocessing,
        name="backbone",
    )
    classes = weights["head/scores/kernel"].shape[-1]
    return {
        "network": network,
        "classes": classes,
        "rates": RATES if any(re.match("head/rate", name) for name in weights) else (),
        "auxiliary": "auxiliary/scores/kernel" in weights,
        "class_names": CLASS_NAMES if classes == len(CLASS_NAMES) else None,
    }
