"""Tensors of torch's `.pth` files, read without torch and without executing what a pickle asks for.

A pickle is a program. This reader knows the handful of names that a dict of tensors needs, gives
them meanings of its own, and refuses all others.
"""

import math
import os
import pathlib
import pickle
import zipfile
from collections.abc import Callable, Iterable
from typing import IO, Any, NoReturn

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.weights.damage import explained

# Storage classes of torch, by the dtype of their elements. bfloat16 has no NumPy dtype.
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

# That of ResNet-152 has some 100,000, and of 1,202 layers a million. More might take a minute.
_MAX_PICKLE_BYTES = 2**21

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001


class _Storage:
    """A one-dimensional array that tensors are views of; its bytes may come later."""

    values: np.ndarray

    def __init__(self, dtype: str, count: int) -> None:
        self.dtype = np.dtype(dtype)
        self.count = count
        self.values = None  # type: ignore[assignment]  # Until it comes.


class _Tensor:
    """A view of a storage, which becomes an array when the storage has its values."""

    def __init__(
        self, storage: _Storage, offset: int, shape: Iterable[int], strides: Iterable[int]
    ) -> None:
        self.storage, self._offset = storage, offset
        self._shape, self._strides = tuple(shape), tuple(strides)

    def array(self) -> np.ndarray:
        values, shape, strides = self.storage.values, self._shape, self._strides
        last = self._offset + sum(
            (side - 1) * stride for side, stride in zip(shape, strides, strict=True)
        )
        numbers = (self._offset, *shape, *strides)
        # Where a truth value is asked for, mypy takes `prod` for one of Booleans.
        if any(number < 0 for number in numbers) or (math.prod(shape) and last >= len(values)):  # type: ignore[arg-type]
            raise ValueError("a tensor reaches beyond its storage")
        # One number repeated may fill any memory.
        if math.prod(shape) > len(values):
            raise ValueError("a tensor is larger than its storage")
        view = np.lib.stride_tricks.as_strided(
            values[self._offset :], shape, [stride * values.itemsize for stride in strides]
        )
        return view.copy()


def _rebuild_tensor(
    storage: object, offset: int, shape: Iterable[int], strides: Iterable[int], *_: object
) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _Tensor(storage, offset, shape, strides)


def _rebuild_parameter(tensor: object, *_: object) -> object:
    return tensor


class _State(dict[str | int, object]):
    """What an OrderedDict of torch becomes; it is filled item by item."""

    def __init__(self) -> None:
        super().__init__()


# What dicts of tensors are made of; all other opcodes are refused.
_OPCODES = (
    *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
    *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
)


class _Dispatch(dict[int, Callable[..., None]]):
    """Methods of an unpickler by opcode."""

    def __missing__(self, opcode: int) -> NoReturn:
        raise pickle.UnpicklingError(f"no tensor needs the opcode {opcode:#04x}")


# In Python, whose memo is a dict: the one in C takes as much memory as an index asks for.
class _Unpickler(pickle._Unpickler):
    """Knows dicts, tensors and storages, and nothing else."""

    # What the types of the standard library leave out.
    stack: list[object]
    pop_mark: Callable[[], list[object]]

    dispatch = _Dispatch(
        (getattr(pickle, name)[0], pickle._Unpickler.dispatch[getattr(pickle, name)[0]])
        for name in _OPCODES
    )

    def __init__(self, file: IO[bytes], load_storage: Callable[[str, str, int], _Storage]) -> None:
        super().__init__(_Limited(file), encoding="utf-8")
        self._load_storage = load_storage

    def find_class(self, module: str, name: str) -> object:
        known = {
            ("collections", "OrderedDict"): _State,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no tensor needs")

    def persistent_load(self, reference: tuple[str, str, str | int, str, int]) -> _Storage:
        kind, dtype, key, _, count = reference[:5]
        if kind != "storage" or dtype not in _STORAGES.values() or not isinstance(key, str | int):
            raise pickle.UnpicklingError("it refers to something that is no storage of numbers")
        return self._load_storage(dtype, str(key), count)

    def _set(self, pairs: Iterable[tuple[object, object]]) -> None:
        for key, value in pairs:
            # A tuple of tuples of tuples may take for ever to be hashed.
            if not isinstance(key, str | int):
                raise pickle.UnpicklingError("a dict has a key that is no name")
            self.stack[-1][key] = value  # type: ignore[index]  # Else a TypeError.

    def load_setitem(self) -> None:
        """Of a dict, as Python's."""
        value, key = self.stack.pop(), self.stack.pop()
        self._set([(key, value)])

    def load_setitems(self) -> None:
        """Of a dict, as Python's."""
        items = self.pop_mark()
        self._set(zip(items[::2], items[1::2], strict=True))

    def load_build(self) -> None:
        """Ignores what torch keeps beside the tensors, their versions."""
        self.stack.pop()

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.BUILD[0]] = load_build


