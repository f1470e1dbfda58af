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

from keras_resnet.weights import pth
from keras_resnet.weights.pth import read_pth

VALUES = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "bn.num_batches_tracked": np.array(5, np.int64),
    "half": np.array([1.5, -2], np.float16),
    "double": np.array([[1e300]]),
    "int": np.array([2**31 - 1], np.int32),
    "short": np.array([-(2**15), 1], np.int16),
    "char": np.array([-128, 1], np.int8),
    "byte": np.array([255, 1], np.uint8),
    "bool": np.array([True, False]),
}
STORAGES = {
    "float32": "FloatStorage",
    "int64": "LongStorage",
    "float16": "HalfStorage",
    "float64": "DoubleStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    # Which NumPy has not.
    "bfloat16": "BFloat16Storage",
}


SIX = {"a": np.arange(6, dtype=np.float32)}


class Storage:
    def __init__(self, values, key, kind=None, tag="storage"):
        self.values, self.key, self.tag = values, key, tag
        self.kind = getattr(sys.modules["torch"], kind or STORAGES[values.dtype.name])


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Parameter:
    def __init__(self, tensor):
        self.arguments = (tensor, True, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_parameter, self.arguments


@pytest.fixture(autouse=True)
def stub_of_torch(monkeypatch):
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        storage = type(name, (), {"__module__": "torch"})
        setattr(torch, name, storage)

    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):

        def rebuild(*_):
            raise AssertionError("torch's own function was called")

        rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", name, name
        setattr(utils, name, rebuild)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return (value.tag, value.kind, value.key, "cpu", value.values.size)
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
@pytest.mark.parametrize(
    "wrap",
    [
        lambda made: made,
        lambda made: {"state_dict": made, "epoch": 5},
        lambda made: {"epoch": 5, "model": made},
    ],
)
def test_tensors_are_read(tmp_path, write, wrap):
    write(tmp_path / "x.pth", wrap(tensors(VALUES)), VALUES)
    found = read_pth(tmp_path / "x.pth")
    assert found.keys() == VALUES.keys()
    for name, value in VALUES.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_parameters_and_versions_are_read_over(tmp_path, write):
    """`torch.save` of a state dict keeps versions as an attribute of it; of parameters, theirs."""
    made = tensors(SIX)
    made["a"] = Parameter(made["a"])
    made._metadata = collections.OrderedDict({"": {"version": 2}})
    write(tmp_path / "x.pth", made, SIX)
    found = read_pth(tmp_path / "x.pth")
    assert found.keys() == SIX.keys()
    np.testing.assert_array_equal(found["a"], SIX["a"])


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


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "reason"),
    [
        (0, (7,), (1,), "reaches beyond"),
        (3, (2, 2), (3, 1), "reaches beyond"),
        (-1, (2,), (1,), "reaches beyond"),
        (0, (2,), (-1,), "reaches beyond"),
        (0, (-2,), (1,), "reaches beyond"),
        (0, (3, 3), (0, 0), "is larger than"),
    ],
)
def test_tensors_stay_within_their_storage(tmp_path, offset, shape, strides, reason):
    content = {"a": Tensor(Storage(SIX["a"], "0"), offset, shape, strides)}
    write_zip(tmp_path / "x.pth", content, SIX)
    with pytest.raises(ValueError, match=f"a tensor {reason} its storage"):
        read_pth(tmp_path / "x.pth")


def test_a_tensor_of_nothing_reaches_nowhere(tmp_path):
    content = {"a": Tensor(Storage(SIX["a"], "0"), 6, (0, 3), (3, 1))}
    write_zip(tmp_path / "x.pth", content, SIX)
    assert read_pth(tmp_path / "x.pth")["a"].shape == (0, 3)


def test_what_is_no_file_of_tensors_is_explained(tmp_path):
    path = tmp_path / "x.pth"
    with pytest.raises(ValueError, match="No file of weights at"):
        read_pth(path)
    for content in (b"", b"junk", pickle.dumps({"a": 1}), pickled(5), b"\x80\x02" + b"(" * 10_000):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="holds no tensors that can be read"):
            read_pth(path)
    for content, reason in (
        ({"a": 1}, "a is no tensor"),
        ([1], "it is no dict"),
        ({"a": {"b": 2}}, "a is no tensor"),
        (b"junk", "unpack requires a buffer"),
    ):
        write_zip(path, content, {})
        with pytest.raises(ValueError, match=f"holds no tensors that can be read: {reason}"):
            read_pth(path)


