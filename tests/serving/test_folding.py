import keras
import numpy as np
import pytest
import tensorflow as tf
from letters import with_statistics

import keras_resnet
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.networks.resnet import logits_model
from keras_resnet.serving.folding import fold_batch_norm


def bottlenecks(**options):
    """The stem of ImageNet, and of each stage a first block and another."""
    return keras_resnet.ResNet(
        "imagenet", "bottleneck", (2, 2), (8, 16), input_shape=(64, 64, 3), **options
    )


NETWORKS = {
    "bottlenecks": bottlenecks,
    "option A": lambda **options: keras_resnet.CifarResNet(8, **options),
    "option C": lambda **options: keras_resnet.CifarResNet(8, shortcut="C", **options),
    "stacked": lambda **options: keras_resnet.CifarResNet(20, stacked=True, **options),
    "plain, tanh": lambda **options: keras_resnet.CifarPlainNet(8, activation="tanh", **options),
    "squared": lambda **options: keras_resnet.CifarResNet(8, block="squared_shortcut", **options),
}


def relative_difference(model, folded, rng):
    images = rng.normal(size=(2, *model.input_shape[1:]))
    expected, actual = (
        logits_model(network)(images, training=False).numpy() for network in (model, folded)
    )
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.fixture(scope="module")
def trained():
    """The smallest network of CIFAR with statistics as of training."""
    return with_statistics(keras_resnet.CifarResNet(8))


@pytest.fixture(scope="module")
def folded(trained):
    return fold_batch_norm(trained)


@pytest.mark.parametrize("construct", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_folded_network_is_the_same_function(rng, construct):
    model = with_statistics(construct(dtype="float64", classes=5))
    folded = fold_batch_norm(model)
    assert not batch_norms(folded)
    assert relative_difference(model, folded, rng) < 1e-12


def test_rounding_of_float32_is_small(rng):
    model = with_statistics(bottlenecks(classes=5))
    assert relative_difference(model, fold_batch_norm(model), rng) < 1e-4


def test_kernels_are_scaled_and_biases_shifted(trained, folded):
    """One convolution by the formula, (W x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    conv, norm = trained.get_layer("conv1"), trained.get_layer("conv1_bn")
    gamma, beta, mean, variance = (value.astype(np.float64) for value in norm.get_weights())
    twin = folded.get_layer("conv1")
    scale = gamma / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(twin.kernel, conv.kernel.numpy() * scale, rtol=1e-6)
    np.testing.assert_allclose(twin.bias, beta - mean * scale, rtol=1e-5, atol=1e-6)


def test_what_a_folded_network_says_of_itself_is_the_models(trained, folded):
    ours, theirs = folded.get_config(), trained.get_config()
    assert ours["folded"] and not theirs["folded"]
    ignored = ("folded", "name")
    assert {k: ours[k] for k in ours if k not in ignored} == {
        k: theirs[k] for k in theirs if k not in ignored
    }
    np.testing.assert_array_equal(folded.get_layer("fc").kernel, trained.get_layer("fc").kernel)


def test_the_operations_are_convolutions_with_biases(folded):
    spec = tf.TensorSpec([1, 32, 32, 3])
    graph = tf.function(lambda x: folded(x, training=False)).get_concrete_function(spec).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Conv2D") == 7  # Option A has no projections.
    assert kinds.count("BiasAdd") == 7 + 1
    assert not any("BatchNorm" in kind for kind in kinds)


def test_the_result_has_the_models_precision_or_another(trained, folded):
    assert folded.get_layer("conv1").compute_dtype == "float32"
    mixed = fold_batch_norm(trained, "mixed_bfloat16")
    assert mixed.get_layer("conv1").compute_dtype == "bfloat16"
    assert mixed.get_layer("fc").compute_dtype == "float32"


def test_a_folded_network_is_kept_as_such(folded, tmp_path, rng):
    folded.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = rng.normal(size=(2, 32, 32, 3))
    np.testing.assert_array_equal(loaded(images), folded(images))


def test_a_network_without_a_top_is_folded_too(rng):
    model = with_statistics(keras_resnet.CifarResNet(8, include_top=False, dtype="float64"))
    images = rng.normal(size=(1, 16, 16, 3))
    np.testing.assert_allclose(fold_batch_norm(model)(images), model(images), rtol=1e-10)


def test_a_folded_network_is_folded_already(folded, rng):
    images = rng.normal(size=(1, 32, 32, 3))
    np.testing.assert_array_equal(fold_batch_norm(folded)(images), folded(images))
