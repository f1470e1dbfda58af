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
from keras_resnet.preprocessing import Preprocessing
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
        assert json.loads(file.metadata()["keras_resnet"]) == model.get_config()


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
    spec = Preprocessing(size=48, resize=56, mean=(1.0, 2.0, 3.0))
    model = keras_resnet.ResNet50(weights=tmp_path / "x.h5", preprocessing=spec)
    np.testing.assert_array_equal(model.get_layer("fc").kernel, values["predictions/kernel"])
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '1x1'"):
        keras_resnet.ResNet50(weights=tmp_path / "x.h5", bottleneck_stride="3x3")
    write_safetensors(model, tmp_path / "x.safetensors")
    again = keras_resnet.ResNet50(weights=tmp_path / "x.safetensors")
    assert again.preprocessing == spec and again.input_shape == (None, 48, 48, 3)
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
    values = names.to_torch(
        {name: v.numpy() for name, v in names.variables_by_name(keras_resnet.ResNet50()).items()}
    )
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
    other = make(classes=7)
    before = other.get_weights()
    message = r"fc/kernel has .* \(512, 5\).* \(512, 7\) here\. The weights have `classes`=5; incl"
    with pytest.raises(ValueError, match=message):
        load(other, tmp_path / "x.safetensors")
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_deeper_or_shallower_network_is_named(tmp_path):
    for theirs, ours, difference in (
        (18, 34, "lacks conv2_3/bn1/beta"),
        (34, 18, "has conv2_3/bn1"),
    ):
        write_safetensors(make(theirs), tmp_path / "x.safetensors")
        expected = (
            f"holds resnet{theirs} .basic blocks: .*not the network 'resnet{ours}': it {difference}"
        )
        with pytest.raises(ValueError, match=expected):
            load(make(ours), tmp_path / "x.safetensors")


def test_what_has_no_weights_must_agree_too(tmp_path):
    """Option A and a plain net, a rectifier and a tanh, have the same weights."""
    model = keras_resnet.CifarResNet(8)
    for path in (tmp_path / "x.keras", tmp_path / "x.safetensors"):
        model.save(path) if path.suffix == ".keras" else write_safetensors(model, path)
        with pytest.raises(ValueError, match="network with shortcut='A'; .* has shortcut=None"):
            keras_resnet.CifarPlainNet(8, weights=path)
        with pytest.raises(ValueError, match="network with activation='relu'; .*='tanh'"):
            keras_resnet.CifarResNet(8, weights=path, activation="tanh")


def test_weights_of_other_kinds_of_numbers_are_refused(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    values = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    values["fc.bias"] = values["fc.bias"].astype(np.int64)
    safetensors.numpy.save_file(values, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="has int64 for fc/bias, not floats"):
        load(make(), tmp_path / "x.safetensors")


# --- Files of ours


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".safetensors"])
@pytest.mark.parametrize(
    "build",
    [
        lambda **options: keras_resnet.CifarResNet(8, classes=5, **options),
        lambda **options: make(50, **options),
    ],
)
def test_networks_are_loaded_from_what_they_were_saved_as(build, suffix, tmp_path):
    model = with_statistics(build(class_names=list("abcde"), preprocessing=SPEC))
    path = tmp_path / f"x{suffix}"
    if suffix == ".safetensors":
        write_safetensors(model, path)
    elif suffix == ".keras":
        # Also with what an optimizer keeps, and with parts frozen.
        keras_resnet.freeze_batch_norm(model)
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        model.save(path)
    else:
        model.save_weights(path)
    says_all = suffix != ".weights.h5"
    stride = (
        {}
        if says_all or "bottleneck" not in model.get_config()["block"]
        else {"bottleneck_stride": "1x1"}
    )
    again = build(weights=path, **stride)
    for ours, theirs in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.path)
    if says_all:
        assert again.preprocessing == SPEC and again.class_names == tuple("abcde")
        copy = WeightFile(path).network()
        assert copy.get_config() == model.get_config()
        np.testing.assert_array_equal(copy.get_weights()[-1], model.get_weights()[-1])


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_stacked_blocks_are_loaded(suffix, tmp_path):
    model = with_statistics(keras_resnet.CifarResNet(14, stacked=True))
    model.save(tmp_path / "x.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    again = keras_resnet.CifarResNet(14, stacked=True, weights=tmp_path / f"x{suffix}")
    for ours, theirs in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.path)


def test_a_run_directory_is_its_last_network(tmp_path):
    model = with_statistics(keras_resnet.CifarResNet(8))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="has not reached its evaluation"):
        keras_resnet.CifarResNet(8, weights=tmp_path)
    model.save(tmp_path / "model.keras")
    again = keras_resnet.CifarResNet(8, weights=str(tmp_path))
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_network_without_its_top_takes_all_but_the_top(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    headless = make(include_top=False, weights=tmp_path / "x.safetensors")
    for ours, theirs in zip(headless.variables, trained.variables, strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_head_is_left_as_it_is(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    other = make(classes=7)
    head = other.get_layer("fc").get_weights()
    WeightFile(tmp_path / "x.safetensors").assign_to(other, new_head=True)
    np.testing.assert_array_equal(other.get_layer("fc").kernel, head[0])
    for name, variable in names.variables_by_name(trained).items():
        if not name.startswith("fc/"):
            np.testing.assert_array_equal(names.variables_by_name(other)[name], variable)


def test_a_network_is_built_from_weights_alone(tmp_path):
    model = with_statistics(make(50, bottleneck_stride="3x3"))
    values = names.to_torch({n: v.numpy() for n, v in names.variables_by_name(model).items()})
    safetensors.numpy.save_file(values, tmp_path / "x.safetensors")
    file = WeightFile(tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="does not say where its bottlenecks have their stride"):
        file.network()
    built = file.network("3x3")
    assert built.name == "resnet50" and built.input_shape == (None, 224, 224, 3)
    expected = {**model.get_config(), "input_shape": [224, 224, 3]}
    assert built.get_config() == expected
    plain = keras_resnet.CifarPlainNet(8)
    plain.save_weights(tmp_path / "x.weights.h5")
    with pytest.raises(ValueError, match="does not say its `shortcut`: build the network"):
        WeightFile(tmp_path / "x.weights.h5").network()


# --- Bad files


def test_what_is_no_file_of_weights_is_explained(tmp_path):
    for name, content, message in (
        ("a.safetensors", b"junk", "no whole .safetensors file"),
        ("a.h5", b"junk", "holds no weights that can be read"),
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


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", '{"preprocessing": 7}', "7"])
def test_descriptions_that_make_no_sense_are_explained(trained, tmp_path, text):
    values = names.to_torch({n: v.numpy() for n, v in names.variables_by_name(trained).items()})
    safetensors.numpy.save_file(values, tmp_path / "x.safetensors", {"keras_resnet": text})
    with pytest.raises(ValueError, match="describes its network wrongly"):
        WeightFile(tmp_path / "x.safetensors")


def test_numbers_that_numpy_has_not_are_explained(tmp_path):
    header = b'{"conv1.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}'
    content = len(header).to_bytes(8, "little") + header + b"\x00"
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="is no whole .safetensors file"):
        WeightFile(tmp_path / "x.safetensors")


def test_a_cut_file_is_noticed(trained, tmp_path):
    write_safetensors(trained, tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()
    for length in (0, 5, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "y.safetensors").write_bytes(data[:length])
        with pytest.raises(ValueError, match="no whole .safetensors file"):
            load(make(), tmp_path / "y.safetensors")
