"""What a training of a detector begins with: a network that classifies, or another detector."""

import dataclasses
import os
import pathlib
from typing import TypeAlias

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.detection.files import load_detector
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig
from keras_resnet.texts import harmless
from keras_resnet.training.initial_weights import check_weights_fit, initial_weights
from keras_resnet.weights import keras_files
from keras_resnet.weights.architecture import OF_FUNCTION
from keras_resnet.weights.local import WeightFile
from keras_resnet.weights.names import variables_by_name
from keras_resnet.weights.sets import SETS

# A transparent picture is laid on white, as in classification.
BACKGROUND = (255, 255, 255)

Beginning: TypeAlias = WeightFile | FasterRCNN


def beginning(config: TrainConfig) -> Beginning:
    """What a training begins with: the weights of a network that classifies, or a detector.

    Args:
      config: `TrainConfig` with `weights`.

    Raises:
      UserError: they cannot be had, or do not say what they expect of images.
    """
    assert config.weights is not None
    if config.weights not in SETS and _is_detector(config.weights):
        return load_detector(config.weights)
    return initial_weights(config)


def _is_detector(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a `.keras` file, or a run directory, of a detector."""
    path = pathlib.Path(path)
    if path.suffix != ".keras" and not path.is_dir():
        return False
    file = keras_files.keras_file(path)
    return keras_files.kind_of(file) == FasterRCNN.__name__


def preprocessing_of(weights: Beginning) -> Preprocessing:
    """The `Preprocessing` of a training that begins with weights.

    Colors and interpolation are theirs; pictures are turned by their EXIF, and laid on white.

    Raises:
      UserError: a detector does not say what it expects.
    """
    if weights.preprocessing is None:
        raise UserError("The detector to begin with does not say what it expects of pictures.")
    return dataclasses.replace(weights.preprocessing, exif_orientation=True, background=BACKGROUND)


def check_fits(detector: FasterRCNN, weights: Beginning) -> None:
    """Raises UserError unless a training of a detector can begin with weights."""
    if isinstance(weights, WeightFile):
        check_weights_fit(_network(detector), weights, new_head=True)
        return
    ours, theirs = (each.get_config()["network"] for each in (detector, weights))
    for name in OF_FUNCTION:
        if ours[name] != theirs[name]:
            raise UserError(
                f"The detector to begin with has {name}={theirs[name]!r}, and this one "
                f"{ours[name]!r}: give the flags of its training."
            )
    variables, of_classes = weights.variables_by_name(), _names_of_classes(detector)
    for name, variable in detector.variables_by_name().items():
        if name in of_classes:
            continue
        other = variables.get(name)
        if other is None or other.shape != variable.shape:
            there = "none" if other is None else f"the shape {tuple(other.shape)}"
            raise UserError(
                "The detector to begin with is another one: its "
                f"{name} has {there}, and here {tuple(variable.shape)}: give the flags of its "
                "training (depth, width, anchor_sizes, rpn_channels)."
            )


def begin_with(detector: FasterRCNN, weights: Beginning) -> None:
    """Gives a detector weights; the layers that know the classes, too, if those are equal."""
    variables = detector.variables_by_name()
    if isinstance(weights, WeightFile):
        network = _network(detector)
        weights.assign_to(network, new_head=True)
        values = variables_by_name(network)
        for name, variable in variables.items():
            part, _, inside = name.partition("/")
            if part in ("trunk", "head"):
                variable.assign(values[inside])
        print(f"Beginning with the network of {harmless(str(weights.path))}.", flush=True)
        return
    left_out, others = _names_of_classes(detector), weights.variables_by_name()
    for name, variable in variables.items():
        if name not in left_out:
            variable.assign(others[name])
    new = _take_classes(detector, weights)
    about = f", but for {new} new classes" if new else ""
    print(f"Beginning with the weights of a detector{about}.", flush=True)


def _take_classes(detector: FasterRCNN, other: FasterRCNN) -> int:
    """Gives a detector what another one knows of classes of the same names, in any order.

    Returns:
      The number of classes that the other one does not have.
    """
    ours, theirs = (
        [as_seen(name) for name in each.class_names or ()] for each in (detector, other)
    )
    places = [theirs.index(name) if name in theirs else -1 for name in ours]
    known = [place for place in places if place >= 0]
    if not known:
        return detector.classes
    # Of the scores the first is that of background; of the codes each class has four.
    from_rows = [[0, *(place + 1 for place in known)], _fours(known)]
    own = [number for number, place in enumerate(places) if place >= 0]
    to_rows = [[0, *(number + 1 for number in own)], _fours(own)]
    for layer, source, rows, of_rows in zip(
        detector.of_classes, other.of_classes, to_rows, from_rows, strict=True
    ):
        for variable, given in ((layer.kernel, source.kernel), (layer.bias, source.bias)):
            values = variable.numpy()
            values[..., rows] = given.numpy()[..., of_rows]
            variable.assign(values)
    return len(places) - len(known)


def _fours(places: list[int]) -> list[int]:
    return [4 * place + part for place in places for part in range(4)]


def _names_of_classes(detector: FasterRCNN) -> tuple[str, ...]:
    layers = detector.of_classes
    return tuple(f"{layer.name}/{kind}" for layer in layers for kind in ("kernel", "bias"))


def _network(detector: FasterRCNN) -> ResNet:
    """The network that a detector is made of, with random weights."""
    return ResNet.from_config({**detector.get_config()["network"], "frozen": []})