class _Limited:
    """A file of which a pickle reads no more than the names and shapes of some networks take."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = _MAX_PICKLE_BYTES

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise pickle.UnpicklingError(f"its pickle has more than {_MAX_PICKLE_BYTES} bytes")
        return data

    def read(self, size: int) -> bytes:
        """As of a file."""
        return self._count(self._file.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        """As of a file."""
        return self._count(self._file.readline(self._left + 1))


def read_pth(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a file that `torch.save(module.state_dict(), path)` wrote.

    Args:
      path: of the file, in the zip format (torch 1.6 and later) or the one before.

    Returns:
      dict of arrays by name. A dict within it, such as `state_dict` of a checkpoint, is taken
      instead of the whole.

    Raises:
      UserError: the file is missing, damaged, or asks for anything but tensors.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"No file of weights at {path}.")
    with explained(path, "holds no tensors that can be read"), open(path, "rb") as file:
        content = _read_zip(file) if zipfile.is_zipfile(path) else _read_legacy(file)
        return _arrays(content)  # type: ignore[arg-type]  # It looks whether this is a dict.


def _read_zip(file: IO[bytes]) -> object:
    with zipfile.ZipFile(file) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        prefix = pickled.removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}

        def load_storage(dtype: str, key: str, count: int) -> _Storage:
            if key not in storages:
                storage = storages[key] = _Storage(dtype, count)
                name = f"{prefix}data/{key}"
                _check_stored(archive, name)
                storage.values = _values(archive.read(name), storage)
            return storages[key]

        _check_stored(archive, pickled)
        with archive.open(pickled) as opened:
            return _Unpickler(opened, load_storage).load()


def _check_stored(archive: zipfile.ZipFile, name: str) -> None:
    # torch stores; what is compressed may unpack to more than there is memory.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")


def _read_legacy(file: IO[bytes]) -> object:
    storages: dict[str, _Storage] = {}

    def load_storage(dtype: str, key: str, count: int) -> _Storage:
        return storages.setdefault(key, _Storage(dtype, count))

    def load() -> object:
        return _Unpickler(file, load_storage).load()

    if load() != _MAGIC_NUMBER or load() != _PROTOCOL_VERSION:
        raise ValueError("it is no file of torch")
    load()  # Sizes of integers on the machine that wrote it.
    content = load()
    for key in load():  # type: ignore[attr-defined]  # Else a TypeError.
        storage = storages[key]
        (count,) = np.frombuffer(file.read(8), "<i8")
        if count != storage.count:
            raise ValueError(f"storage {key} has another size than its tensors")
        storage.values = _values(file.read(count * storage.dtype.itemsize), storage)
    return content


def _values(data: bytes, storage: _Storage) -> np.ndarray:
    values = np.frombuffer(data, storage.dtype)
    if len(values) != storage.count:
        raise ValueError("a storage is cut off")
    return values


def _arrays(content: dict[str, Any]) -> dict[str, np.ndarray]:
    if not isinstance(content, dict):
        raise ValueError("it is no dict")
    for name in ("state_dict", "model"):
        if isinstance(content.get(name), dict):
            content = content[name]
    arrays, storages, copied = {}, {}, 0
    for name, value in content.items():
        if not isinstance(value, _Tensor):
            raise ValueError(f"{name} is no tensor")
        array = arrays[str(name)] = value.array()
        # A few tensors may share a storage; thousands may not.
        storages[id(value.storage)] = value.storage.values.nbytes
        copied += array.nbytes
        if copied > 2 * sum(storages.values()):
            raise ValueError("its tensors are many times larger than its storages")
    return arrays
