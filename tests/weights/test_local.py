import contextlib
import dataclasses
import functools
import hashlib
import http.server
import json
import threading

import h5py
import keras
import numpy as np
import peers
import pytest
import safetensors
import safetensors.numpy
import surroundings
from keras.src.legacy.saving import legacy_h5_format
from letters import SPEC, with_statistics

import keras_resnet
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.weights import download
from keras_resnet.weights.local import WeightFile, open_weights, write_safetensors
from keras_resnet.weights.sets import SETS

# Blocks of a network that has the second but not the third block of conv2_x, and the third not.
DEEPER, SHALLOWER = (2, 1), (1, 1)


def make(blocks=(1, 2), block="basic", **options):
    """A small network with the stem of those for ImageNet."""
    settings = {"input_shape": (32, 32, 3), "classes": 5, **options}
    filters = [4 * 2**stage for stage in range(len(blocks))]
    return keras_resnet.ResNet("imagenet", block, blocks, filters, **settings)


@pytest.fixture(scope="module")
def trained():
    """A network whose weights tell one another apart."""
    return with_statistics(make())


@pytest.fixture
def written(trained, tmp_path):
    """A file of its weights."""
    write_safetensors(trained, tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


@pytest.fixture(scope="module")
def applications(tmp_path_factory):
    """ResNet50 of keras.applications, and a file of its weights, `layer/weight`."""
    peer = with_statistics(keras.applications.ResNet50(weights=None))
    values = {variable.path: variable.numpy() for variable in peer.variables}
    path = tmp_path_factory.mktemp("applications") / "x.h5"
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            file[name] = value
    return values, path


@pytest.fixture
def blank_kernels(applications):
    """Networks are built for the weights of that file."""
    with surroundings.with_blank_kernels():
        yield


def load(model, path):
    WeightFile(path).assign_to(model)
    return model


def test_safetensors_and_back_are_the_same_bits(trained, written):
    for ours, theirs in zip(load(make(), written).variables, trained.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_safetensors_have_torchs_names_and_layouts(tmp_path):
    model = peers.network()
    write_safetensors(model, tmp_path / "x.safetensors")
    found, expected = safetensors.numpy.load_file(tmp_path / "x.safetensors"), peers.torchs(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_safetensors_know_what_torch_does_not(tmp_path):
    model = peers.network(bottleneck_stride="3x3", class_names=list("abcde"))
    write_safetensors(model, tmp_path / "x.safetensors")
    with safetensors.safe_open(tmp_path / "x.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["keras_resnet"]) == model.get_config()


def test_what_a_file_says_comes_with_it(tmp_path):
    model = peers.network(bottleneck_stride="3x3", class_names=list("abcde"), preprocessing=SPEC)
    write_safetensors(model, tmp_path / "x.safetensors")
    file = WeightFile(tmp_path / "x.safetensors")
    assert (file.bottleneck_stride, file.class_names) == ("3x3", tuple("abcde"))
    assert file.preprocessing == SPEC
    assert file.check_stride(None) == file.check_stride("3x3") == "3x3"
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '3x3'"):
        file.check_stride("1x1")
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '3x3'"):
        file.network("1x1")


@pytest.mark.usefixtures("blank_kernels")
def test_a_constructor_takes_a_file(applications, tmp_path):
    values, path = applications
    spec = Preprocessing(size=48, resize=56, mean=(1.0, 2.0, 3.0))
    model = keras_resnet.ResNet50(weights=path, preprocessing=spec)
    np.testing.assert_array_equal(model.get_layer("fc").kernel, values["predictions/kernel"])
    with pytest.raises(ValueError, match="`bottleneck_stride` must be one of '1x1'"):
        keras_resnet.ResNet50(weights=path, bottleneck_stride="3x3")
    write_safetensors(model, tmp_path / "x.safetensors")
    again = keras_resnet.ResNet50(weights=tmp_path / "x.safetensors")
    assert again.preprocessing == spec and again.input_shape == (None, 48, 48, 3)
    assert again.get_config()["bottleneck_stride"] == "1x1"


@pytest.fixture
def publish(monkeypatch):
    """Publishes a file as a set of ResNet-50 on this machine, instead of where it is published."""
    with contextlib.ExitStack() as stack:

        def serve(path, name, algorithm, **facts):
            handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=path.parent)
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            stack.enter_context(server)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.shutdown)
            digest = hashlib.new(algorithm, path.read_bytes()).hexdigest()
            here = dataclasses.replace(
                SETS[name][50],
                url=f"http://127.0.0.1:{server.server_address[1]}/{path.name}",
                digest=f"{algorithm}:{digest}",
                **facts,
            )
            monkeypatch.setitem(SETS[name], 50, here)

        yield serve


@pytest.mark.usefixtures("blank_kernels")
def test_a_published_set_comes_with_stride_and_preprocessing(applications, publish):
    values, path = applications
    publish(path, "keras", "md5")
    model = keras_resnet.ResNet50(weights="keras", include_top=False)
    assert model.get_config()["bottleneck_stride"] == "1x1"
    assert model.preprocessing.mean == (123.68, 116.779, 103.939)
    kernel = values["conv5_block3_3_conv/kernel"]
    np.testing.assert_array_equal(model.get_layer("conv5_3").convolutions[2].kernel, kernel)


def test_a_set_of_torchs_comes_with_all_that_its_file_does_not_say(tmp_path, publish):
    """A small network in the place of the published one, in a file that has the names alone."""
    state = peers.torchs(peers.network())
    safetensors.numpy.save_file(state, tmp_path / "model.safetensors")
    for name in ("torchvision/v2", "timm/tv_in1k", "timm/a1_in1k", "imagenet"):
        file_name = f"{name.replace('/', '.')}.safetensors"
        publish(tmp_path / "model.safetensors", name, "sha256", file_name=file_name)
        file = open_weights(name, "ResNet", 50)
        assert file.path == download.weights_directory() / file_name
        assert file.bottleneck_stride == file.check_stride(None) == "3x3"
        assert file.preprocessing == SETS[name][50].preprocessing
        assert file.class_names == imagenet_synsets()
        np.testing.assert_array_equal(file.weights["fc/kernel"], state["fc.weight"].T)


def test_a_file_that_does_not_say_its_stride_needs_it_said(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file(peers.torchs(peers.network()), path)
    message = "`bottleneck_stride` must be '3x3' .torchvision, timm"
    with pytest.raises(ValueError, match=message):
        keras_resnet.ResNet50(weights=path)
    with pytest.raises(ValueError, match=message):
        WeightFile(path).network()
    for place in ("3x3", "1x1"):
        assert WeightFile(path).check_stride(place) == place
        assert WeightFile(path).network(place).get_config()["bottleneck_stride"] == place


def test_weights_of_keras_applications_give_its_answers(tmp_path, rng):
    peer = peers.applications()
    with h5py.File(tmp_path / "legacy.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, peer)
    file = WeightFile(tmp_path / "legacy.h5")
    assert (file.framework, file.bottleneck_stride) == ("keras.applications", "1x1")
    ours = load(peers.network(classifier_activation=None), file.path)
    images = rng.normal(size=(1, peers.SIZE, peers.SIZE, 3)).astype(np.float32)
    # Ours sees RGB.
    expected = peer(images[..., ::-1], training=False)
    np.testing.assert_allclose(
        ours(images, training=False), expected, atol=1e-4 * np.abs(expected).max()
    )


def test_another_network_is_named_with_both_shapes(written):
    other = make(classes=7)
    before = other.get_weights()
    message = r"fc/kernel has .* \(8, 5\).* \(8, 7\) here\. The weights have `classes`=5; incl"
    with pytest.raises(ValueError, match=message):
        load(other, written)
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_deeper_or_shallower_network_is_named(tmp_path):
    for theirs, ours, difference in (
        (SHALLOWER, DEEPER, "lacks conv2_2/bn1/beta"),
        (DEEPER, SHALLOWER, "has conv2_2/bn1/beta besides"),
    ):
        write_safetensors(make(theirs), tmp_path / "x.safetensors")
        layers = 2 * sum(theirs) + 2
        expected = (
            f"holds resnet{layers} .basic blocks: {theirs[0]}, {theirs[1]}., "
            f"not the network 'ours': it {difference}"
        )
        with pytest.raises(ValueError, match=expected):
            load(make(ours, name="ours"), tmp_path / "x.safetensors")


def test_what_has_no_weights_must_agree_too(tmp_path):
    """Option A and a plain net, a rectifier and a tanh, have the same weights."""
    model = keras_resnet.CifarResNet(8)
    for path in (tmp_path / "x.keras", tmp_path / "x.safetensors"):
        model.save(path) if path.suffix == ".keras" else write_safetensors(model, path)
        with pytest.raises(ValueError, match="network with shortcut='A'; .* has shortcut=None"):
            keras_resnet.CifarPlainNet(8, weights=path)
        with pytest.raises(ValueError, match="network with activation='relu'; .*='tanh'"):
            keras_resnet.CifarResNet(8, weights=path, activation="tanh")


def test_weights_of_other_kinds_of_numbers_are_refused(written):
    values = safetensors.numpy.load_file(written)
    values["fc.bias"] = values["fc.bias"].astype(np.int64)
    safetensors.numpy.save_file(values, written)
    with pytest.raises(ValueError, match="has int64 for fc/bias, not floats"):
        load(make(), written)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_weights_that_are_not_finite_are_refused(written, value):
    values = safetensors.numpy.load_file(written)
    # Of float64, of which a float32 would be infinite, too.
    values["fc.bias"] = values["fc.bias"].astype(np.float64)
    values["fc.bias"][[1, 3]] = value
    safetensors.numpy.save_file(values, written)
    model = make()
    before = model.get_weights()
    message = r"x\.safetensors cannot be used: 2 of 5 weights of fc/bias are not finite"
    with pytest.raises(ValueError, match=message):
        load(model, written)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # What is not taken does not matter.
    WeightFile(written).assign_to(make(classes=7), new_head=True)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_so_are_those_in_files_of_keras(suffix, tmp_path):
    model = make()
    model.get_layer("conv1_bn").moving_variance.assign([np.nan] * 4)
    path = tmp_path / f"x{suffix}"
    model.save(path) if suffix == ".keras" else model.save_weights(path)
    with pytest.raises(ValueError, match="4 of 4 weights of conv1_bn/.*variance are not finite"):
        load(make(), path)


# --- Files of ours


@pytest.fixture(scope="module", params=["basic", "bottleneck"])
def described(request):
    """A network with all that files say of it, and a function that builds its like."""
    if request.param == "basic":
        build = functools.partial(keras_resnet.CifarResNet, 8, classes=5)
    else:
        build = functools.partial(make, block="bottleneck")
    model = with_statistics(build(class_names=list("abcde"), preprocessing=SPEC))
    # Also with what an optimizer keeps, and with parts frozen.
    keras_resnet.freeze_batch_norm(model)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model, build


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".safetensors"])
def test_networks_are_loaded_from_what_they_were_saved_as(described, suffix, tmp_path):
    model, build = described
    path = tmp_path / f"x{suffix}"
    writers = {".keras": model.save, ".weights.h5": model.save_weights}
    writers.get(suffix, functools.partial(write_safetensors, model))(path)
    again = load(build(), path)
    for ours, theirs in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.path)
    file = WeightFile(path)
    if suffix == ".weights.h5":
        assert (file.config, file.preprocessing, file.class_names) == (None, None, None)
    else:
        assert file.preprocessing == SPEC and file.class_names == tuple("abcde")
        copy = file.network()
        assert copy.get_config() == model.get_config()
        assert copy.preprocessing == SPEC and copy.class_names == tuple("abcde")
        np.testing.assert_array_equal(copy.get_weights()[-1], model.get_weights()[-1])


@pytest.mark.parametrize("suffix", [".keras", ".safetensors"])
def test_a_constructor_takes_what_its_file_says(suffix, tmp_path):
    model = keras_resnet.CifarResNet(8, classes=5, class_names=list("abcde"), preprocessing=SPEC)
    path = tmp_path / f"x{suffix}"
    model.save(path) if suffix == ".keras" else write_safetensors(model, path)
    again = keras_resnet.CifarResNet(8, classes=5, weights=path)
    assert again.preprocessing == SPEC and again.class_names == tuple("abcde")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_stacked_blocks_are_loaded(suffix, tmp_path):
    model = with_statistics(keras_resnet.CifarResNet(14, stacked=True))
    path = tmp_path / f"x{suffix}"
    model.save(path) if suffix == ".keras" else model.save_weights(path)
    again = keras_resnet.CifarResNet(14, stacked=True, weights=path)
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


def test_a_network_without_its_top_takes_all_but_the_top(trained, written):
    headless = load(make(include_top=False), written)
    for ours, theirs in zip(headless.variables, trained.variables, strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_head_is_left_as_it_is(trained, written):
    other = make(classes=7)
    head = other.get_layer("fc").get_weights()
    WeightFile(written).assign_to(other, new_head=True)
    np.testing.assert_array_equal(other.get_layer("fc").kernel, head[0])
    np.testing.assert_array_equal(other.get_layer("fc").bias, head[1])
    # Kernel and bias of the head are the last two.
    pairs = zip(other.variables[:-2], trained.variables[:-2], strict=True)
    for ours, theirs in pairs:
        assert not ours.path.startswith("fc")
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_is_built_from_weights_alone(tmp_path):
    model = peers.network(bottleneck_stride="3x3", name="resnet11")
    safetensors.numpy.save_file(peers.torchs(model), tmp_path / "x.safetensors")
    file = WeightFile(tmp_path / "x.safetensors")
    assert (file.framework, file.config) == ("torchvision", None)
    with pytest.raises(ValueError, match="does not say where its bottlenecks have their stride"):
        file.network()
    built = file.network("3x3")
    # Of three blocks of three convolutions, conv1 and fc.
    assert built.name == "resnet11" and built.input_shape == (None, 224, 224, 3)
    expected = {**model.get_config(), "input_shape": [224, 224, 3]}
    assert built.get_config() == expected
    for ours, theirs in zip(built.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("make_one", "name"),
    [
        (lambda: keras_resnet.CifarPlainNet(8), "shortcut"),
        (lambda: keras_resnet.ResNet("cifar", "basic", (1,), (4,), input_shape=(8, 8, 1)), "stem"),
    ],
)
def test_what_weights_do_not_say_is_asked_for(tmp_path, make_one, name):
    model = make_one()
    model.save_weights(tmp_path / "x.weights.h5")
    file = WeightFile(tmp_path / "x.weights.h5")
    if name == "stem":
        # Neither of the two.
        file.weights["conv1/kernel"] = np.zeros((5, 5, 1, 4), np.float32)
    with pytest.raises(ValueError, match=f"does not say its `{name}`: build the network"):
        file.network()


@pytest.mark.parametrize(
    ("make_one", "shape"),
    [
        (
            lambda: keras_resnet.CifarResNet(8, shortcut="C", input_shape=(24, 24, 1), classes=3),
            (None, 32, 32, 1),
        ),
        (lambda: make(input_shape=(64, 64, 3)), (None, 224, 224, 3)),
    ],
)
def test_sizes_are_those_of_the_paper_where_a_file_says_none(tmp_path, make_one, shape):
    make_one().save_weights(tmp_path / "x.weights.h5")
    assert WeightFile(tmp_path / "x.weights.h5").network().input_shape == shape


# --- Bad files


def test_what_is_no_file_of_weights_is_explained(tmp_path):
    for name, content, message in (
        ("a.safetensors", b"junk", "is no whole .safetensors file: .*header"),
        ("a.h5", b"junk", "holds no weights that can be read: .*signature"),
        ("a.pth", b"junk", "holds no tensors that can be read"),
        ("a.zip", b"junk", "must end in one of"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message):
            WeightFile(tmp_path / name)
    with pytest.raises(ValueError, match="`weights` must be one of"):
        WeightFile(tmp_path / "b.pth")
    safetensors.numpy.save_file({"vgg": np.zeros(3)}, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="must hold a ResNet with the names of .* Received: vgg"):
        WeightFile(tmp_path / "b.safetensors")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["vgg/kernel"] = np.zeros(3)
    with pytest.raises(ValueError, match="must hold a ResNet .* Received: vgg/kernel, ..."):
        WeightFile(tmp_path / "b.h5")


def test_weights_of_similar_networks_are_named(tmp_path):
    """All that a ResNet has, and something besides: squeeze and excitation, a second head."""
    state = {**peers.torchs(peers.network()), "layer1.0.se.fc1.weight": np.zeros(3, np.float32)}
    safetensors.numpy.save_file(state, tmp_path / "x.safetensors")
    message = "is of another network: 'layer1.0.se.fc1.weight' is no weight of a residual network"
    with pytest.raises(ValueError, match=message):
        WeightFile(tmp_path / "x.safetensors")
    values = {**peers.applications_of(peers.network()), "head/kernel": np.zeros(3)}
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, value in values.items():
            file[name] = value
    message = "is of another network: 'head/kernel' is no weight of a residual network"
    with pytest.raises(ValueError, match=message):
        WeightFile(tmp_path / "x.h5")


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
    for name, message in (
        ("a", "conv1_conv is a link to elsewhere"),
        ("b", "conv1_conv is a link to elsewhere"),
        ("c", "x is kept in other files"),
    ):
        with pytest.raises(ValueError, match=message):
            WeightFile(tmp_path / f"{name}.h5")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "recursion"),
        ("{}", "'preprocessing'"),
        ('{"preprocessing": 7}', "preprocessing"),
        ("7", "not iterable"),
    ],
)
def test_descriptions_that_make_no_sense_are_explained(written, text, reason):
    values = safetensors.numpy.load_file(written)
    safetensors.numpy.save_file(values, written, {"keras_resnet": text})
    with pytest.raises(ValueError, match=f"describes its network wrongly: .*{reason}"):
        WeightFile(written)


def test_a_stride_that_is_none_is_explained(tmp_path):
    model = peers.network()
    config = {**model.get_config(), "bottleneck_stride": "2x2"}
    metadata = {"keras_resnet": json.dumps(config)}
    safetensors.numpy.save_file(peers.torchs(model), tmp_path / "x.safetensors", metadata)
    message = "describes its network wrongly: `bottleneck_stride` must be one of '1x1', '3x3'"
    with pytest.raises(ValueError, match=message):
        WeightFile(tmp_path / "x.safetensors")


def test_numbers_that_numpy_has_not_are_explained(tmp_path):
    header = b'{"conv1.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}'
    content = len(header).to_bytes(8, "little") + header + b"\x00"
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="is no whole .safetensors file"):
        WeightFile(tmp_path / "x.safetensors")


def test_a_cut_file_is_noticed(written):
    data = written.read_bytes()
    for length in (0, 5, 100, len(data) // 2, len(data) - 1):
        written.write_bytes(data[:length])
        with pytest.raises(ValueError, match="no whole .safetensors file"):
            WeightFile(written)
