"""A network's answers beside those of the framework that its weights are of."""

import sys
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.networks.families import IMAGENET_TABLE
from keras_resnet.networks.resnet import ResNet, logits_model
from keras_resnet.weights import conversion
from keras_resnet.weights.architecture import architecture, name_of
from keras_resnet.weights.local import WeightFile

# torchvision's networks.
_PEERS = [f"resnet{depth}" for depth in IMAGENET_TABLE]


def inputs_of(model: ResNet, paths: Sequence[str]) -> np.ndarray | None:
    """The inputs of a network for pictures in files, float32 [n, size, size, channels]."""
    if not paths:
        return None
    if model.preprocessing is None:
        raise UserError("--images needs a network with a preprocessing: --like=SET.")
    return model.preprocessing(list(paths)).numpy()


def compare(file: WeightFile, model: ResNet, inputs: np.ndarray) -> str:
    """A line about how much logits differ from those of the framework that a file is of."""
    if file.framework is None:
        return "The weights are ours: there is no other framework to compare with."
    if file.framework == "keras.applications":
        theirs = _of_applications(file, model, inputs)
    elif "torchvision" not in sys.modules:
        return "torchvision is not installed: its logits are not compared."
    else:
        answers = _of_torchvision(file, model, inputs)
        if answers is None:
            return "torchvision has no such network: logits are not compared."
        theirs = answers
    ours = logits_model(model).predict(inputs, verbose=0)
    difference, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    return (
        f"Largest difference from the logits of {file.framework}: {difference:.2g} of "
        f"{largest:.4g}, {len(inputs)} pictures"
    )


def _of_applications(file: WeightFile, model: ResNet, inputs: np.ndarray) -> np.ndarray:
    """Logits of keras.applications with the weights of the file itself."""
    network = conversion.applications_network(model)
    network.load_weights(file.path)
    # Its images are BGR.
    return network.predict(inputs[..., ::-1], verbose=0)


def _of_torchvision(file: WeightFile, model: ResNet, inputs: np.ndarray) -> np.ndarray | None:
    """Logits of torchvision with the weights of the file itself; None: it has no such network."""
    import safetensors.torch
    import torch
    import torchvision

    config, name = model.get_config(), name_of(architecture(file.weights))
    facts = config["shortcut"], config["activation"], config["bottleneck_stride"]
    if facts not in (("B", "relu", "3x3"), ("B", "relu", None)) or name not in _PEERS:
        return None
    network = getattr(torchvision.models, name)(num_classes=model.classes).eval()
    if file.path.suffix == ".safetensors":
        state = safetensors.torch.load_file(file.path)
    else:
        state = torch.load(file.path, weights_only=True)
        state = state.get("state_dict", state.get("model", state))
    network.load_state_dict(state)
    with torch.no_grad():
        return network(torch.from_numpy(inputs.transpose(0, 3, 1, 2).copy())).numpy()
