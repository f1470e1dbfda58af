import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import layers, models
from keras_resnet.preprocessing import Preprocessing
from keras_resnet.strategy import make_strategy


@functools.cache
def build(name, **arguments):
    return getattr(keras_resnet, name)(**arguments)


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


# Table 1, option B, bias-free convolutions, 1000 classes; the numbers of torchvision and timm too.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ResNet18", 11_689_512),
        ("ResNet34", 21_797_672),
        ("ResNet50", 25_557_032),
        ("ResNet101", 44_549_160),
        ("ResNet152", 60_192_808),
    ],
)
def test_imagenet_networks_have_the_published_parameters(name, parameters):
    assert count(build(name).trainable_variables) == parameters


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)],
)
def test_cifar_networks_have_the_published_parameters(depth, parameters):
    model = keras_resnet.CifarResNet(depth)
    assert count(model.trainable_variables) == parameters


@pytest.mark.parametrize("depth", [18, 34])
def test_option_a_has_as_many_parameters_as_the_plain_net(depth):
    residual = build(f"ResNet{depth}", shortcut="A")
    plain = build(f"PlainNet{depth}")
    assert count(residual.variables) == count(plain.variables)


def shortcuts_of(model, kind):
    blocks = [layer for layer in model.layers if hasattr(layer, "shortcut_layer")]
    return [block.name for block in blocks if isinstance(block.shortcut_layer, kind)]


def test_option_b_projects_only_where_the_shape_changes():
    projected = shortcuts_of(build("ResNet34", shortcut="B"), layers.ProjectionShortcut)
    assert projected == ["conv3_1", "conv4_1", "conv5_1"]
    # Bottlenecks widen conv2_x from 64 to 256 channels.
    projected = shortcuts_of(build("ResNet50"), layers.ProjectionShortcut)
    assert projected == ["conv2_1", "conv3_1", "conv4_1", "conv5_1"]


def test_option_a_pads_where_option_b_projects():
    model = build("ResNet34", shortcut="A")
    assert shortcuts_of(model, layers.ZeroPaddedShortcut) == ["conv3_1", "conv4_1", "conv5_1"]
    assert shortcuts_of(model, layers.ProjectionShortcut) == []


def test_option_c_projects_everywhere():
    assert len(shortcuts_of(build("ResNet34", shortcut="C"), layers.ProjectionShortcut)) == 16


@pytest.mark.parametrize("name", ["ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152"])
def test_stages_halve_the_resolution_from_112_to_7(name):
    model = build(name)
    last = [max(n for n in model_names(model) if n.startswith(f"conv{s}_")) for s in (2, 3, 4, 5)]
    sizes = [model.get_layer(layer).output.shape[1:3] for layer in ("conv1", *last)]
    assert sizes == [(112, 112), (56, 56), (28, 28), (14, 14), (7, 7)]


def model_names(model):
    return [layer.name for layer in model.layers]


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


@pytest.mark.parametrize(
    ("bottleneck_stride", "strides"), [(None, (2, 1)), ("1x1", (2, 1)), ("3x3", (1, 2))]
)
def test_bottleneck_stride_moves_between_1x1_and_3x3(bottleneck_stride, strides):
    block = build("ResNet50", bottleneck_stride=bottleneck_stride).get_layer("conv4_1")
    first, second, third = (conv.strides[0] for conv in block.convolutions)
    assert ((first, second), third) == (strides, 1)
    assert block.shortcut_layer.conv.strides == (2, 2)


def test_signature_begins_like_keras_applications():
    import inspect

    ours = list(inspect.signature(keras_resnet.ResNet50).parameters)
    peer = list(inspect.signature(keras.applications.ResNet50).parameters)
    assert ours[: len(peer)] == peer


def test_logits_are_float32_under_mixed_bfloat16():
    model = keras_resnet.CifarResNet(8, dtype="mixed_bfloat16")
    assert model.get_layer("conv2_1").compute_dtype == "bfloat16"
    assert model.get_layer("conv2_1").variables[0].dtype == "float32"
    assert models.logits_model(model)(np.zeros((1, 32, 32, 3), np.float32)).dtype == "float32"


def test_one_channel_and_odd_sizes():
    model = keras_resnet.CifarResNet(8, input_shape=(None, None, 1))
    probabilities = model(np.ones((2, 27, 33, 1), np.float32)).numpy()
    assert probabilities.shape == (2, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_without_top():
    images = np.random.default_rng(0).random((2, 65, 49, 3), np.float32)
    features = keras_resnet.ResNet18(include_top=False)
    assert features.input_shape == (None, None, None, 3)
    maps = features(images).numpy()
    assert maps.shape == (2, 3, 2, 512)
    for pooling, reduce in (("avg", np.mean), ("max", np.max)):
        pooled = keras_resnet.ResNet18(include_top=False, pooling=pooling)
        pooled.set_weights(features.get_weights())
        np.testing.assert_allclose(pooled(images), reduce(maps, axis=(1, 2)), rtol=1e-5, atol=1e-6)


def test_input_tensor_is_used():
    inputs = keras.Input((64, 64, 3))
    model = keras_resnet.ResNet18(input_tensor=inputs, classes=3)
    assert model.input is inputs
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("make", [lambda m: m, models.logits_model])
def test_logits_and_probabilities_agree(make):
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    model = keras_resnet.CifarResNet(8)
    logits = models.logits_model(model)(images).numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(images), expected, rtol=1e-5)


