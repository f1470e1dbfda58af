import io
import json
import pathlib
import re
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.runs import run_directory
from keras_resnet.weights import keras_files
from keras_resnet.weights.local import WeightFile


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "x.keras"
    keras_resnet.CifarResNet(8).save(path)
    return path


@pytest.fixture
def saved(whole, tmp_path):
    return pathlib.Path(shutil.copy(whole, tmp_path))


def replaced(path, compression=zipfile.ZIP_STORED, **members):
    """Writes a `.keras` file anew with other members."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents.update(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)


def weights_with(change):
    """The bytes of a file of weights that a function has changed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        change(file)
    return buffer.getvalue()


def variables_of(file):
    """The group of a convolution's variables, in a file of Keras's layout."""
    variables = file.create_group("layers/convolution/vars")
    variables.attrs["name"] = "conv1"
    return variables


def assert_refused(path, reason):
    expected = f"{path} is damaged, or holds no weights that can be read: {reason}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        keras_files.read_weights(path)


def config_with(path, **changes):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"].update(changes)
    return json.dumps(config)


def test_weights_have_the_names_of_layers(saved):
    weights = keras_files.read_weights(saved)
    model = keras.saving.load_model(saved)
    kernel = model.get_layer("conv3_1").convolutions[1].kernel
    np.testing.assert_array_equal(weights["conv3_1/conv2/kernel"], kernel)
    variance = model.get_layer("conv1_bn").moving_variance
    np.testing.assert_array_equal(weights["conv1_bn/moving_variance"], variance)
    assert len(weights) == len(model.variables)


def test_the_file_of_a_run_is_its_network(tmp_path):
    with pytest.raises(ValueError, match="neither a run directory nor a .keras file"):
        keras_files.keras_file(tmp_path)
    (tmp_path / "config.json").touch()
    with pytest.raises(ValueError, match="does not exist yet: the run has not reached its"):
        keras_files.keras_file(tmp_path)
    (tmp_path / "model.keras").touch()
    assert keras_files.keras_file(str(tmp_path)) == tmp_path / "model.keras"
    assert keras_files.keras_file(tmp_path / "model.keras") == tmp_path / "model.keras"
    with pytest.raises(ValueError, match="No run directory and no .keras file at"):
        keras_files.keras_file(tmp_path / "missing")


def test_what_is_no_archive_is_no_keras_file(tmp_path):
    (tmp_path / "x.keras").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"x\.keras is no \.keras file, or a damaged one"):
        keras_files.read_config(tmp_path / "x.keras")


def test_code_in_a_model_is_not_run(saved, tmp_path):
    """A Lambda layer is a program; neither the reader of weights nor load_network starts it."""
    evil = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)])
    evil.save(tmp_path / "evil.keras")
    ran = tmp_path / "ran"
    lambda_config = json.dumps(
        {
            "module": "builtins",
            "class_name": "exec",
            "registered_name": "keras_resnet>ResNet",
            "config": {"source": f"open({str(ran)!r}, 'w')"},
        }
    )
    replaced(saved, **{"config.json": lambda_config})
    for path, message in ((tmp_path / "evil.keras", "holds a Sequential"), (saved, "wrongly")):
        with pytest.raises(ValueError, match=message):
            WeightFile(path).network()
        with pytest.raises(ValueError, match="holds a Sequential|wrongly"):
            run_directory.load_network(path)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"config.json": "{"}, "is damaged: Expecting"),
        ({"config.json": "[]"}, "is damaged: 'list' object"),
        ({"config.json": None}, "is damaged: .*no item named 'config.json'"),
        ({"config.json": '{"registered_name": "keras_resnet>ResNet"}'}, "is damaged: 'config'"),
        ({"model.weights.h5": b"junk"}, "holds no weights that can be read: .*signature"),
        ({"model.weights.h5": None}, "holds no weights that can be read: .*no item named"),
    ],
)
def test_a_file_without_its_parts_is_explained(saved, members, message):
    replaced(saved, **members)
    with pytest.raises(ValueError, match=message):
        WeightFile(saved)


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_what_unpacks_to_more_than_there_is_is_refused(saved, whole, member):
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(saved, "w") as copy:
        for name in archive.namelist():
            compression = zipfile.ZIP_DEFLATED if name == member else zipfile.ZIP_STORED
            copy.writestr(name, archive.read(name), compression)
    with pytest.raises(ValueError, match=rf"{re.escape(member)} is compressed"):
        WeightFile(saved)


def test_a_flipped_bit_is_noticed(saved):
    """HDF5 itself keeps no checksums of arrays."""
    kernel = keras.saving.load_model(saved).get_layer("fc").kernel.numpy().tobytes()
    data = bytearray(saved.read_bytes())
    data[data.index(kernel)] ^= 1
    saved.write_bytes(data)
    assert_refused(saved, "Bad CRC-32 for file 'model.weights.h5'")


