"""Weights in the files that Keras writes, read as data: nothing in them is executed or followed."""

import io
import json
import pathlib
import zipfile
import zlib

import h5py
import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.weights.names import OF_CONVOLUTION, OF_NORM, is_norm

# What h5py and zipfile raise over damaged or hostile files.
_ERRORS = (
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def keras_file(run_or_model):
    """The `.keras` file that a path means: itself, or that of a run directory.

    Raises:
      UserError: there is none.
    """
    path = pathlib.Path(run_or_model)
    if path.is_dir():
        if not (path / "config.json").exists():
            raise UserError(f"{path} is neither a run directory nor a .keras file.")
        path = path / "model.keras"
        if not path.exists():
            raise UserError(f"{path} does not exist yet: the run has not reached its evaluation.")
    elif not path.exists():
        raise UserError(f"No run directory and no .keras file at {path}.")
    return path


def read_config(path):
    """The configuration of the network in a `.keras` file: the arguments of `ResNet`, JSON values.

    Raises:
      UserError: the file is damaged, or holds anything but a `ResNet`.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is no .keras file, or a damaged one.")
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(_stored(archive, "config.json"))
        kind, config = content.get("registered_name"), content["config"]
        dict(config)
    except _ERRORS as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if kind != "keras_resnet>ResNet":
        name = content.get("class_name")
        raise UserError(f"{path} holds a {name}, not a network of keras_resnet.")
    return config


def read_weights(path):
    """The weights in a `.keras` or `.weights.h5` file of ours by our names, or in a `.h5` file of
    keras.applications by its own, `layer/weight`.

    Raises:
      UserError: the file is damaged, or refers to others.
    """
    try:
        if path.suffix != ".keras":
            with h5py.File(path, "r") as file:
                return _read(file, path.stat().st_size)
        with zipfile.ZipFile(path) as archive:
            # Whole, so that its checksum is verified.
            content = _stored(archive, "model.weights.h5")
        with h5py.File(io.BytesIO(content), "r") as file:
            return _read(file, len(content))
    except _ERRORS as error:
        raise UserError(f"{path} holds no weights that can be read: {error}") from error


def _stored(archive, name):
    # Keras stores; what is compressed may unpack to more than there is memory.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _read(file, size):
    values = {}
    if "layers" in file:
        _collect_by_path(_item(file, "layers"), "", values, size)
    else:
        _collect_by_layer(file, values, size)
    return values


def _collect_by_path(group, path, values, size):
    """Adds the arrays of Keras 3: `vars/0`, ... in a group for each layer, whose name is known."""
    names = [name for name in group if name != "vars"]
    if "vars" in group:
        variables = _item(group, "vars")
        path = f"{path}/{variables.attrs['name']}".removeprefix("/")
        for place in variables:
            kinds = OF_NORM if is_norm(path) else OF_CONVOLUTION
            # Those of stacked blocks are more, and numbered.
            kind = kinds[int(place)] if len(variables) <= len(kinds) else place
            values[f"{path}/{kind}"] = _array(variables, place, size)
    if path.endswith("/block"):
        return  # What stands in a stack for all of its blocks.
    for name in names:
        _collect_by_path(_item(group, name), path, values, size)


def _collect_by_layer(group, values, size):
    """Adds the arrays of a group and those within it by `layer/weight`."""
    for name in group:
        if isinstance(_item(group, name), h5py.Group):
            _collect_by_layer(group[name], values, size)
        else:
            # Within conv1_conv/conv1_conv/ is kernel:0.
            layer = group.name.rsplit("/", 1)[-1]
            values[f"{layer}/{name.removesuffix(':0')}"] = _array(group, name, size)


def _item(group, name):
    """A member of a group; links are not followed."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link to elsewhere")
    return group[name]


def _array(group, name, size):
    dataset = _item(group, name)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} is no array")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{name} is kept in other files")
    # An array that was never written takes no bytes in the file, and any number in memory.
    if dataset.nbytes > size:
        raise ValueError(f"{name} is larger than its file")
    value = dataset[()]
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} is no array")
    return value