def test_keras_file_keeps_everything(tmp_path):
    preprocessing = Preprocessing(32, 40, (1.5, 2.5, 3.25), (2.0, 3.0, 4.0))
    model = keras_resnet.CifarResNet(
        8, classes=3, shortcut="C", preprocessing=preprocessing, class_names=("a", "b", "c")
    )
    rng = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(rng.uniform(0.1, 1, variable.shape))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, keras_resnet.ResNet)
    assert loaded.preprocessing == preprocessing
    assert loaded.class_names == ("a", "b", "c")
    for ours, theirs in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_keras_file_keeps_what_was_set_later(tmp_path):
    model = keras_resnet.CifarResNet(8)
    model.preprocessing = Preprocessing(32, 40, (1.5, 2.5, 3.25))
    model.class_names = tuple("abcdefghij")
    for layer in model.layers[:-2]:
        layer.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.preprocessing == model.preprocessing
    assert loaded.class_names == model.class_names
    assert [v.path for v in loaded.trainable_variables] == ["fc/kernel", "fc/bias"]


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
        (lambda: keras_resnet.CifarPlainNet(20, weights="x"), "`weights` must be None"),
        (lambda: keras_resnet.CifarResNet(8, class_names=["a"]), "`class_names` must hold"),
        (lambda: keras_resnet.CifarResNet(8, dtype="float7"), "`dtype` must be"),
        (lambda: models.constructor("ResNet", 60), "`depth` must be one of 18, 34, 50, 101, 152"),
        (lambda: models.constructor("PlainNet", 50), "`depth` must be one of 18, 34"),
        (lambda: models.constructor("VGG", 19), "`network` must be one of"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "Received" in str(error.value)


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="`image_data_format` must be 'channels_last'"):
            keras_resnet.ResNet18()
    finally:
        keras.config.set_image_data_format("channels_last")


# --- Citizens of Keras


def tiny(**arguments):
    keras.utils.set_random_seed(0)
    return keras_resnet.CifarResNet(8, input_shape=(8, 8, 3), classes=2, **arguments)


@pytest.fixture
def bright_or_dark(rng):
    """Images whose class is their brightness, and labels."""
    labels = rng.integers(0, 2, 64)
    images = rng.normal(size=(64, 8, 8, 3)) + 2 * labels[:, None, None, None] - 1
    return images.astype(np.float32), labels


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_compile_fit_evaluate_predict_export(bright_or_dark, tmp_path, replicas, dtype):
    images, labels = bright_or_dark
    with make_strategy(replicas).scope():
        model = tiny(dtype=dtype, synchronized=True)
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)
    model.fit(data, epochs=4, verbose=0)
    assert model.evaluate(data, verbose=0, return_dict=True)["accuracy"] > 0.95
    probabilities = model.predict(data, verbose=0)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    model.export(tmp_path / "export", verbose=False)
    export = tf.saved_model.load(tmp_path / "export")
    np.testing.assert_allclose(export.serve(images[:5]), model(images[:5]), rtol=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images[:5]), model(images[:5]))


def test_frozen_batch_norms_keep_their_statistics(bright_or_dark, tmp_path):
    model = keras_resnet.freeze_batch_norm(tiny(shortcut="B"))
    norms = [
        layer
        for layer in model._flatten_layers()  # Keras's own walk.
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    # conv1, two for each of three blocks, two projections.
    assert len(norms) == 1 + 3 * 2 + 2
    assert not any(variable for norm in norms for variable in norm.trainable_variables)
    kernels = [variable for variable in model.variables if variable.name == "kernel"]
    assert len(model.trainable_variables) == len(kernels) + 1  # The bias of fc.
    before = [np.array(variable) for norm in norms for variable in norm.variables]
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(*bright_or_dark, verbose=0)
    after = [np.array(variable) for norm in norms for variable in norm.variables]
    for was, is_now in zip(before, after, strict=True):
        np.testing.assert_array_equal(was, is_now)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [v.path for v in loaded.trainable_variables] == [
        v.path for v in model.trainable_variables
    ]


def test_the_plot_shows_the_blocks():
    graph = keras.utils.model_to_dot(keras_resnet.ResNet50(), show_shapes=True).to_string()
    for name in ("conv1", "pool1", "conv2_1", "conv5_3", "avg_pool", "fc"):
        assert name in graph
    # A chain: the shortcuts are inside of the blocks.
    assert graph.count("->") == len(keras_resnet.ResNet50().layers) - 1


def test_the_summary_fits_a_page(capsys):
    keras_resnet.ResNet152().summary()
    output = capsys.readouterr().out
    assert "conv4_36 (BottleneckBlock)" in output
    assert "60,344,232" in output  # With the moving statistics.
    assert len(output.splitlines()) < 150


@pytest.mark.parametrize(("network", "depth", "size"), [("ResNet", 18, 31), ("CifarResNet", 8, 3)])
def test_images_too_small_for_the_network_are_refused(network, depth, size):
    construct = models.constructor(network, depth)
    with pytest.raises(ValueError, match=f"`input_shape` .* must be at least {size + 1} pixels"):
        construct(input_shape=(64, size, 3))
    construct(input_shape=(size + 1, size + 1, 3))
