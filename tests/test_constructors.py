import functools
import inspect
import json

import keras
import numpy as np
import pytest
import surroundings

import keras_resnet
from keras_resnet import constructors
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks import analysis, layers


@pytest.fixture(scope="module", autouse=True)
def blank_kernels():
    with surroundings.with_blank_kernels():
        yield


@functools.cache
def build(name, **arguments):
    return getattr(keras_resnet, name)(**arguments)


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def shortcuts_of(model, kind):
    blocks = [layer for layer in model.layers if hasattr(layer, "shortcut_layer")]
    return [block.name for block in blocks if isinstance(block.shortcut_layer, kind)]


def model_names(model):
    return [layer.name for layer in model.layers]


@pytest.fixture
def narrow(monkeypatch):
    """The networks of Table 1 have few channels, which makes them quick to build."""
    monkeypatch.setattr(constructors, "IMAGENET_WIDTH", 2)


def test_width_is_the_number_of_filters_of_the_first_stage():
    networks = [build("ResNet10", width=6), keras_resnet.CifarResNet(8, width=6)]
    for network, stages in zip(networks, (4, 3), strict=True):
        expected = [6 * 2**stage for stage in range(stages)]
        for stage, filters in enumerate(expected, 2):
            last = [name for name in model_names(network) if name.startswith(f"conv{stage}_")][-1]
            assert network.get_layer(last).output.shape[-1] == filters
        assert network.get_layer("conv1").filters == 6
        with pytest.raises(ValueError, match="`width` must be an integer of at least 1"):
            build("ResNet10", width=0)


# Table 1, option B, bias-free convolutions, 1000 classes; the numbers of torchvision and timm too.
# That of 101 layers is with the tables in test_paper.py.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ResNet10", 5_418_792),
        ("ResNet18", 11_689_512),
        ("ResNet34", 21_797_672),
        ("ResNet50", 25_557_032),
        ("ResNet152", 60_192_808),
    ],
)
def test_imagenet_networks_have_the_published_parameters(name, parameters):
    assert count(build(name).trainable_variables) == parameters


def test_cifar_networks_have_the_published_parameters():
    assert count(keras_resnet.CifarResNet(20).trainable_variables) == 269_722


@pytest.mark.parametrize("depth", [18, 34])
def test_option_a_has_as_many_parameters_as_the_plain_net(narrow, depth):
    residual = getattr(keras_resnet, f"ResNet{depth}")(shortcut="A")
    plain = getattr(keras_resnet, f"PlainNet{depth}")()
    assert count(residual.variables) == count(plain.variables)


def test_option_b_projects_only_where_the_shape_changes(narrow):
    model = keras_resnet.ResNet34(shortcut="B")
    projected = shortcuts_of(model, layers.ProjectionShortcut)
    assert projected == ["conv3_1", "conv4_1", "conv5_1"] == analysis.projections(model)


def test_bottlenecks_project_also_where_they_widen_conv2_x_from_64_to_256_channels():
    projected = shortcuts_of(build("ResNet50"), layers.ProjectionShortcut)
    assert projected == ["conv2_1", "conv3_1", "conv4_1", "conv5_1"]


def test_option_a_pads_where_option_b_projects(narrow):
    model = keras_resnet.ResNet34(shortcut="A")
    assert shortcuts_of(model, layers.ZeroPaddedShortcut) == ["conv3_1", "conv4_1", "conv5_1"]
    assert shortcuts_of(model, layers.ProjectionShortcut) == []


def test_option_c_projects_everywhere(narrow):
    model = keras_resnet.ResNet34(shortcut="C")
    assert len(shortcuts_of(model, layers.ProjectionShortcut)) == 16


@pytest.mark.parametrize("name", ["ResNet18", "ResNet34", "ResNet50", "ResNet152"])
def test_stages_halve_the_resolution_from_112_to_7(name):
    model = build(name)
    last = [max(n for n in model_names(model) if n.startswith(f"conv{s}_")) for s in (2, 3, 4, 5)]
    sizes = [model.get_layer(layer).output.shape[1:3] for layer in ("conv1", *last)]
    assert sizes == [(112, 112), (56, 56), (28, 28), (14, 14), (7, 7)]


def test_blocks_are_named_as_in_table_1():
    names = [
        name for name in model_names(build("ResNet152")) if "_" in name and "conv1" not in name
    ]
    expected = [
        f"conv{stage}_{block}"
        for stage, blocks in ((2, 3), (3, 8), (4, 36), (5, 3))
        for block in range(1, blocks + 1)
    ]
    assert [name for name in names if name.startswith("conv")] == expected


def strides_of_conv4_1(model):
    block = model.get_layer("conv4_1")
    assert block.shortcut_layer.conv.strides == (2, 2)
    return [conv.strides[0] for conv in block.convolutions]


@pytest.mark.parametrize(("bottleneck_stride", "strides"), [("1x1", [2, 1, 1]), ("3x3", [1, 2, 1])])
def test_bottleneck_stride_moves_between_1x1_and_3x3(narrow, bottleneck_stride, strides):
    model = keras_resnet.ResNet50(bottleneck_stride=bottleneck_stride)
    assert strides_of_conv4_1(model) == strides