def assert_refused(path, reason):
    with pytest.raises(ValueError, match=f"holds no tensors that can be read: .*{reason}"):
        read_pth(path)


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ({"kind": "BFloat16Storage"}, "asks for torch.BFloat16Storage, which no tensor needs"),
        ({"tag": "module"}, "refers to something that is no storage of numbers"),
        ({"key": ("0",)}, "refers to something that is no storage of numbers"),
    ],
)
def test_what_is_no_storage_of_numbers_is_refused(tmp_path, storage, reason):
    made = Storage(**{"values": SIX["a"], "key": "0", **storage})
    write_zip(tmp_path / "x.pth", {"a": Tensor(made, 0, (6,), (1,))}, SIX)
    assert_refused(tmp_path / "x.pth", reason)


def test_a_tensor_of_no_storage_is_refused(tmp_path):
    write_zip(tmp_path / "x.pth", {"a": Tensor([1.0, 2.0], 0, (2,), (1,))}, SIX)
    assert_refused(tmp_path / "x.pth", "a tensor without a storage")


def test_storages_are_there_once_and_whole(tmp_path):
    path, content = tmp_path / "x.pth", tensors(SIX)
    write_zip(path, content, {"a": SIX["a"][:5]})
    assert_refused(path, "a storage is cut off")
    write_zip(path, content, {})
    assert_refused(path, "no item named 'archive/data/0'")
    write_zip(path, content, SIX)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", pickled({}))
    assert_refused(path, "too many values")


def test_the_format_before_is_known_by_its_numbers_and_sizes(tmp_path):
    path = tmp_path / "x.pth"
    write_legacy(path, tensors(SIX), SIX)
    data = path.read_bytes()
    for old, new, reason in (
        (pickled(0x1950A86A20F9469CFC6C), pickled(0x1950A86A20F9469CFC6D), "no file of torch"),
        (pickled(1001), pickled(1002), "no file of torch"),
        (np.int64(6).tobytes(), np.int64(5).tobytes(), "storage 0 has another size"),
        (SIX["a"].tobytes(), SIX["a"].tobytes()[:-4], "a storage is cut off"),
    ):
        assert data.count(old) == 1
        path.write_bytes(data.replace(old, new))
        assert_refused(path, reason)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_pth(path)["a"], SIX["a"])


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_any_cut_is_noticed(tmp_path, write):
    write(tmp_path / "whole.pth", tensors(VALUES), VALUES)
    data = (tmp_path / "whole.pth").read_bytes()
    for length in range(0, len(data), 17):
        (tmp_path / "x.pth").write_bytes(data[:length])
        with pytest.raises(ValueError, match="holds no tensors that can be read"):
            read_pth(tmp_path / "x.pth")


@pytest.mark.parametrize("name", ["archive/data.pkl", "archive/data/0"])
def test_what_would_unpack_to_more_is_refused(tmp_path, name):
    write_zip(tmp_path / "whole.pth", tensors(SIX), SIX)
    with (
        zipfile.ZipFile(tmp_path / "whole.pth") as whole,
        zipfile.ZipFile(tmp_path / "x.pth", "w") as archive,
    ):
        for member in whole.namelist():
            compression = zipfile.ZIP_DEFLATED if member == name else zipfile.ZIP_STORED
            archive.writestr(member, whole.read(member), compression)
    assert_refused(tmp_path / "x.pth", f"{name} is compressed")


def test_a_pickle_ends_at_its_limit(tmp_path, monkeypatch):
    path = tmp_path / "x.pth"
    content = pickled(tensors(SIX))
    write_zip(path, content, SIX)
    monkeypatch.setattr(pth, "_MAX_PICKLE_BYTES", len(content))
    np.testing.assert_array_equal(read_pth(path)["a"], SIX["a"])
    monkeypatch.setattr(pth, "_MAX_PICKLE_BYTES", len(content) - 1)
    assert_refused(path, f"its pickle has more than {len(content) - 1} bytes")


