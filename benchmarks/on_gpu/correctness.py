"""Whether the GPU computes what the processor does, and the same bits again where asked to."""

import hashlib

import keras
import numpy as np
import tensorflow as tf
from on_gpu.networks import batch_of, ours, plain_step

import keras_resnet
from keras_resnet.networks.layers import BatchNormalization
from keras_resnet.networks.synchronized_bn import batch_normalization


def measure(report):
    """Reports the largest differences, as shares of the largest value, and whether they are small.

    Determinism comes last: it cannot be taken back.
    """
    keras.utils.set_random_seed(1)
    images, _ = batch_of(report.size, 2 if report.smoke else 8)
    with tf.device("CPU:0"):
        weights = ours(report).get_weights()

    def outputs(dtype, training):
        def function():
            network = ours(report, dtype)
            network.set_weights(weights)
            return tf.function(lambda x: network(x, training=training))(images)

        return function

    kinds = ((True, "TF32", 1e-2), (False, "float32", 1e-4))
    for is_on, kind, tolerance in kinds[1:] if report.smoke else kinds:
        tf.config.experimental.enable_tensor_float_32_execution(is_on)
        _compare(report, f"probabilities, {kind}", outputs("float32", False), tolerance)
    _compare(report, "probabilities, mixed_bfloat16", outputs("mixed_bfloat16", False), 5e-2)
    _compare(report, "probabilities in training", outputs("float32", True), 1e-3)
    _compare(report, "gradients of a pyramid", _pyramid(report, weights, images), 1e-2)
    for dtype, tolerance in (("float32", 1e-4), ("bfloat16", 2e-2)):
        _compare(report, f"synchronized norm, {dtype}", _norms(dtype), tolerance)
    _determinism(report)


def _compare(report, name, function, tolerance):
    def figures():
        values = []
        for device in ("CPU:0", report.device):
            with tf.device(device):
                values.append(tf.nest.flatten(function()))
        largest = max(_difference(*pair) for pair in zip(*values, strict=True))
        is_good = largest < tolerance
        return {"difference": f"{largest:.2g}", "is": "good" if is_good else f"ABOVE {tolerance}"}

    report.measure(f"correctness, {name}", figures)


def _difference(expected, value):
    expected, value = (np.asarray(tf.cast(each, tf.float64)) for each in (expected, value))
    return np.abs(value - expected).max() / max(np.abs(expected).max(), 1e-30)


def _pyramid(report, weights, images):
    """Gradients through dilated stages with frozen normalizations."""

    def function():
        network = ours(report)
        network.set_weights(weights)
        pyramid = keras_resnet.feature_pyramid(network, output_stride=4 if report.smoke else 8)

        @tf.function
        def gradients(images):
            with tf.GradientTape() as tape:
                maps = tf.nest.flatten(pyramid(images, training=True))
                loss = sum(tf.reduce_mean(each**2) for each in maps)
            return tape.gradient(loss, pyramid.trainable_variables)

        return gradients(images)

    return function


def _norms(dtype):
    """Outputs and gradients of the path of several replicas, taken by one, and the layer's own."""
    x = tf.cast(tf.random.stateless_normal([8, 14, 14, 32], [1, 2], 5.0, 2.0), dtype)
    dy = tf.cast(tf.random.stateless_normal(x.shape, [3, 4]), dtype)

    def function():
        gamma, beta = tf.linspace(0.5, 2.0, 32), tf.linspace(-1.0, 1.0, 32)
        norm = BatchNormalization(
            epsilon=1e-3, dtype=f"mixed_{dtype}" if dtype != "float32" else dtype
        )
        norm.build(x.shape)

        @tf.function
        def results():
            inputs = [tf.identity(each) for each in (x, gamma, beta)]
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs, *_ = batch_normalization(*inputs, 1e-3)
            return outputs, tape.gradient(outputs, inputs, dy), norm(x, training=True)

        return results()

    return function


def _determinism(report):
    """Two trainings of some steps."""
    tf.config.experimental.enable_op_determinism()

    def digest():
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        with tf.device(report.device):
            network = ours(report, "mixed_bfloat16")
            step = plain_step(network, batch_of(report.size, 2 if report.smoke else 64), False)
        for _ in range(2 if report.smoke else 10):
            step()
        bits = b"".join(np.asarray(variable).tobytes() for variable in network.variables)
        return hashlib.sha256(bits).hexdigest()[:12]

    def figures():
        first, second = digest(), digest()
        return {"is": "good" if first == second else f"NOT EQUAL: {first}, {second}"}

    report.measure("determinism, two trainings", figures)