def test_bottleneck_stride_is_the_authors_by_default():
    assert strides_of_conv4_1(build("ResNet50")) == [2, 1, 1]


def test_networks_are_as_their_names_say(narrow):
    table = {"ResNet": (10, 18, 34, 50, 101, 152), "PlainNet": (18, 34)}
    names = [f"{network}{depth}" for network, depths in table.items() for depth in depths]
    for name in names:
        construct = getattr(keras_resnet, name)
        assert construct.__name__ == name
        kind = "plain" if name.startswith("Plain") else "residual"
        source = "of one block a stage" if name == "ResNet10" else "of Table 1"
        layers_in_words = f"The {name[-3:].lstrip('et')}-layer {kind} network {source}"
        assert construct.__doc__.startswith(layers_in_words)
    model = constructors.constructor("PlainNet", 18)()
    config = model.get_config()
    assert (model.name, config["block"], config["blocks"]) == ("plainnet18", "basic", [2, 2, 2, 2])
    assert (config["stem"], config["shortcut"], config["classes"]) == ("imagenet", None, 1000)
    assert model.input_shape == (None, 224, 224, 3)
    for network, shortcut in (("CifarResNet", "A"), ("CifarPlainNet", None)):
        model = constructors.constructor(network, 14)()
        config = model.get_config()
        assert (model.name, config["block"]) == (f"cifar_{network[5:].lower()}14", "basic")
        assert (config["blocks"], config["filters"]) == ([2, 2, 2], [16, 32, 64])
        assert (config["stem"], config["shortcut"], config["classes"]) == ("cifar", shortcut, 10)
        assert model.input_shape == (None, 32, 32, 3)


def test_every_argument_reaches_the_network(narrow):
    arguments = {
        "include_top": False,
        "pooling": "max",
        "classes": 3,
        "classifier_activation": None,
        "name": "mine",
        "stem": "cifar",
        "activation": "tanh",
        "shortcut": "C",
        "class_names": ["a", "b", "c"],
        "dtype": "float64",
    }
    preprocessing = Preprocessing(40, 48, (1.5,), channels=1)
    for construct, others in (
        (keras_resnet.ResNet18, {"block": "outer_addition", "synchronized": True}),
        (keras_resnet.ResNet18, {"block": "inverted_bottleneck", "stacked": True}),
        (keras_resnet.ResNet50, {"bottleneck_stride": "3x3", "stacked": False}),
        (functools.partial(keras_resnet.CifarResNet, 8), {"output_stride": 2, "folded": True}),
    ):
        expected = {**arguments, **others}
        given = dict(expected)
        if isinstance(construct, functools.partial):
            del given["stem"]
        config = construct(preprocessing=preprocessing, **given).get_config()
        assert {key: config[key] for key in expected} == expected
        assert config["preprocessing"] == preprocessing.to_json()
        # Without the top a network takes any size, of as many channels as its preprocessing gives.
        assert config["input_shape"] == [None, None, 1]


def test_the_preprocessing_gives_the_size(narrow):
    preprocessing = Preprocessing(40, 48, (1.5,), channels=1)
    for construct in (keras_resnet.ResNet18, functools.partial(keras_resnet.CifarResNet, 8)):
        assert construct(preprocessing=preprocessing).input_shape == (None, 40, 40, 1)
        model = construct(preprocessing=preprocessing, input_shape=(64, 33, 3))
        assert model.input_shape == (None, 64, 33, 3)


