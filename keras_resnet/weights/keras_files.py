"""Weights in the files that Keras writes, read as data: nothing in them is executed or followed."""

import io
import json
import os
import pathlib
import zipfile
from typing import Any

import h5py
import numpy as np

from keras_resnet.checks import UserError, check_local
from keras_resnet.weights.damage import explained
from keras_resnet.weights.names import OF_CONVOLUTION, OF_NORM, is_norm


def keras_file(run_or_model: str | os.PathLike[str]) -> pathlib.Path:
    """The `.keras` file that a path means: itself, or that of a run directory.

    Raises:
      UserError: there is none.
    """
    path = pathlib.Path(check_local("run_or_model", run_or_model))
    if path.is_dir():
        if not (path / "config.json").exists():
            raise UserError(f"{path} is neither a run directory nor a .keras file.")
        path = path / "model.keras"
        if not path.exists():
            raise UserError(f"{path} does not exist yet: the run has not reached its evaluation.")
    elif not path.exists():
        raise UserError(
            f"No run directory and no .keras file at {path}. (keras-resnet convert_weights makes "
            ".keras files of other weights.)"
        )
    return path


def read_config(path: str | os.PathLike[str], kind: str = "ResNet") -> dict[str, Any]:
    """The configuration of the network in a `.keras` file: the arguments of its class, JSON values.

    Args:
      path: of the file.
      kind: the class that it must be of.

    Raises:
      UserError: the file is damaged, or holds anything else.
    """
    found, config = _kind_and_config(path)
    if found != kind:
        raise UserError(f"{path} holds a {found[:100]}, not a {kind} of keras_resnet.")
    return config


def kind_of(path: str | os.PathLike[str]) -> str:
    """The class of the network in a `.keras` file, such as ResNet.

    Raises:
      UserError: the file is damaged, or holds no network of ours.
    """
    return _kind_and_config(path)[0]


def _kind_and_config(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    if not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} is no .keras file, or a damaged one. (keras-resnet convert_weights makes "
            ".keras files of other weights.)"
        )
    with explained(path, "is damaged"):
        with zipfile.ZipFile(path) as archive:
            content = json.loads(_stored(archive, "config.json"))
        package, _, kind = str(content.get("registered_name")).partition(">")
        config = dict(content["config"])
    if package != "keras_resnet":
        name = str(content.get("class_name"))[:100]
        raise UserError(f"{path} holds a {name}, not a network of keras_resnet.")
    return kind, config


def read_weights(path: pathlib.Path, of_parts: bool = False) -> dict[str, np.ndarray]:
    """The weights in a `.keras` or `.weights.h5` file of ours by our names, or in a `.h5` file of
    keras.applications by its own, `layer/weight`.

    Args:
      path: of the file.
      of_parts: whether it is of a model that has others as parts, such as a detector.

    Raises:
      UserError: the file is damaged, or refers to others.
    """
    with explained(path, "is damaged, or holds no weights that can be read"):
        if path.suffix != ".keras":
            with h5py.File(path, "r") as file:
                return _Reader(path.stat().st_size).read(file)
        with zipfile.ZipFile(path) as archive:
            # Whole, so that its checksum is verified.
            content = _stored(archive, "model.weights.h5")
        with h5py.File(io.BytesIO(content), "r") as file:
            reader = _Reader(len(content))
            return reader.read_parts(file) if of_parts else reader.read(file)


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    # Keras stores; what is compressed may unpack to more than there is memory.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


class _Reader:
    """Reads the arrays of one file, each object once: a file may hold many links to few bytes.

    Args:
      size: of the file, in bytes, which bounds all arrays together: one that was never written
        takes no bytes in the file, and any number in memory.
    """

    def __init__(self, size: int) -> None:
        self._left = size
        self._seen: set[int] = set()
        self._values: dict[str, np.ndarray] = {}

    def read(self, file: h5py.File) -> dict[str, np.ndarray]:
        """The arrays by our names, or those of keras.applications by its own, `layer/weight`."""
        if "layers" in file:
            self._collect_by_path(self._group(file, "layers"), "")
        else:
            self._collect_by_layer(file)
        return self._values

    def read_parts(self, file: h5py.File) -> dict[str, np.ndarray]:
        """The arrays of a model of Keras 3 that has parts, each a group of its own or a layer."""
        for name in file:
            # What belongs to the whole has no arrays: its name, and an optimizer of somebody's.
            if name not in ("vars", "optimizer"):
                self._collect_by_path(self._group(file, name), "")
        return self._values

    def _collect_by_path(self, group: h5py.Group, path: str) -> None:
        """Adds the arrays of Keras 3: `vars/0`, ... in a group for each layer, with its name."""
        names = [name for name in group if name != "vars"]
        if "vars" in group:
            variables = self._group(group, "vars")
            path = f"{path}/{variables.attrs['name']}".removeprefix("/")
            kinds = OF_NORM if is_norm(path) else OF_CONVOLUTION
            for place in variables:
                # Those of stacked blocks are more, and numbered.
                kind = kinds[int(place)] if len(variables) <= len(kinds) else place
                self._values[f"{path}/{kind}"] = self._array(self._item(variables, place))
        if path.endswith("/block"):
            return  # What stands in a stack for all of its blocks.
        for name in names:
            self._collect_by_path(self._group(group, name), path)

    def _collect_by_layer(self, group: h5py.Group) -> None:
        """Adds the arrays of a group and those within it by `layer/weight`."""
        for name in group:
            item = self._item(group, name)
            if isinstance(item, h5py.Group):
                self._collect_by_layer(item)
            else:
                # Within conv1_conv/conv1_conv/ is kernel:0.
                layer = group.name.rsplit("/", 1)[-1]
                self._values[f"{layer}/{name.removesuffix(':0')}"] = self._array(item)

    def _item(self, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
        """A member of a group; links to elsewhere are not followed."""
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} is a link to elsewhere")
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in self._seen:
            raise ValueError(f"{name} is there twice")
        self._seen.add(address)
        return item

    def _group(self, group: h5py.Group, name: str) -> h5py.Group:
        item = self._item(group, name)
        # Of an array the members would be its rows, as many as it says.
        if not isinstance(item, h5py.Group):
            raise ValueError(f"{name} is no group")
        return item

    def _array(self, dataset: h5py.Group | h5py.Dataset) -> np.ndarray:
        name = dataset.name.rsplit("/", 1)[-1]
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiub":
            raise ValueError(f"{name} is no array of numbers")
        if dataset.external or dataset.is_virtual:
            raise ValueError(f"{name} is kept in other files")
        self._left -= dataset.nbytes
        if self._left < 0:
            raise ValueError(f"{name} is larger than its file")
        return np.asarray(dataset[()])