def test_the_limit_leaves_room_for_1202_layers():
    """Of each five weights and statistics, and a count; and of those of a tenth here."""
    names = (f"layer3.{n}.bn2.num_batches_tracked" for n in range(6 * 120))
    size = 10 * len(pickled(tensors(dict.fromkeys(names, SIX["a"]))))
    assert size < pth._MAX_PICKLE_BYTES < 4 * size


# Of which some make objects, and some copy what is there.
OTHER_OPCODES = [
    *("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "PERSID"),
    *("POP", "POP_MARK", "DUP", "GET", "PUT", "LONG4", "BINBYTES8", "BYTEARRAY8", "FRAME"),
    *("EMPTY_SET", "ADDITEMS", "FROZENSET", "MEMOIZE", "NEXT_BUFFER", "INT", "STRING", "UNICODE"),
]


@pytest.mark.parametrize("opcode", OTHER_OPCODES)
def test_other_opcodes_are_refused(tmp_path, opcode):
    code = getattr(pickle, opcode)
    write_zip(tmp_path / "x.pth", b"\x80\x02N" + code + bytes(8) + b".", {})
    assert_refused(tmp_path / "x.pth", f"no tensor needs the opcode {code[0]:#04x}")


def endless_list(path):
    write_zip(path, b"\x80\x02" + b"]" * 5000 + b".", {})


def endless_name(path):
    write_zip(path, b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"x" * 5000, {})


def endless_line(path):
    write_zip(path, b"\x80\x02c" + b"x" * 5000, {})


def laughs(setting):
    """A tuple of two of a tuple of two ...: the hash of this key takes 2^20 steps, or 2^60."""
    key = b"N\x85q\x00" + b"".join(bytes([*b"h", n, *b"h", n, *b"\x86q", n + 1]) for n in range(20))

    def write(path):
        write_zip(path, b"\x80\x02" + key + setting(b"h\x14") + b".", {})

    return write


def many_views(path):
    storage = Storage(np.zeros(100, np.float32), "0")
    content = {f"x{n}": Tensor(storage, 0, (100,), (1,)) for n in range(3)}
    write_zip(path, content, {"x": np.zeros(100, np.float32)})


def far_shape(path):
    content = {"a": Tensor(Storage(SIX["a"], "0"), 0, (0, 10**30), (1, 1))}
    write_zip(path, content, SIX)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (endless_list, "its pickle has more than 4096 bytes"),
        (endless_name, "its pickle has more than 4096 bytes"),
        (endless_line, "its pickle has more than 4096 bytes"),
        (laughs(lambda key: b"}" + key + b"Ns"), "a dict has a key that is no name"),
        (laughs(lambda key: b"}(" + key + b"Nu"), "a dict has a key that is no name"),
        (many_views, "its tensors are many times larger than its storages"),
        (far_shape, ""),
    ],
)
def test_what_would_take_all_memory_or_time_is_refused(tmp_path, monkeypatch, write, reason):
    monkeypatch.setattr(pth, "_MAX_PICKLE_BYTES", 4096)
    write(tmp_path / "x.pth")
    assert_refused(tmp_path / "x.pth", reason)


def test_two_tensors_may_share_a_storage(tmp_path):
    storage = Storage(SIX["a"], "0")
    content = {name: Tensor(storage, 0, (6,), (1,)) for name in "ab"}
    write_zip(tmp_path / "x.pth", content, SIX)
    assert read_pth(tmp_path / "x.pth").keys() == {"a", "b"}


def test_a_far_index_takes_no_memory(tmp_path):
    """In an array of what a pickle refers to later this one would take 32 GB."""
    start, content = b"\x80\x02", pickled(tensors(SIX))
    assert content.startswith(start)
    far = start + b"Nr" + struct.pack("<I", 2**32 - 1) + content.removeprefix(start)
    write_zip(tmp_path / "x.pth", far, SIX)
    np.testing.assert_array_equal(read_pth(tmp_path / "x.pth")["a"], SIX["a"])