def test_signature_begins_like_keras_applications():
    ours = list(inspect.signature(keras_resnet.ResNet50).parameters)
    peer = list(inspect.signature(keras.applications.ResNet50).parameters)
    assert ours[: len(peer)] == peer


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keras_resnet.CifarPlainNet(8, shortcut="A"), "`shortcut` must be one of None"),
        (
            lambda: keras_resnet.ResNet18(weights="x.pth"),
            "`weights` must be one of .*or the path of a file",
        ),
        (lambda: keras_resnet.ResNet18(shortcut="D"), "`shortcut` must be one of 'B', 'A', 'C'"),
        (lambda: keras_resnet.PlainNet18(shortcut="A"), "`shortcut` must be one of None"),
        (
            lambda: keras_resnet.ResNet18(bottleneck_stride="3x3"),
            "`bottleneck_stride` must be None",
        ),
        (lambda: keras_resnet.ResNet50(bottleneck_stride="2x2"), "`bottleneck_stride` must be one"),
        (lambda: keras_resnet.ResNet50(pooling="mean"), "`pooling` must be one of"),
        (lambda: keras_resnet.ResNet50(classes=0), "`classes` must be an integer of at least 1"),
        (lambda: keras_resnet.ResNet50(classifier_activation="relu"), "`classifier_activation`"),
        (lambda: keras_resnet.ResNet50(input_shape=(224, 224)), "`input_shape` must be"),
        (lambda: keras_resnet.ResNet50(input_shape=(0, 9, 3)), "`input_shape` must be"),
        (lambda: keras_resnet.ResNet50(input_shape=(9, 9, None)), "`input_shape` must be"),
        (lambda: keras_resnet.ResNet50(input_tensor=np.zeros(3)), "`input_tensor` must come from"),
        (lambda: keras_resnet.CifarResNet(21), "`depth` must be 6n\\+2"),
        (lambda: keras_resnet.CifarResNet("20"), "`depth` must be an integer"),
        (lambda: keras_resnet.CifarResNet(2), "`depth` must be an integer of at least 8"),
        (
            lambda: keras_resnet.CifarPlainNet(20, weights="imagenet"),
            "'imagenet' has weights for the ResNets .* for another network",
        ),
        *(
            (
                lambda arguments=arguments: keras_resnet.ResNet18(weights="imagenet", **arguments),
                "'imagenet' has weights for the ResNets .* for another network",
            )
            for arguments in (
                {"shortcut": "A"},
                {"shortcut": "C"},
                {"stem": "cifar"},
                {"block": "outer_addition"},
                {"activation": "leaky_relu"},
            )
        ),
        (
            lambda: keras_resnet.ResNet18(weights="keras"),
            "'keras' has weights for the ResNets of Table 1 with 50, 101",
        ),
        (lambda: keras_resnet.CifarResNet(8, class_names=["a"]), "`class_names` must hold"),
        (lambda: keras_resnet.CifarResNet(8, dtype="float7"), "`dtype` must be"),
        (
            lambda: constructors.constructor("ResNet", 60),
            "`depth` must be one of 10, 18, 34, 50, 101, 152",
        ),
        (lambda: constructors.constructor("PlainNet", 50), "`depth` must be one of 18, 34"),
        (lambda: constructors.constructor("VGG", 19), "`network` must be one of"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "Received" in str(error.value)


@pytest.mark.parametrize(("network", "depth", "size"), [("ResNet", 18, 31), ("CifarResNet", 8, 3)])
def test_images_too_small_for_the_network_are_refused(narrow, network, depth, size):
    construct = constructors.constructor(network, depth)
    with pytest.raises(ValueError, match=f"`input_shape` .* must be at least {size + 1} pixels"):
        construct(input_shape=(64, size, 3))
    construct(input_shape=(size + 1, size + 1, 3))


# --- Citizens of Keras


def test_the_plot_shows_the_blocks():
    graph = keras.utils.model_to_dot(build("ResNet50"), show_shapes=True).to_string()
    for name in ("conv1", "pool1", "conv2_1", "conv5_3", "avg_pool", "fc"):
        assert name in graph
    # A chain: the shortcuts are inside of the blocks.
    assert graph.count("->") == len(build("ResNet50").layers) - 1


def test_the_summary_fits_a_page(capsys):
    build("ResNet152").summary()
    output = capsys.readouterr().out
    assert "conv4_36 (BottleneckBlock)" in output
    assert "60,344,232" in output  # With the moving statistics.
    assert len(output.splitlines()) < 150


def test_arguments_of_numpy_are_kept_as_pythons_own(tmp_path):
    model = keras_resnet.CifarResNet(
        np.int64(8),
        input_shape=np.array([16, 16, 3]),
        classes=np.int64(2),
        class_names=np.array(["cat", "dog"]),
        include_top=np.bool_(True),
    )
    plain = keras_resnet.CifarResNet(
        8, input_shape=(16, 16, 3), classes=2, class_names=("cat", "dog")
    )
    assert json.dumps(model.get_config()) == json.dumps(plain.get_config())
    model.class_names = np.array(["chat", "chien"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.class_names == ("chat", "chien")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keras_resnet.ResNet18(10), "`include_top` .*=10. If .* so: classes=10"),
        (lambda: keras_resnet.ResNet18("imagenet"), "`include_top` .* so: weights='imagenet'"),
        (lambda: keras_resnet.PlainNet18((32, 32, 3)), r"`include_top` .*: input_shape=\(32, 32"),
        (lambda: keras_resnet.ResNet18(None), "`include_top` must be True or False.*=None$"),
        (lambda: keras_resnet.ResNet50(True, 10), "`weights` .*=10. If .* so: classes=10"),
        (lambda: keras_resnet.CifarResNet(20, np.int64(10)), "`weights` .* so: classes=10"),
        (lambda: keras_resnet.CifarResNet(20, b"imagenet"), "`weights` .*=b'imagenet'$"),
        (lambda: keras_resnet.CifarResNet(20, np.zeros(2)), r"`weights` .*=array\(\[0., 0.\]\)$"),
        (lambda: keras_resnet.CifarResNet(20, None, 10), "`input_shape` .*=10"),
        (lambda: keras_resnet.CifarResNet(20, synchronized=1), "`synchronized` must be True or"),
        (lambda: keras_resnet.CifarResNet(20, class_names=range(10)), "`class_names` .*strings"),
        (lambda: keras_resnet.CifarResNet(20, preprocessing=abs), "`preprocessing` must be a"),
    ],
)
def test_what_was_meant_for_another_argument_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
