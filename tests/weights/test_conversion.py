import contextlib
import dataclasses
import resource

import h5py
import keras
import numpy as np
import peers
import pytest
from letters import SPEC, with_statistics
from segmenters import segmenter

import keras_resnet
from keras_resnet.networks.resnet import logits_model
from keras_resnet.segmentation.files import load_segmenter
from keras_resnet.weights import conversion, names
from keras_resnet.weights.local import WeightFile

SPEC_40 = dataclasses.replace(SPEC, size=peers.SIZE, resize=54)


@pytest.fixture(scope="module")
def bottlenecks():
    return peers.network(preprocessing=SPEC_40, class_names=list("abcde"))


@pytest.fixture(scope="module")
def resnet50():
    return with_statistics(keras_resnet.ResNet50(input_shape=(48, 48, 3), classes=5))


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".safetensors"])
def test_what_is_written_is_read_with_the_same_bits(bottlenecks, tmp_path, suffix):
    path = tmp_path / "new" / f"x{suffix}"
    conversion.write(bottlenecks, path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    file = WeightFile(path)
    expected = peers.ours(bottlenecks)
    assert file.weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(file.weights[name], value)
    assert (file.preprocessing == SPEC_40) == (suffix != ".weights.h5")


def test_keras_applications_loads_what_is_written_for_it(resnet50, tmp_path, rng):
    conversion.write(resnet50, tmp_path / "x.h5")
    assert [each.name for each in tmp_path.iterdir()] == ["x.h5"]
    peer = keras.applications.ResNet50(
        weights=tmp_path / "x.h5",
        input_shape=(48, 48, 3),
        classes=5,
        classifier_activation=None,
    )
    images = rng.normal(size=(2, 48, 48, 3)).astype(np.float32)
    ours = logits_model(resnet50)(images, training=False)
    # Its images are BGR.
    theirs = peer(images[..., ::-1], training=False)
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * np.abs(ours).max())
    # The names and shapes of the 50 layers, and the order in which it publishes them.
    weights = {name: v.numpy() for name, v in names.variables_by_name(resnet50).items()}
    expected = {variable.path: tuple(variable.shape) for variable in peer.variables}
    assert {name: v.shape for name, v in names.to_keras(weights).items()} == expected
    assert names.is_keras(expected) and not names.is_torch(expected)
    with h5py.File(tmp_path / "x.h5") as file:
        # Inputs are numbered.
        layers = [layer.name for layer in peer.layers[1:]]
        assert list(file.attrs["layer_names"])[1:] == layers
        written = [name for layer in layers for name in file[layer].attrs["weight_names"]]
    # As in the files of its weights, with what TensorFlow 1 said of outputs.
    paths = [f"{layer.name}/{v.name}:0" for layer in peer.layers[1:] for v in layer.variables]
    assert written == paths


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras_resnet.CifarResNet(8), "a network with stem='cifar'"),
        (lambda: peers.network("basic"), "a network with block='basic'"),
        (
            lambda: peers.network(bottleneck_stride="3x3"),
            "a network with bottleneck_stride='3x3'",
        ),
        (lambda: peers.network(shortcut="C"), "a network with shortcut='C'"),
        # With the same weights and another function.
        (lambda: peers.network(activation="tanh"), "a network with activation='tanh'"),
        (lambda: peers.network(stacked=True), "a network with stacked=True"),
        (lambda: peers.network(folded=True), "a network with folded=True"),
        # Three blocks of three convolutions, conv1 and fc.
        (peers.network, "a network with 11 layers"),
    ],
)
def test_other_networks_are_not_written_for_keras_applications(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        conversion.write(make(), tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(bottlenecks, tmp_path):
    (tmp_path / "x.keras").write_text("mine")
    with pytest.raises(ValueError, match="exists, and is left as it is"):
        conversion.write(bottlenecks, tmp_path / "x.keras")
    assert (tmp_path / "x.keras").read_text() == "mine"


def test_other_formats_are_refused(bottlenecks, tmp_path):
    for name in ("x.pth", "x", "h5"):
        with pytest.raises(ValueError, match="DEST must end in .keras or .weights.h5"):
            conversion.write(bottlenecks, tmp_path / name)


@contextlib.contextmanager
def files_of_at_most(size):
    """Within the context no file of this process grows beyond a number of bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".keras", ".safetensors"])
def test_half_a_file_is_not_left(bottlenecks, tmp_path, suffix):
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
        conversion.write(bottlenecks, tmp_path / f"x{suffix}")
    assert not list(tmp_path.iterdir())


def test_half_a_file_under_the_name_that_keras_insists_on_is_not_left(tmp_path):
    class Network(keras.Sequential):
        def save_weights(self, path):
            path.write_text("half")
            raise OSError("No space left")

    with pytest.raises(OSError, match="No space left"):
        conversion.write(Network(), tmp_path / "x.weights.h5")
    assert not list(tmp_path.iterdir())


def test_networks_with_others_as_parts_are_keras_files_alone(tmp_path):
    model = segmenter()
    conversion.write_keras(model, tmp_path / "new" / "x.keras")
    assert load_segmenter(tmp_path / "new" / "x.keras").get_config() == model.get_config()
    with pytest.raises(ValueError, match="exists, and is left as it is"):
        conversion.write_keras(model, tmp_path / "new" / "x.keras")
    with pytest.raises(ValueError, match="A FCN is written as .keras alone. Received: .*y.h5"):
        conversion.write_keras(model, tmp_path / "y.h5")
