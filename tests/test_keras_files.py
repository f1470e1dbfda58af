import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import runs
from keras_resnet.weights import keras_files
from keras_resnet.weights.local import WeightFile


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "x.keras"
    keras_resnet.CifarResNet(8).save(path)
    return path


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
            runs.load_network(path)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"config.json": "{"}, "is damaged"),
        ({"config.json": "[]"}, "is damaged"),
        ({"config.json": None}, "is damaged"),
        ({"config.json": '{"registered_name": "keras_resnet>ResNet"}'}, "is damaged"),
        ({"model.weights.h5": b"junk"}, "holds no weights that can be read"),
        ({"model.weights.h5": None}, "holds no weights that can be read"),
    ],
)
def test_a_file_without_its_parts_is_explained(saved, members, message):
    replaced(saved, **members)
    with pytest.raises(ValueError, match=message):
        WeightFile(saved)


def test_what_unpacks_to_more_than_there_is_is_refused(saved):
    replaced(saved, zipfile.ZIP_DEFLATED, **{"model.weights.h5": bytes(10**7)})
    with pytest.raises(ValueError, match=r"config\.json is compressed"):
        WeightFile(saved)


def test_paths_out_of_the_archive_lead_nowhere(saved, tmp_path):
    replaced(saved, **{"../escaped": b"x", "/escaped": b"x"})
    assert WeightFile(saved).network().classes == 10
    assert not (tmp_path.parent / "escaped").exists()


def test_links_out_of_the_weights_are_not_followed(saved, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros(3)

    def external_group(file):
        file["layers"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")

    def external_variable(file):
        variables = file.create_group("layers/convolution/vars")
        variables.attrs["name"] = "conv1"
        variables["0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/x")

    def raw_variable(file):
        variables = file.create_group("layers/convolution/vars")
        variables.attrs["name"] = "conv1"
        raw = [(str(tmp_path / "secret.h5"), 0, 12)]
        variables.create_dataset("0", (3,), np.float32, external=raw)

    for change in (external_group, external_variable, raw_variable):
        replaced(saved, **{"model.weights.h5": weights_with(change)})
        with pytest.raises(ValueError, match="link to elsewhere|kept in other files"):
            WeightFile(saved)


def test_an_array_larger_than_its_file_is_refused(tmp_path):
    """HDF5 fills what was never written with zeros: a terabyte of them takes no disk."""
    path = tmp_path / "x.weights.h5"

    def change(file):
        variables = file.create_group("layers/convolution/vars")
        variables.attrs["name"] = "conv1"
        variables.create_dataset("0", (2**20, 2**18), np.float32, chunks=(1024, 1024))

    path.write_bytes(weights_with(change))
    with pytest.raises(ValueError, match="0 is larger than its file"):
        WeightFile(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": [10**9, 1, 1]},
        {"blocks": "many"},
        {"blocks": [1, 1]},
        {"filters": None},
        {"filters": [10**9, 32, 64]},
        {"classes": 10**9},
        {"input_shape": [32, 32, 10**9]},
        {"stacked": True, "blocks": [10**9, 1, 1]},
        {"preprocessing": {"size": -1}},
        {"block": "os.system"},
        {"class_names": 7},
        {"dtype": "__import__"},
        {"surprise": 1},
    ],
)
def test_a_network_that_is_described_wrongly_is_refused(saved, changes):
    replaced(saved, **{"config.json": config_with(saved, **changes)})
    with pytest.raises(ValueError, match="describes its network wrongly|not the network"):
        WeightFile(saved).network()


def doubling_groups(file):
    """Each group holds the next one twice: 2^60 paths."""
    group = file.create_group("layers")
    for _ in range(60):
        group["a"] = group["b"] = inner = file.create_group(None)
        group = inner


def many_links(file):
    file["layers/conv/vars/0"] = np.zeros(10**5, np.float32)
    variables = file["layers/conv/vars"]
    variables.attrs["name"] = "conv1"
    for place in range(1, 100):
        variables[str(place)] = variables["0"]


def strings(file):
    file["layers/conv/vars/0"] = np.array([b"x", b"y"])
    file["layers/conv/vars"].attrs["name"] = "conv1"


@pytest.mark.parametrize("change", [doubling_groups, many_links, strings])
def test_what_would_take_all_memory_or_time_is_refused(tmp_path, change):
    path = tmp_path / "x.weights.h5"
    path.write_bytes(weights_with(change))
    with pytest.raises(ValueError, match="is there twice|no array of numbers"):
        WeightFile(path)


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