def test_paths_out_of_the_archive_lead_nowhere(saved, tmp_path):
    replaced(saved, **{"../escaped": b"x", "/escaped": b"x"})
    assert WeightFile(saved).network().classes == 10
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize("secret", ["secret.h5", "missing.h5"])
def test_links_out_of_the_weights_are_not_followed(saved, tmp_path, secret):
    """Neither to see whether there is anything."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros(3, np.float32)
        file["group/vars/0"] = np.zeros(3, np.float32)
    secret = str(tmp_path / secret)

    def external_group(file):
        file["layers"] = h5py.ExternalLink(secret, "/group")

    def external_layer(file):
        file["layers/conv1"] = h5py.ExternalLink(secret, "/group")

    def external_variables(file):
        file["layers/conv1/vars"] = h5py.ExternalLink(secret, "/group/vars")

    def external_variable(file):
        variables_of(file)["0"] = h5py.ExternalLink(secret, "/x")

    def soft_variable(file):
        variables_of(file)["0"] = h5py.SoftLink("/layers")

    def external_weight(file):
        file["conv1/kernel"] = h5py.ExternalLink(secret, "/x")

    def raw_variable(file):
        raw = [(secret, 0, 12)]
        variables_of(file).create_dataset("0", (3,), np.float32, external=raw)

    def virtual_variable(file):
        layout = h5py.VirtualLayout((3,), np.float32)
        layout[:] = h5py.VirtualSource(secret, "x", (3,))
        variables_of(file).create_virtual_dataset("0", layout)

    for change, reason in (
        (external_group, "layers is a link to elsewhere"),
        (external_layer, "conv1 is a link to elsewhere"),
        (external_variables, "vars is a link to elsewhere"),
        (external_variable, "0 is a link to elsewhere"),
        (soft_variable, "0 is a link to elsewhere"),
        (external_weight, "kernel is a link to elsewhere"),
        (raw_variable, "0 is kept in other files"),
        (virtual_variable, "0 is kept in other files"),
    ):
        replaced(saved, **{"model.weights.h5": weights_with(change)})
        assert_refused(saved, reason)


def test_an_array_larger_than_its_file_is_refused(tmp_path):
    """HDF5 fills what was never written with zeros: a terabyte of them takes no disk."""
    path = tmp_path / "x.weights.h5"

    def change(file):
        variables_of(file).create_dataset("0", (2**20, 2**18), np.float32, chunks=(1024, 1024))

    path.write_bytes(weights_with(change))
    assert_refused(path, "0 is larger than its file")


@pytest.mark.parametrize("number", [1, 2])
def test_all_arrays_together_are_no_larger_than_their_file(tmp_path, number):
    path = tmp_path / "x.weights.h5"

    def change(file):
        file.attrs["padding"] = np.zeros(10**4, np.float32)
        variables = variables_of(file)
        for place in range(number):
            variables.create_dataset(str(place), (7500,), np.float32, chunks=(7500,))

    path.write_bytes(weights_with(change))
    assert 30_000 < path.stat().st_size < 60_000
    if number == 1:
        assert keras_files.read_weights(path)["conv1/kernel"].shape == (7500,)
    else:
        assert_refused(path, "1 is larger than its file")


def doubling_groups(file):
    """Each group holds the next one twice: 2^60 paths."""
    group = file.create_group("layers")
    for _ in range(60):
        group["a"] = group["b"] = inner = file.create_group(None)
        group = inner


def many_links(file):
    variables = variables_of(file)
    variables["0"] = np.zeros(10**5, np.float32)
    for place in range(1, 100):
        variables[str(place)] = variables["0"]


def of_kind(values):
    def change(file):
        variables_of(file)["0"] = values

    return change


def group_for_array(file):
    variables_of(file).create_group("0")


def array_for_group(file):
    """Whose rows are as many as one cares to say."""
    file.create_dataset("layers", (10**4,), np.float32, chunks=(10**4,))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (doubling_groups, "b is there twice"),
        (many_links, "1 is there twice"),
        (of_kind(np.array([b"x", b"y"])), "0 is no array of numbers"),
        (of_kind(np.zeros(3, np.complex64)), "0 is no array of numbers"),
        (of_kind(np.zeros(3, [("a", np.float32)])), "0 is no array of numbers"),
        (group_for_array, "0 is no array of numbers"),
        (array_for_group, "layers is no group"),
    ],
)
def test_what_would_take_all_memory_or_time_is_refused(tmp_path, change, reason):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(weights_with(change))
    assert_refused(path, reason)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8, bool])
def test_numbers_of_all_kinds_are_read(tmp_path, dtype):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(weights_with(of_kind(np.array([0, 1], dtype))))
    found = keras_files.read_weights(path)["conv1/kernel"]
    assert found.dtype == dtype and list(found) == [0, 1]


@pytest.mark.parametrize(
    "values",
    [
        {"conv1_conv/kernel": np.zeros(3, np.float32)},
        {"conv1_bn/moving_mean": np.zeros(4), "conv1_conv/bias": np.zeros(3)},
    ],
)
def test_arrays_of_impossible_shapes_are_explained(tmp_path, values):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in ("conv1_conv/kernel", "conv2_block1_1_conv/kernel"):
            file[name] = values.pop(name, np.zeros((1, 1, 3, 4), np.float32))
        for name, value in values.items():
            file[name] = value
    with pytest.raises(ValueError, match=r"x\.h5 "):
        WeightFile(tmp_path / "x.h5").network()
