"""Weights of a file, whoever wrote it, into a network; and a network's weights into a file."""

import json
import pathlib

import h5py
import numpy as np
import safetensors
import safetensors.numpy

from keras_resnet import checks
from keras_resnet.checks import UserError
from keras_resnet.preprocessing import Preprocessing
from keras_resnet.weights import names
from keras_resnet.weights.download import fetched
from keras_resnet.weights.pth import read_pth
from keras_resnet.weights.sets import SETS, weight_set

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".h5")

# What torch does not know of, in our .safetensors files.
_METADATA = ("bottleneck_stride", "preprocessing", "class_names")


def open_weights(weights, depth):
    """The `WeightFile` that the argument `weights` of a constructor means.

    Args:
      weights: the name of a published set, of `sets.SETS`, or the path of a file.
      depth: of the network.

    Raises:
      UserError: there is no such set or file, or it cannot be had or read.
    """
    if weights not in SETS:
        return WeightFile(weights)
    published = weight_set(weights, depth)
    path = fetched(published.url, published.digest)
    return WeightFile(path, published.bottleneck_stride, published.preprocessing)


class WeightFile:
    """The weights in a file, read whole.

    Args:
      path: a `.safetensors` or `.pth` file with the names of torchvision and timm, or a `.h5` file
        of keras.applications.
      bottleneck_stride, preprocessing: what is known of it; see the attributes.

    Attributes:
      bottleneck_stride: the place of the stride in bottlenecks, "1x1" or "3x3"; None: the file
        does not say it.
      preprocessing: `Preprocessing` of the network; None: the file does not say it.
      class_names: tuple of strings; None: the file does not say it.

    Raises:
      UserError: the file is missing, damaged or of another kind.
    """

    def __init__(self, path, bottleneck_stride=None, preprocessing=None):
        path = pathlib.Path(path)
        if not path.is_file():
            raise UserError(
                f"`weights` must be one of {', '.join(map(repr, SETS))}, or the path of a file. "
                f"Received: weights={str(path)!r}"
            )
        if path.suffix not in SUFFIXES:
            raise UserError(
                f"A file of weights must end in one of {', '.join(SUFFIXES)}. Received: {path}"
            )
        self.path = path
        self.bottleneck_stride, self.preprocessing = bottleneck_stride, preprocessing
        self.class_names = None
        if path.suffix == ".safetensors":
            self._values, metadata = _read_safetensors(path)
            self._take(metadata)
        elif path.suffix == ".h5":
            self._values = _read_h5(path)
            self.bottleneck_stride = "1x1"
        else:
            self._values = read_pth(path)
        if not names.is_keras(self._values) and not names.is_torch(self._values):
            raise UserError(
                f"{path} must hold a ResNet with the names of torchvision, timm or "
                "keras.applications. "
                f"Received: {', '.join(sorted(self._values)[:3]) or 'nothing'}, ..."
            )

    def _take(self, metadata):
        """What `write_safetensors` kept beside the weights."""
        try:
            facts = {name: json.loads(metadata[name]) for name in _METADATA if name in metadata}
            if "preprocessing" in facts:
                self.preprocessing = Preprocessing.from_json(facts["preprocessing"])
            if "class_names" in facts:
                self.class_names = tuple(map(str, facts["class_names"]))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self.path} describes its network wrongly: {error}") from error
        self.bottleneck_stride = facts.get("bottleneck_stride")

    def check_stride(self, bottleneck_stride):
        """The place of the stride for a network of bottlenecks that is to have these weights.

        Args:
          bottleneck_stride: "1x1" or "3x3", as asked for; None: that of the weights.

        Raises:
          UserError: the file has another, or says nothing and nothing was asked for.
        """
        if bottleneck_stride is None and self.bottleneck_stride is None:
            raise UserError(
                f"{self.path} does not say where its bottlenecks have their stride: "
                "`bottleneck_stride` must be '3x3' (torchvision, timm) or '1x1' (Caffe, the "
                "paper's authors). Received: bottleneck_stride=None"
            )
        if None not in (bottleneck_stride, self.bottleneck_stride):
            checks.check_one_of("bottleneck_stride", bottleneck_stride, [self.bottleneck_stride])
        return bottleneck_stride or self.bottleneck_stride

    def assign_to(self, model):
        """Gives a network the weights.

        Raises:
          UserError: they are of another network, which then is as it was.
        """
        variables = names.variables_by_name(model)
        try:
            if names.is_keras(self._values):
                weights = names.from_keras(list(variables), self._values)
            else:
                weights = {
                    name: names.from_torch(name, self._values[names.torch_name(name)])
                    for name in variables
                }
        except KeyError as error:
            raise UserError(
                f"{self.path} has no {error.args[0]!r}: its network has another depth or kind."
            ) from error
        for name, variable in variables.items():
            if weights[name].shape != tuple(variable.shape):
                raise UserError(
                    f"{self.path} does not fit the network {model.name!r}: {name} has the shape "
                    f"{weights[name].shape} there and {tuple(variable.shape)} here."
                )
            if not np.issubdtype(weights[name].dtype, np.floating):
                raise UserError(f"{self.path} has integers for {name}.")
        for name, variable in variables.items():
            variable.assign(weights[name])


def _read_safetensors(path):
    """The arrays and the metadata."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            found = file.keys()
            return {name: file.get_tensor(name) for name in found}, file.metadata() or {}
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is no whole .safetensors file: {error}") from error


def _read_h5(path):
    values = {}
    try:
        with h5py.File(path, "r") as file:
            _collect(file, values)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise UserError(f"{path} is no whole .h5 file: {error}") from error
    return values


def _collect(group, values):
    """Adds the arrays of a group and those within it by `layer/weight`, without following links."""
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} is a link to elsewhere")
        item = group[name]
        if isinstance(item, h5py.Group):
            _collect(item, values)
        elif item.external or item.is_virtual:
            raise ValueError(f"{name} is kept in other files")
        else:
            # Within conv1_conv/conv1_conv/ is kernel:0.
            layer = item.parent.name.rsplit("/", 1)[-1]
            values[f"{layer}/{name.removesuffix(':0')}"] = item[()]


def write_safetensors(model, path):
    """Writes a network's weights with torchvision's names and layout.

    What torch does not know of is kept as metadata: the place of the stride, the preprocessing and
    the class names.
    """
    config = model.get_config()
    metadata = {name: json.dumps(config[name]) for name in _METADATA if config[name] is not None}
    tensors = {
        names.torch_name(name): names.to_torch(name, variable.numpy())
        for name, variable in names.variables_by_name(model).items()
    }
    safetensors.numpy.save_file(tensors, path, metadata)
