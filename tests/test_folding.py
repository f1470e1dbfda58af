import keras
import numpy as np
import pytest
import tensorflow as tf
from letters import with_statistics

import keras_resnet
from keras_resnet.models import logits_model
from keras_resnet.parts import batch_norms
from keras_resnet.serving.folding import fold_batch_norm

NETWORKS = {
    "bottlenecks": lambda **options: keras_resnet.ResNet50(input_shape=(64, 64, 3), **options),
    "option A": lambda **options: keras_resnet.CifarResNet(20, **options),
    "option C": lambda **options: keras_resnet.CifarResNet(14, shortcut="C", **options),
    "stacked": lambda **options: keras_resnet.CifarResNet(26, stacked=True, **options),
    "plain, tanh": lambda **options: keras_resnet.CifarPlainNet(14, activation="tanh", **options),
    "squared": lambda **options: keras_resnet.CifarResNet(8, block="squared_shortcut", **options),
}


def relative_difference(model, folded, rng):
    images = rng.normal(size=(2, *model.input_shape[1:]))
    expected, actual = (
        logits_model(network).predict(images, verbose=0) for network in (model, folded)
    )
    return np.abs(actual - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("construct", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_folded_network_is_the_same_function(rng, construct):
    model = with_statistics(construct(dtype="float64", classes=5))
    folded = fold_batch_norm(model)
    assert not batch_norms(folded)
    assert relative_difference(model, folded, rng) < 1e-12


def test_rounding_of_float32_is_small(rng):
    model = with_statistics(keras_resnet.ResNet50(input_shape=(64, 64, 3), classes=5))
    assert relative_difference(model, fold_batch_norm(model), rng) < 1e-4


def test_kernels_are_scaled_and_biases_shifted(rng):
    """One convolution by the formula, (W x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    model = with_statistics(keras_resnet.CifarResNet(8))
    conv, norm = model.get_layer("conv1"), model.get_layer("conv1_bn")
    gamma, beta, mean, variance = (value.astype(np.float64) for value in norm.get_weights())
    folded = fold_batch_norm(model).get_layer("conv1")
    scale = gamma / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(folded.kernel, conv.kernel.numpy() * scale, rtol=1e-6)
    np.testing.assert_allclose(folded.bias, beta - mean * scale, rtol=1e-5, atol=1e-6)


def test_the_operations_are_convolutions_with_biases():
    model = fold_batch_norm(keras_resnet.CifarResNet(8))
    spec = tf.TensorSpec([1, 32, 32, 3])
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Conv2D") == 7  # Option A has no projections.
    assert kinds.count("BiasAdd") == 7 + 1
    assert not any("BatchNorm" in kind for kind in kinds)


def test_the_result_has_the_models_precision_or_another():
    model = keras_resnet.CifarResNet(8)
    assert fold_batch_norm(model).get_layer("conv1").compute_dtype == "float32"
    folded = fold_batch_norm(model, "mixed_bfloat16")
    assert folded.get_layer("conv1").compute_dtype == "bfloat16"
    assert folded.get_layer("fc").compute_dtype == "float32"


def test_a_folded_network_is_kept_as_such(tmp_path, rng):
    folded = fold_batch_norm(with_statistics(keras_resnet.CifarResNet(8)))
    folded.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = rng.normal(size=(2, 32, 32, 3))
    np.testing.assert_array_equal(loaded(images), folded(images))


def test_a_network_without_a_top_is_folded_too(rng):
    model = with_statistics(keras_resnet.CifarResNet(8, include_top=False, dtype="float64"))
    images = rng.normal(size=(1, 16, 16, 3))
    np.testing.assert_allclose(fold_batch_norm(model)(images), model(images), rtol=1e-10)


def test_a_folded_network_is_folded_already(rng):
    folded = fold_batch_norm(with_statistics(keras_resnet.CifarResNet(8)))
    images = rng.normal(size=(1, 32, 32, 3))
    np.testing.assert_array_equal(fold_batch_norm(folded)(images), folded(images))
