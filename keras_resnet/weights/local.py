"""Weights of a file, whoever wrote it, into a network; and a network's weights into a file."""

import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import safetensors
import safetensors.numpy

from keras_resnet import checks
from keras_resnet.checks import UserError
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.resnet import ResNet
from keras_resnet.weights import keras_files, names
from keras_resnet.weights.architecture import OF_FUNCTION, architecture, describe, name_of
from keras_resnet.weights.damage import explained
from keras_resnet.weights.download import fetched
from keras_resnet.weights.packaged import PACKAGED, packaged_file
from keras_resnet.weights.pth import read_pth
from keras_resnet.weights.sets import NAMES, family_of, weight_set

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".h5", ".weights.h5", ".keras")

_OF_HEAD = " The weights have `classes`={}; include_top=False leaves the classifier out."

# Metadata of our .safetensors files: the arguments of `ResNet` as JSON.
_CONFIG = "keras_resnet"


def open_weights(
    weights: str | os.PathLike[str], network: str | None = None, depth: int | None = None
) -> "WeightFile":
    """The `WeightFile` that the argument `weights` of a constructor means.

    Args:
      weights: a name of `sets.NAMES`, or a path; see `WeightFile`.
      network: the family of a network that is as it is by default, such as "ResNet"; None: of
        another one, which no name has weights of.
      depth: number of its layers with weights.

    Raises:
      UserError: there is no such set or file, or it cannot be had or read.
    """
    if weights not in NAMES:
        return WeightFile(weights)
    name = str(weights)
    depth = depth if network == family_of(name) else None
    if name in PACKAGED:
        return WeightFile(packaged_file(name, depth))
    published = weight_set(name, depth)
    path = fetched(published.url, published.digest, file_name=published.file_name)
    file = WeightFile(path)
    file.bottleneck_stride = published.bottleneck_stride
    file.preprocessing = published.preprocessing
    file.class_names = imagenet_synsets()
    return file


