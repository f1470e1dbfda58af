import dataclasses
import functools
import hashlib
import http.server
import json
import threading

import h5py
import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from letters import SPEC, with_statistics

import keras_resnet
from keras_resnet.weights import names
from keras_resnet.weights.local import WeightFile, write_safetensors
from keras_resnet.weights.sets import SETS


def make(depth=18, **options):
    settings = {"input_shape": (32, 32, 3), "classes": 5, **options}
    return getattr(keras_resnet, f"ResNet{depth}")(**settings)


@pytest.fixture(scope="module")
def trained():
    """A network whose weights tell one another apart."""
    return with_statistics(make())


def load(model, path):
    WeightFile(path).assign_to(model)
    return model


def test_safetensors_and_back_are_the_same_bits(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    for ours, theirs in zip(
        load(make(), tmp_path / "x.safetensors").variables, trained.variables, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_safetensors_know_what_torch_does_not(tmp_path):
    model = make(50, bottleneck_stride="3x3", class_names=list("abcde"))
    write_safetensors(model, tmp_path / "x.safetensors")
    with safetensors.safe_open(tmp_path / "x.safetensors", "numpy") as file:
        metadata = {name: json.loads(text) for name, text in file.metadata().items()}
    assert metadata == {"bottleneck_stride": "3x3", "class_names": list("abcde")}


def test_what_a_file_says_comes_with_it(tmp_path):
    model = make(50, bottleneck_stride="3x3", class_names=list("abcde"), preprocessing=SPEC)
    write_safetensors(model, tmp_path / "x.safetensors")
    file = WeightFile(tmp_path / "x.safetensors")
    assert (file.bottleneck_stride, file.class_names) == ("3x3", tuple("abcde"))
    assert file.preprocessing == SPEC
    assert file.check_stride(None) == file.check_stride("3x3") == "3x3"
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '3x3'"):
        file.check_stride("1x1")


def test_a_constructor_takes_a_file(tmp_path, rng):
    peer = with_statistics(keras.applications.ResNet50(weights=None))
    values = {variable.path: variable.numpy() for variable in peer.variables}
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for path, value in values.items():
            file[path] = value
    model = keras_resnet.ResNet50(weights=tmp_path / "x.h5", preprocessing=SPEC)
    np.testing.assert_array_equal(model.get_layer("fc").kernel, values["predictions/kernel"])
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '1x1'"):
        keras_resnet.ResNet50(weights=tmp_path / "x.h5", bottleneck_stride="3x3")
    write_safetensors(model, tmp_path / "x.safetensors")
    again = keras_resnet.ResNet50(weights=tmp_path / "x.safetensors")
    assert again.preprocessing == SPEC
    assert again.get_config()["bottleneck_stride"] == "1x1"


def test_a_published_set_comes_with_stride_and_preprocessing(tmp_path, monkeypatch):
    """From a server on this machine, in place of the one that publishes it."""
    peer = with_statistics(keras.applications.ResNet50(weights=None))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for variable in peer.variables:
            file[variable.path] = variable.numpy()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = dataclasses.replace(
            SETS["keras"][50],
            url=f"http://127.0.0.1:{server.server_address[1]}/x.h5",
            digest=f"md5:{hashlib.md5((tmp_path / 'x.h5').read_bytes()).hexdigest()}",
        )
        monkeypatch.setitem(SETS["keras"], 50, here)
        model = keras_resnet.ResNet50(weights="keras", include_top=False)
        server.shutdown()
    assert model.get_config()["bottleneck_stride"] == "1x1"
    assert model.preprocessing.mean == (123.68, 116.779, 103.939)
    kernel = peer.get_layer("conv5_block3_3_conv").kernel
    np.testing.assert_array_equal(model.get_layer("conv5_3").convolutions[2].kernel, kernel)


def test_a_file_that_does_not_say_its_stride_needs_it_said(tmp_path):
    values = {
        names.torch_name(name): names.to_torch(name, variable.numpy())
        for name, variable in names.variables_by_name(keras_resnet.ResNet50()).items()
    }
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file(values, path)
    with pytest.raises(ValueError, match="`bottleneck_stride` must be '3x3' .torchvision, timm"):
        keras_resnet.ResNet50(weights=path)
    model = keras_resnet.ResNet50(weights=path, bottleneck_stride="3x3")
    assert model.get_config()["bottleneck_stride"] == "3x3"


def test_weights_of_keras_applications_give_its_answers(tmp_path, rng):
    peer = with_statistics(keras.applications.ResNet50(weights=None, classifier_activation=None))
    legacy = tmp_path / "legacy.h5"
    with h5py.File(legacy, "w") as file:
        for layer in peer.layers:
            for variable in layer.variables:
                file[f"{layer.name}/{layer.name}/{variable.name}:0"] = variable.numpy()
    ours = load(keras_resnet.ResNet50(classifier_activation=None), legacy)
    images = rng.normal(size=(1, 224, 224, 3)).astype(np.float32)
    # Ours sees RGB.
    expected = peer(images[..., ::-1], training=False)
    np.testing.assert_allclose(
        ours(images, training=False), expected, atol=1e-4 * np.abs(expected).max()
    )


def test_another_network_is_named_with_both_shapes(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"has no 'layer1.2.conv1.weight': .* another depth"):
        load(make(34), tmp_path / "x.safetensors")
    other = make(classes=7)
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"fc/kernel has the shape \(512, 5\).*\(512, 7\) here"):
        load(other, tmp_path / "x.safetensors")
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_no_file_of_weights_is_explained(tmp_path):
    for name, content, message in (
        ("a.safetensors", b"junk", "no whole .safetensors file"),
        ("a.h5", b"junk", "no whole .h5 file"),
        ("a.pth", b"junk", "holds no tensors"),
        ("a.zip", b"junk", "must end in one of"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load(make(), tmp_path / name)
    with pytest.raises(ValueError, match="`weights` must be one of"):
        load(make(), tmp_path / "b.pth")
    safetensors.numpy.save_file({"vgg": np.zeros(3)}, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="must hold a ResNet with the names of .* Received: vgg"):
        load(make(), tmp_path / "b.safetensors")


def test_links_out_of_a_file_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["conv1_conv"] = h5py.ExternalLink("secret.h5", "/x")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["conv1_conv"] = h5py.SoftLink("/elsewhere")
    (tmp_path / "raw").write_bytes(bytes(100))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("x", (5,), np.float32, external=[(str(tmp_path / "raw"), 0, 20)])
    for name, message in (("a", "link to elsewhere"), ("b", "link"), ("c", "kept in other files")):
        with pytest.raises(ValueError, match=message):
            load(make(), tmp_path / f"{name}.h5")


def test_a_cut_file_is_noticed(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()
    for length in (0, 5, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "y.safetensors").write_bytes(data[:length])
        with pytest.raises(ValueError, match="no whole .safetensors file"):
            load(make(), tmp_path / "y.safetensors")
