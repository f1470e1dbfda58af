"""Files as torch writes them are made here by pickling names that a stub of torch has."""

import collections
import io
import os
import pickle
import struct
import sys
import types
import zipfile

import numpy as np
import pytest

from keras_resnet.weights.pth import read_pth

VALUES = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "bn.num_batches_tracked": np.array(5, np.int64),
    "half": np.array([1.5, -2], np.float16),
}
STORAGES = {"float32": "FloatStorage", "int64": "LongStorage", "float16": "HalfStorage"}


class Storage:
    def __init__(self, values, key):
        self.values, self.key = values, key
        self.kind = getattr(sys.modules["torch"], STORAGES[values.dtype.name])


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture(autouse=True)
def stub_of_torch(monkeypatch):
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        storage = type(name, (), {"__module__": "torch"})
        setattr(torch, name, storage)

    def rebuild(*_):
        raise AssertionError("torch's own function was called")

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    rebuild.__name__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", value.kind, value.key, "cpu", value.values.size)
        return None


def pickled(value):
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


def tensors(values):
    made = collections.OrderedDict()
    for key, (name, array) in enumerate(values.items()):
        strides = tuple(stride // array.itemsize for stride in array.strides)
        made[name] = Tensor(Storage(array.ravel(), str(key)), 0, array.shape, strides)
    return made


def write_zip(path, content, values, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(
            "archive/data.pkl", content if isinstance(content, bytes) else pickled(content)
        )
        for key, array in enumerate(values.values()):
            archive.writestr(f"archive/data/{key}", array.tobytes())


def write_legacy(path, content, values):
    parts = [pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    parts += [pickled(content), pickled([str(key) for key in range(len(values))])]
    for array in values.values():
        parts += [np.int64(array.size).tobytes(), array.tobytes()]
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("wrap", [lambda made: made, lambda made: {"state_dict": made, "epoch": 5}])
def test_tensors_are_read(tmp_path, write, wrap):
    write(tmp_path / "x.pth", wrap(tensors(VALUES)), VALUES)
    found = read_pth(tmp_path / "x.pth")
    assert found.keys() == VALUES.keys()
    for name, value in VALUES.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_views_of_one_storage_are_read(tmp_path):
    values = {"all": np.arange(12, dtype=np.float32)}
    storage = Storage(values["all"], "0")
    content = {"transposed": Tensor(storage, 2, (3, 2), (1, 5))}
    write_zip(tmp_path / "x.pth", content, values)
    np.testing.assert_array_equal(
        read_pth(tmp_path / "x.pth")["transposed"], [[2, 7], [3, 8], [4, 9]]
    )


class Bomb:
    """What a hostile file asks for when it is loaded."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [(os.system, ["touch {path}"]), (eval, ["open('{path}', 'w')"]), (open, ["{path}", "w"])],
)
def test_nothing_is_executed(tmp_path, write, function, arguments):
    path = tmp_path / "harmed"
    bomb = Bomb(function, *(argument.format(path=path) for argument in arguments))
    write(tmp_path / "x.pth", {"weight": bomb}, {})
    with pytest.raises(ValueError, match="which no tensor needs"):
        read_pth(tmp_path / "x.pth")
    assert not path.exists()


SIX = {"a": np.arange(6, dtype=np.float32)}


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (7,), (1,)), (3, (2, 2), (3, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (3, 3), (0, 0))],
)
def test_tensors_stay_within_their_storage(tmp_path, offset, shape, strides):
    content = {"a": Tensor(Storage(SIX["a"], "0"), offset, shape, strides)}
    write_zip(tmp_path / "x.pth", content, SIX)
    with pytest.raises(ValueError, match="its storage"):
        read_pth(tmp_path / "x.pth")


def test_what_is_no_file_of_tensors_is_explained(tmp_path):
    path = tmp_path / "x.pth"
    with pytest.raises(ValueError, match="No file of weights at"):
        read_pth(path)
    for content in (b"", b"junk", pickle.dumps({"a": 1}), pickled(5), b"\x80\x02" + b"(" * 10_000):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="holds no tensors that can be read"):
            read_pth(path)
    for content in ({"a": 1}, [1], {"a": {"b": 2}}, b"junk"):
        write_zip(path, content, {})
        with pytest.raises(ValueError, match="holds no tensors that can be read"):
            read_pth(path)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_any_cut_is_noticed(tmp_path, write):
    write(tmp_path / "whole.pth", tensors(VALUES), VALUES)
    data = (tmp_path / "whole.pth").read_bytes()
    for length in range(0, len(data), 7):
        (tmp_path / "x.pth").write_bytes(data[:length])
        with pytest.raises(ValueError, match="holds no tensors that can be read"):
            read_pth(tmp_path / "x.pth")


def test_what_would_unpack_to_more_is_refused(tmp_path):
    write_zip(tmp_path / "x.pth", tensors(VALUES), VALUES, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is compressed"):
        read_pth(tmp_path / "x.pth")


def deflated_pickle(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"]" * 10**7 + b".")


def endless_pickle(path):
    write_zip(path, b"\x80\x02" + b"]" * 2**25 + b".", {})


def laughs(path):
    """A tuple of two of a tuple of two ...: the hash of this key takes 2^60 steps."""
    key = b"N\x85q\x00" + b"".join(
        b"0h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(60)
    )
    path.write_bytes(b"\x80\x02}" + key + b"Ns.")


def far_memo(path):
    path.write_bytes(b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".")


def many_views(path):
    storage = Storage(np.zeros(10**5, np.float32), "0")
    content = {f"x{n}": Tensor(storage, 0, (10**5,), (1,)) for n in range(1000)}
    write_zip(path, content, {"x": np.zeros(10**5, np.float32)})


def far_shape(path):
    content = {"a": Tensor(Storage(SIX["a"], "0"), 0, (0, 10**30), (1, 1))}
    write_zip(path, content, SIX)


@pytest.mark.parametrize(
    "write", [deflated_pickle, endless_pickle, laughs, far_memo, many_views, far_shape]
)
def test_what_would_take_all_memory_or_time_is_refused(tmp_path, write):
    write(tmp_path / "x.pth")
    with pytest.raises(ValueError, match="holds no tensors that can be read"):
        read_pth(tmp_path / "x.pth")
