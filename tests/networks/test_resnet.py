import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks import resnet
from keras_resnet.networks.layer_tree import layers_by_path


def test_logits_are_float32_under_mixed_bfloat16():
    model = keras_resnet.CifarResNet(8, dtype="mixed_bfloat16")
    assert model.get_layer("conv2_1").compute_dtype == "bfloat16"
    assert model.get_layer("conv2_1").variables[0].dtype == "float32"
    assert resnet.logits_model(model)(np.zeros((1, 32, 32, 3), np.float32)).dtype == "float32"


def test_one_channel_and_odd_sizes():
    model = keras_resnet.CifarResNet(8, input_shape=(None, None, 1))
    probabilities = model(np.ones((2, 27, 33, 1), np.float32)).numpy()
    assert probabilities.shape == (2, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_without_top(rng):
    images = rng.random((2, 65, 49, 3), np.float32)
    arguments = "imagenet", "basic", (1, 1, 1, 1), (4, 4, 8, 12), False
    features = keras_resnet.ResNet(*arguments, input_shape=(None, None, 3))
    maps = features(images).numpy()
    assert maps.shape == (2, 3, 2, 12)
    for pooling, reduce in (("avg", np.mean), ("max", np.max)):
        pooled = keras_resnet.ResNet(*arguments, input_shape=(None, None, 3), pooling=pooling)
        pooled.set_weights(features.get_weights())
        np.testing.assert_allclose(pooled(images), reduce(maps, axis=(1, 2)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="has no classifier"):
        resnet.logits_model(features)


def test_input_tensor_is_used():
    inputs = keras.Input((64, 64, 3))
    model = keras_resnet.ResNet("imagenet", "basic", (1, 1), (2, 4), input_tensor=inputs, classes=3)
    assert model.input is inputs
    assert model.output_shape == (None, 3)


def test_logits_and_probabilities_agree(rng):
    images = rng.random((2, 32, 32, 3), np.float32)
    model = keras_resnet.CifarResNet(8)
    logits = resnet.logits_model(model)(images).numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(images), expected, rtol=1e-5)
    # Without its activation the classifier gives the logits itself.
    bare = keras_resnet.CifarResNet(8, classifier_activation=None)
    bare.set_weights(model.get_weights())
    np.testing.assert_allclose(bare(images), logits, rtol=1e-5)


def test_the_classifier_starts_small():
    kernel = keras_resnet.CifarResNet(8, classes=1000).get_layer("fc").kernel.numpy()
    np.testing.assert_allclose(kernel.std(), 0.01, rtol=0.02)
    assert abs(kernel.mean()) < 0.0005


@pytest.mark.parametrize("top", [{}, {"include_top": False, "pooling": "max"}])
@pytest.mark.parametrize("stacked", [False, True])
def test_all_layers_have_the_dtype_and_the_synchronization(stacked, top):
    settings = {"stacked": stacked, "synchronized": not stacked, "dtype": "mixed_bfloat16", **top}
    model = keras_resnet.ResNet(
        "imagenet", "bottleneck", (1, 2), (2, 4), input_shape=(32, 32, 3), **settings
    )
    layers = layers_by_path(model)
    del layers["images"]
    policies = {path: layer.dtype_policy.name for path, layer in layers.items()}
    # What comes of the features is not rounded again.
    full = {path for path, policy in policies.items() if policy == "float32"}
    assert full == (set() if top else {"fc", "predictions"})
    assert {policies[path] for path in policies if path not in full} == {"mixed_bfloat16"}
    norms = [layer for layer in layers.values() if hasattr(layer, "moving_mean")]
    assert len(norms) == 1 + 3 * 3 + 2
    assert {norm.synchronized for norm in norms} == {not stacked}


def test_every_argument_is_in_the_config():
    """Each is other than its default, as far as they go together."""
    arguments = {
        "stem": "imagenet",
        "block": "bottleneck",
        "blocks": [1, 2],
        "filters": [2, 4],
        "include_top": False,
        "input_shape": [32, None, 1],
        "pooling": "max",
        "classes": 3,
        "classifier_activation": None,
        "shortcut": "A",
        "bottleneck_stride": "3x3",
        "activation": "tanh",
        "synchronized": True,
        "stacked": False,
        "preprocessing": Preprocessing(32, 40, (1.5,), (2.0,), channels=1),
        "class_names": ["a", "b", "c"],
        "dtype": "mixed_bfloat16",
        "name": "mine",
        "folded": True,
        "output_stride": 4,
    }
    constructor = inspect.signature(keras_resnet.ResNet.__init__).parameters
    assert {*constructor} - {"self", "input_tensor"} == {*arguments}
    model = keras_resnet.ResNet(**arguments)
    expected = {**arguments, "preprocessing": arguments["preprocessing"].to_json(), "frozen": []}
    assert model.get_config() == expected
    assert keras_resnet.ResNet.from_config(model.get_config()).get_config() == expected
    stacked = keras_resnet.ResNet(**{**arguments, "stacked": True, "synchronized": False})
    assert stacked.get_config()["stacked"] is True


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


@pytest.mark.parametrize("stacked", [False, True])
def test_dilated_network_computes_the_same_at_the_pixels_of_the_undilated(rng, stacked):
    def make(**arguments):
        return keras_resnet.ResNet(
            "cifar",
            "basic",
            (2, 3, 3),
            (4, 8, 8),
            include_top=False,
            input_shape=(33, 40, 3),
            stacked=stacked,
            **arguments,
        )

    network = make()
    for variable in network.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape) * variable)
    images = rng.normal(size=(2, 33, 40, 3)).astype(np.float32)
    expected = network(images, training=False).numpy()
    for output_stride, shape in ((4, (9, 10)), (2, (17, 20)), (1, (33, 40))):
        dilated = make(output_stride=output_stride)
        dilated.set_weights(network.get_weights())
        maps = dilated(images, training=False)
        assert maps.shape[1:3] == shape == dilated.output_shape[1:3]
        step = 4 // output_stride
        np.testing.assert_allclose(maps[:, ::step, ::step], expected, atol=1e-5 * expected.max())


