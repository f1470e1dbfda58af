"""What a training of a network with a backbone begins with: a network that classifies, or another
of its kind.

Detectors and segmenters are such networks.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import keras

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig
from keras_resnet.texts import harmless
from keras_resnet.training.initial_weights import check_weights_fit, initial_weights
from keras_resnet.weights import keras_files
from keras_resnet.weights.architecture import OF_FUNCTION
from keras_resnet.weights.local import WeightFile
from keras_resnet.weights.names import HEAD, variables_by_name
from keras_resnet.weights.sets import NAMES

# A transparent picture is laid on white, as in classification.
BACKGROUND = (255, 255, 255)


class Composite(Protocol):
    """A network with a backbone.

    Attributes:
      backbone_parts: names of the parts that are the backbone's.
      class_names: of its classes, in order; None: they have none.
      preprocessing: what it expects of pictures.
    """

    backbone_parts: Sequence[str]
    class_names: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    classes: int

    def variables_by_name(self) -> dict[str, keras.Variable]:
        """All variables by our names, such as trunk/conv1/kernel."""

    def rows_of_classes(self, places: Sequence[int]) -> dict[str, list[int]]:
        """Which outputs of the layers that know the classes are those of some classes, in order.

        Args:
          places: numbers of classes.

        Returns:
          By the name of each such layer; first come the outputs that are of no class.
        """

    def get_config(self) -> dict[str, Any]:
        """With that of the network under "network"."""


Beginning: TypeAlias = WeightFile | Composite


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of networks with a backbone.

    Attributes:
      name: of its class, as files have it.
      noun: for people, such as "detector".
      load: gives one of a run directory or of a `.keras` file.
      flags: of a training, that say how large one is.
      classifier: name of the layer that tells the class of a whole picture, as the network to begin
        with does; None: there is none.
    """

    name: str
    noun: str
    load: Callable[[str | os.PathLike[str]], Composite]
    flags: str
    classifier: str | None = None

    def beginning(self, config: TrainConfig) -> Beginning:
        """What a training begins with.

        Args:
          config: `TrainConfig` with `weights`.

        Raises:
          UserError: it cannot be had, or does not say what it expects of images.
        """
        assert config.weights is not None
        if config.weights not in NAMES and self._is_one(config.weights):
            return self.load(config.weights)
        return initial_weights(config)

    def _is_one(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is a `.keras` file, or a run directory, of such a network."""
        path = pathlib.Path(path)
        if path.suffix != ".keras" and not path.is_dir():
            return False
        return keras_files.kind_of(keras_files.keras_file(path)) == self.name

    def preprocessing_of(self, weights: Beginning) -> Preprocessing:
        """The `Preprocessing` of a training that begins with weights.

        Colors and interpolation are theirs; pictures are turned by their EXIF, and laid on white.

        Raises:
          UserError: they do not say what they expect.
        """
        if weights.preprocessing is None:
            raise UserError(
                f"The {self.noun} to begin with does not say what it expects of pictures."
            )
        return dataclasses.replace(
            weights.preprocessing, exif_orientation=True, background=BACKGROUND
        )

    def check_fits(self, model: Composite, weights: Beginning) -> None:
        """Raises UserError unless a training of a network can begin with weights."""
        if isinstance(weights, WeightFile):
            check_weights_fit(_backbone(model), weights, new_head=True)
            return
        ours, theirs = (each.get_config()["network"] for each in (model, weights))
        for name in OF_FUNCTION:
            if ours[name] != theirs[name]:
                raise UserError(
                    f"The {self.noun} to begin with has {name}={theirs[name]!r}, and this one "
                    f"{ours[name]!r}: give the flags of its training."
                )
        variables, of_classes = weights.variables_by_name(), _names_of_classes(model)
        for name, variable in model.variables_by_name().items():
            if name in of_classes:
                continue
            other = variables.get(name)
            if other is None or other.shape != variable.shape:
                there = "none" if other is None else f"the shape {tuple(other.shape)}"
                raise UserError(
                    f"The {self.noun} to begin with is another one: its {name} has {there}, and "
                    f"here {tuple(variable.shape)}: give the flags of its training ({self.flags})."
                )

    def begin_with(self, model: Composite, weights: Beginning) -> None:
        """Gives a network weights; the layers that know the classes, too, as far as those agree."""
        variables = model.variables_by_name()
        if isinstance(weights, WeightFile):
            network = _backbone(model)
            weights.assign_to(network, new_head=True)
            values = variables_by_name(network)
            for name, variable in variables.items():
                part, _, inside = name.partition("/")
                if part in model.backbone_parts:
                    variable.assign(values[inside])
            print(f"Beginning with the network of {harmless(str(weights.path))}.", flush=True)
            if self.classifier is not None:
                _take_classifier(model, weights, self.classifier)
            return
        left_out, others = _names_of_classes(model), weights.variables_by_name()
        for name, variable in variables.items():
            if name not in left_out:
                variable.assign(others[name])
        new = _take_classes(model, weights)
        about = f", but for {new} new classes" if new else ""
        print(f"Beginning with the weights of a {self.noun}{about}.", flush=True)


def _take_classes(model: Composite, other: Composite) -> int:
    """Gives a network what another one knows of classes of the same names, in any order.

    Returns:
      The number of classes that the other one does not have.
    """
    ours, theirs = ([as_seen(name) for name in each.class_names or ()] for each in (model, other))
    places = [theirs.index(name) if name in theirs else -1 for name in ours]
    known = [place for place in places if place >= 0]
    if not known:
        return model.classes
    own = [number for number, place in enumerate(places) if place >= 0]
    from_rows, to_rows = other.rows_of_classes(known), model.rows_of_classes(own)
    variables, others = model.variables_by_name(), other.variables_by_name()
    for layer, rows in to_rows.items():
        for kind in ("kernel", "bias"):
            variable = variables[f"{layer}/{kind}"]
            values = variable.numpy()
            values[..., rows] = others[f"{layer}/{kind}"].numpy()[..., from_rows[layer]]
            variable.assign(values)
    return len(places) - len(known)


def _take_classifier(model: Composite, weights: WeightFile, layer: str) -> None:
    """Gives a layer what a network that classifies knows of classes of the same names."""
    known = [as_seen(name) for name in weights.class_names or ()]
    kernel, bias = (weights.weights.get(name) for name in HEAD)
    if kernel is None or bias is None or len(known) != len(bias):
        return
    ours = [as_seen(name) for name in model.class_names or ()]
    own = [number for number, name in enumerate(ours) if name in known]
    theirs = [known.index(ours[number]) for number in own]
    variables = model.variables_by_name()
    for kind, values in (("kernel", kernel), ("bias", bias)):
        variable = variables[f"{layer}/{kind}"]
        of_ours = variable.numpy()
        of_ours[..., own] = values[..., theirs]
        variable.assign(of_ours)
    if own:
        print(f"Its classifier knows {len(own)} of the {model.classes} classes.", flush=True)


def _names_of_classes(model: Composite) -> set[str]:
    return {f"{layer}/{kind}" for layer in model.rows_of_classes([]) for kind in ("kernel", "bias")}


def _backbone(model: Composite) -> ResNet:
    """The network that another one is made of, with random weights."""
    return ResNet.from_config({**model.get_config()["network"], "frozen": []})
