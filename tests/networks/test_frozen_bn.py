import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config

from keras_resnet.networks import frozen_bn, layers

EPSILON = 1e-3


@pytest.fixture(params=[False, True], ids=["", "deterministic"])
def is_deterministic(request):
    if request.param:
        config.enable_op_determinism()
    yield request.param
    config.disable_op_determinism()


def gradients(x, dy, gamma, beta, mean, variance):
    inputs = [tf.constant(each) for each in (x, gamma, beta)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = frozen_bn.batch_normalization(
            *inputs, tf.constant(mean), tf.constant(variance), EPSILON
        )
    return outputs, tape.gradient(outputs, inputs, tf.constant(dy))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 2e-3)])
def test_outputs_and_gradients_are_those_of_the_formula(rng, dtype, tolerance, is_deterministic):
    x, dy = rng.normal(50, 3, (2, 3, 5, 4, 6)).astype(dtype)
    gamma, beta, mean = rng.normal(2, 1, (3, 6)).astype(np.float32)
    variance = rng.uniform(0.5, 9, 6).astype(np.float32)
    outputs, (dx, dgamma, dbeta) = gradients(x, dy, gamma, beta, mean, variance)
    wide_x, wide_dy = x.astype(np.float64), dy.astype(np.float64)
    normalized = (wide_x - mean) / np.sqrt(variance + EPSILON)
    expected = {
        "outputs": (outputs, gamma * normalized + beta),
        "dx": (dx, wide_dy * gamma / np.sqrt(variance + EPSILON)),
        "dgamma": (dgamma, (wide_dy * normalized).sum(axis=(0, 1, 2))),
        "dbeta": (dbeta, wide_dy.sum(axis=(0, 1, 2))),
    }
    for name, (value, formula) in expected.items():
        assert value.dtype == (dtype if name in ("outputs", "dx") else "float32"), name
        np.testing.assert_allclose(value, formula, rtol=tolerance, atol=tolerance, err_msg=name)


def test_a_frozen_layer_trains_what_is_before_it_and_keeps_itself(rng, is_deterministic):
    norm = layers.BatchNormalization(epsilon=EPSILON)
    norm.build((None, 4, 4, 6))
    values = [rng.uniform(0.5, 2, 6).astype(np.float32) for _ in norm.variables]
    norm.set_weights(values)
    norm.trainable = False
    x = tf.constant(rng.normal(size=(2, 4, 4, 6)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = norm(x, training=True)
    np.testing.assert_array_equal(outputs, norm(x, training=False))
    gamma, variance = (np.asarray(each) for each in (norm.gamma, norm.moving_variance))
    expected = np.broadcast_to(gamma / np.sqrt(variance + EPSILON), x.shape)
    np.testing.assert_allclose(tape.gradient(outputs, x), expected, rtol=1e-5)
    for before, after in zip(values, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_inference_is_the_same_whether_frozen_or_not():
    """So the kernel stays one that TensorFlow fuses with the convolution before it."""
    norm = layers.BatchNormalization()
    norm.build((None, 4, 4, 6))
    found = []
    for norm.trainable in (True, False):
        infer = tf.function(lambda x: norm(x, training=False))
        graph = infer.get_concrete_function(tf.TensorSpec([2, 4, 4, 6])).graph
        found.append([operation.type for operation in graph.get_operations()])
    assert found[0] == found[1] and "FusedBatchNormV3" in found[0]


def test_keras_agrees(rng):
    """Its own layer, frozen, which is not fused."""
    ours = layers.BatchNormalization(epsilon=EPSILON)
    theirs = keras.layers.BatchNormalization(epsilon=EPSILON)
    x = tf.constant(rng.normal(size=(2, 4, 4, 6)).astype(np.float32))
    found = []
    for norm in (ours, theirs):
        norm.build(x.shape)
        norm.set_weights([np.linspace(1, 2, 6) + place for place in range(4)])
        norm.trainable = False
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(norm(x, training=True) ** 2)
        found.append(tape.gradient(loss, x))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