class WeightFile:
    """The weights in a file, read whole.

    Args:
      path: a `.safetensors` or `.pth` file with the names of torchvision and timm, a `.h5` file of
        keras.applications, a `.weights.h5` or `.keras` file of ours, or a run directory.

    Attributes:
      path: of the file.
      framework: whose names it has: "torchvision" (also timm's), "keras.applications"; None: ours.
      weights: dict of arrays by our names.
      config: arguments of `ResNet`, as its `get_config` gives them; None: the file does not say it.
      bottleneck_stride: the place of the stride in bottlenecks, "1x1" or "3x3"; None: likewise.
      preprocessing: `Preprocessing` of the network; None: likewise.
      class_names: tuple of strings; None: likewise.

    Raises:
      UserError: the file is missing, damaged or of another kind.
    """

    path: pathlib.Path
    framework: str | None
    weights: dict[str, np.ndarray]
    config: dict[str, Any] | None
    bottleneck_stride: str | None
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...] | None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = pathlib.Path(checks.check_local("weights", path))
        if path.is_dir():
            path = keras_files.keras_file(path)
        if not path.is_file():
            raise UserError(
                f"`weights` must be one of {', '.join(map(repr, NAMES))}, or the path of a file or "
                f"run directory. Received: weights={str(path)!r}"
            )
        if path.suffix not in SUFFIXES:
            raise UserError(
                f"A file of weights must end in one of {', '.join(SUFFIXES)}. Received: {path}"
            )
        self.path = path
        self.framework = None
        self.config = self.bottleneck_stride = self.preprocessing = self.class_names = None
        if path.suffix == ".keras":
            self._take(keras_files.read_config(path))
            self.weights = keras_files.read_weights(path)
        elif path.suffix == ".h5":
            self._take_keras(keras_files.read_weights(path))
        elif path.suffix == ".safetensors":
            values, metadata = _read_safetensors(path)
            self._take_torch(values)
            if _CONFIG in metadata:
                self._take(metadata[_CONFIG])
        else:
            self._take_torch(read_pth(path))

    def _take(self, config: dict[str, Any] | str) -> None:
        """What a network said of itself when it was saved."""
        with explained(self.path, "describes its network wrongly"):
            config = dict(json.loads(config) if isinstance(config, str) else config)
            if config["preprocessing"] is not None:
                self.preprocessing = Preprocessing.from_json(config["preprocessing"])
            if config["class_names"] is not None:
                self.class_names = tuple(map(str, config["class_names"]))
            self.bottleneck_stride = config["bottleneck_stride"]
            if config["block"] == "bottleneck":
                stride = self.bottleneck_stride
                checks.check_one_of("bottleneck_stride", stride, ("1x1", "3x3"))
        self.config = config

    def _take_keras(self, values: dict[str, np.ndarray]) -> None:
        if names.is_keras(values):
            with explained(self.path, "is of another network"):
                self.weights = names.from_keras(values)
            self.framework = "keras.applications"
            self.bottleneck_stride = "1x1"
        elif "conv1/kernel" in values:
            self.weights = values
        else:
            raise self._foreign(values)

    def _take_torch(self, values: dict[str, np.ndarray]) -> None:
        if not names.is_torch(values):
            raise self._foreign(values)
        with explained(self.path, "is of another network"):
            self.weights = names.from_torch(values)
        self.framework = "torchvision"

    def _foreign(self, values: Iterable[str]) -> UserError:
        return UserError(
            f"{self.path} must hold a ResNet with the names of torchvision, timm, "
            "keras.applications or this package. "
            f"Received: {', '.join(sorted(values)[:3]) or 'nothing'}, ..."
        )

    def check_stride(self, bottleneck_stride: str | None) -> str | None:
        """The place of the stride for a network of bottlenecks that is to have these weights.

        Args:
          bottleneck_stride: "1x1" or "3x3", as asked for; None: that of the weights.

        Raises:
          UserError: the file has another, or says nothing and nothing was asked for.
        """
        if "conv2_1/conv3/kernel" not in self.weights:
            return bottleneck_stride  # The weights are of no bottlenecks, and will be refused.
        if bottleneck_stride is None and self.bottleneck_stride is None:
            raise UserError(
                f"{self.path} does not say where its bottlenecks have their stride: "
                "`bottleneck_stride` must be '3x3' (torchvision, timm) or '1x1' (Caffe, the "
                "paper's authors). Received: bottleneck_stride=None"
            )
        if None not in (bottleneck_stride, self.bottleneck_stride):
            checks.check_one_of("bottleneck_stride", bottleneck_stride, [self.bottleneck_stride])
        return bottleneck_stride or self.bottleneck_stride

    def assign_to(self, model: ResNet, new_head: bool = False) -> None:
        """Gives a network the weights; a classifier that it has not is left out.

        Args:
          model: `ResNet`.
          new_head: leave the classifier of the network as it is.

        Raises:
          UserError: they are of another network, which then is as it was.
        """
        self.check_fits(model, new_head)
        for name, variable in self._variables(model, new_head).items():
            variable.assign(self.weights[name])

    def _variables(self, model: ResNet, new_head: bool) -> dict[str, keras.Variable]:
        """Those of a network that have a weight here."""
        variables = names.variables_by_name(model)
        left_out = names.HEAD if new_head else ()
        return {name: v for name, v in variables.items() if name not in left_out}

    def check_fits(self, model: ResNet, new_head: bool = False) -> None:
        """Raises UserError unless `assign_to` can give a network the weights."""
        variables = self._variables(model, new_head)
        for name in OF_FUNCTION if self.config else ():
            # Without a configuration there is no name, which mypy does not see.
            theirs, ours = self.config.get(name), model.get_config()[name]  # type: ignore[union-attr]
            if theirs != ours:
                raise UserError(
                    f"{self.path} is of a network with {name}={theirs!r}; {model.name!r} has "
                    f"{name}={ours!r}."
                )
        missing = sorted(variables.keys() - self.weights.keys())
        left_over = sorted(self.weights.keys() - variables.keys() - set(names.HEAD))
        if missing or left_over:
            difference = f"lacks {missing[0]}" if missing else f"has {left_over[0]} besides"
            raise UserError(
                f"{self.path} holds {describe(self.weights)}, not the network {model.name!r}: it "
                f"{difference}."
            )
        for name, variable in variables.items():
            weight = self.weights[name]
            if weight.shape != tuple(variable.shape):
                hint = _OF_HEAD.format(weight.shape[-1]) if name in names.HEAD else ""
                raise UserError(
                    f"{self.path} does not fit the network {model.name!r}: {name} has the shape "
                    f"{weight.shape} there and {tuple(variable.shape)} here.{hint}"
                )
            if not np.issubdtype(weight.dtype, np.floating):
                raise UserError(f"{self.path} has {weight.dtype} for {name}, not floats.")
            self._check_finite(name, weight, variable.dtype)

    def _check_finite(self, name: str, weight: np.ndarray, dtype: str) -> None:
        """Raises UserError unless a weight is finite in the network's dtype."""
        with np.errstate(over="ignore"):
            finite = np.isfinite(weight.astype(dtype, copy=False))
        if not finite.all():
            raise UserError(
                f"{self.path} cannot be used: {np.count_nonzero(~finite)} of {finite.size} weights "
                f"of {name} are not finite. The training that left them had diverged: take an "
                "earlier file, such as the run's best.keras. What its metrics.jsonl and curves.png "
                "tell is as it was."
            )

    def network(self, bottleneck_stride: str | None = None) -> ResNet:
        """The network that the weights are of, with them.

        Args:
          bottleneck_stride: see `check_stride`.

        Raises:
          UserError: the file does not say enough of it, or contradicts itself.
        """
        if self.config is None:
            model = ResNet(**self._arguments(bottleneck_stride))
        else:
            self.check_stride(bottleneck_stride)
            model = self._network_of_config()
        self.assign_to(model)
        return model

    def _network_of_config(self) -> ResNet:
        config: dict[str, Any] = self.config  # type: ignore[assignment]  # Not None: see `network`.
        with explained(self.path, "describes its network wrongly"):
            # Before any memory is spent on what there are no weights for.
            found = architecture(self.weights)
            found["input_shape"] = [
                *config["input_shape"][:2],
                self.weights["conv1/kernel"].shape[2],
            ]
            for name in ("blocks", "filters", "include_top", "classes", "input_shape"):
                if config[name] != found.get(name, config[name]):
                    raise ValueError(f"{name}={config[name]!r}, of {found[name]!r} are the weights")
            return ResNet.from_config(config)

    def _arguments(self, bottleneck_stride: str | None) -> dict[str, Any]:
        """What `ResNet` takes, from the weights alone and what is known beside them."""
        with explained(self.path, "does not show its network"):
            found = architecture(self.weights)
        for name in ("stem", "shortcut"):
            if found[name] is None:
                raise UserError(
                    f"{self.path} does not say its `{name}`: build the network and give it the "
                    f"file, as in keras_resnet.CifarResNet(20, weights={str(self.path)!r})."
                )
        if found["block"] == "bottleneck":
            found["bottleneck_stride"] = self.check_stride(bottleneck_stride)
        size = {"imagenet": 224, "cifar": 32}[found["stem"]]
        size = size if self.preprocessing is None else self.preprocessing.size
        return {
            **found,
            "input_shape": (size, size, self.weights["conv1/kernel"].shape[2]),
            "preprocessing": self.preprocessing,
            "class_names": self.class_names,
            "name": name_of(found),
        }


def _read_safetensors(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata."""
    with explained(path, "is no whole .safetensors file"):
        try:
            with safetensors.safe_open(path, "numpy") as file:
                found = file.keys()
                return {name: file.get_tensor(name) for name in found}, file.metadata() or {}
        except safetensors.SafetensorError as error:
            raise ValueError(str(error)) from error


def write_safetensors(model: ResNet, path: str | os.PathLike[str]) -> None:
    """Writes a network's weights with torchvision's names and layout.

    What torch does not know of is kept as metadata: the network's description, with its
    preprocessing and class names.

    Raises:
      UserError: its blocks are stacked.
      OSError: it cannot be written.
    """
    weights = {name: v.numpy() for name, v in names.variables_by_name(model).items()}
    metadata = {_CONFIG: json.dumps(model.get_config())}
    # Of a full disk `save_file` would tell with an error of its own.
    content = safetensors.numpy.save(names.to_torch(weights), metadata)
    pathlib.Path(path).write_bytes(content)