def test_output_stride_travels_and_is_not_needed_in_old_files(tmp_path):
    model = tiny(output_stride=2)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").get_config() == model.get_config()
    config = tiny().get_config()
    del config["output_stride"]
    assert keras_resnet.ResNet.from_config(config).get_config() == tiny().get_config()


def test_output_stride_is_that_of_a_stage():
    with pytest.raises(ValueError, match=r"`output_stride` must be one of None, 1, 2, 4\. Rec"):
        tiny(output_stride=8)


@pytest.mark.parametrize(
    ("stem", "output_stride", "least"),
    [("imagenet", None, 16), ("imagenet", 8, 8), ("cifar", None, 4)],
)
def test_the_last_map_holds_a_pixel(stem, output_stride, least):
    def network(*size):
        return keras_resnet.ResNet(
            stem,
            "basic",
            (1, 1, 1),
            (2, 2, 2),
            include_top=False,
            input_shape=(*size, 3),
            output_stride=output_stride,
        )

    assert network(least, least).output_shape == (None, 1, 1, 2)
    for size in ((least - 1, 64), (64, least - 1), (None, least - 1)):
        with pytest.raises(ValueError, match=f"at least {least} pixels .*Received: {size[0]}x"):
            network(*size)


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="`image_data_format` must be 'channels_last'"):
            keras_resnet.CifarResNet(8)
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


@pytest.mark.parametrize(
    ("replicas", "dtype"),
    [
        (1, "mixed_bfloat16"),
        (2, "float32"),
        pytest.param(1, "float32", marks=pytest.mark.faults),
        pytest.param(2, "mixed_bfloat16", marks=pytest.mark.faults),
    ],
)
def test_compile_fit_evaluate_predict_export(bright_or_dark, tmp_path, replicas, dtype):
    images, labels = bright_or_dark
    with make_strategy(replicas).scope():
        keras.utils.set_random_seed(0)
        model = keras_resnet.ResNet(
            "cifar",
            "basic",
            (1, 1),
            (8, 16),
            input_shape=(8, 8, 3),
            classes=2,
            dtype=dtype,
            synchronized=True,
        )
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
