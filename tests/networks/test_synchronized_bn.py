"""Run as a program, with TF_CONFIG and a file to write, this is a worker of the last test."""

import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import free_ports, tf_config
from processes import Process

from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.networks import layers
from keras_resnet.training.batches import stamped
from keras_resnet.training.steps import steps_function

GAMMA, BETA = np.array([0.5, 1.0, -2.0]), np.array([0.0, 0.25, 1.0])


def formulas(x, weights):
    """Outputs, moving statistics after a step and gradients of sum(weights * outputs), by NumPy."""
    mean, variance, n = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)), x[..., 0].size
    x_hat = (x - mean) / np.sqrt(variance + 1e-5)
    dgamma, dbeta = (weights * x_hat).sum(axis=(0, 1, 2)), weights.sum(axis=(0, 1, 2))
    dx = GAMMA / np.sqrt(variance + 1e-5) * (weights - (dbeta + x_hat * dgamma) / n)
    moving = 0.1 * mean, 0.9 + 0.1 * variance * n / max(n - 1, 1)
    return {
        "outputs": GAMMA * x_hat + BETA,
        "mean": moving[0],
        "variance": moving[1],
        "dx": dx,
        "dgamma": dgamma,
        "dbeta": dbeta,
    }


def train_layer(strategy, x, weights, dtype, synchronized=True):
    """The same as `formulas` of a layer whose replicas have equal parts of x."""
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        layer = layers.BatchNormalization(synchronized=synchronized, dtype=dtype)
        layer.build(x.shape)
        layer.gamma.assign(GAMMA)
        layer.beta.assign(BETA)

    def part(array):
        parts = np.split(array, replicas)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                parts[context.replica_id_in_sync_group], layer.compute_dtype
            )
        )

    def step(x, weights):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(weights * outputs)
        return outputs, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    results = strategy.run(tf.function(step), args=(part(x), part(weights)))
    outputs, dx, dgamma, dbeta = (
        [np.asarray(value, np.float64) for value in strategy.experimental_local_results(result)]
        for result in results
    )
    means, variances = (
        [value.numpy() for value in strategy.experimental_local_results(variable.value)]
        for variable in (layer.moving_mean, layer.moving_variance)
    )
    for statistics in (means, variances):
        assert all(np.array_equal(statistics[0], other) for other in statistics)
    return {
        "outputs": np.concatenate(outputs),
        "mean": means[0],
        "variance": variances[0],
        "dx": np.concatenate(dx),
        # What the optimizer does with gradients of variables.
        "dgamma": sum(dgamma),
        "dbeta": sum(dbeta),
    }


def assert_all_close(actual, expected, relative):
    """Equal up to a part of the largest absolute value."""
    for name, value in expected.items():
        tolerance = relative * np.abs(value).max()
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=tolerance, err_msg=name)


def two_halves(rng, shape, mean=3.0):
    """Values of which the second half has other moments than the first, and weights of a loss."""
    x = rng.normal(mean, 1, shape)
    x[shape[0] // 2 :] = 2 * x[shape[0] // 2 :] - mean + 0.5
    return x, rng.normal(size=shape) + 0.5


@pytest.mark.parametrize(
    ("dtype", "relative"),
    [("float32", 2e-6), ("mixed_bfloat16", 0.01), ("mixed_float16", 2e-3), ("float64", 1e-12)],
)
def test_two_replicas_train_by_the_formulas_of_the_global_batch(rng, dtype, relative):
    x, weights = two_halves(rng, (6, 5, 4, 3))
    if dtype.startswith("mixed_"):
        x, weights = (
            np.float64(tf.cast(array, dtype.removeprefix("mixed_"))) for array in (x, weights)
        )
    actual = train_layer(make_strategy(2), x, weights, dtype)
    expected = formulas(x, weights)
    assert_all_close(actual, expected, relative)
    # Statistics and sums over the batch are in float32 whatever the inputs.
    precise = {name: expected[name] for name in ("mean", "variance", "dbeta")}
    assert_all_close(actual, precise, min(relative, 1e-5))


def test_two_replicas_train_as_one_device_does(rng):
    x, weights = two_halves(rng, (8, 6, 6, 3))
    two = train_layer(make_strategy(2), x, weights, "float32")
    one = train_layer(make_strategy(1), x, weights, "float32", synchronized=False)
    assert_all_close(two, formulas(x, weights), 2e-6)
    # On processors without AVX-512 TensorFlow's own kernel of one device is off by 4e-6.
    assert_all_close(two, one, 1e-5)


def test_one_replica_trains_as_if_not_synchronized(rng):
    x, weights = two_halves(rng, (4, 5, 6, 3))
    synchronized, local = (
        train_layer(make_strategy(1), x, weights, "float32", choice) for choice in (True, False)
    )
    for name, value in local.items():
        np.testing.assert_array_equal(synchronized[name], value, err_msg=name)


def test_a_mean_of_a_hundred_deviations_leaves_the_digits_of_the_variance(rng):
    # E[x^2] - mean^2 in float32 would be wrong by 1e-3.
    x, weights = two_halves(rng, (16, 8, 8, 3), mean=100.0)
    x = np.float64(np.float32(x))
    # The mean itself is rounded to float32; dgamma would show it times the sum of the weights.
    weights -= weights.mean(axis=(0, 1, 2))
    actual, expected = train_layer(make_strategy(2), x, weights, "float32"), formulas(x, weights)
    np.testing.assert_allclose(actual.pop("dbeta"), 0, atol=1e-3)
    expected.pop("dbeta")
    assert_all_close(actual, expected, 2e-5)


def test_two_pixels_on_two_replicas(rng):
    x, weights = two_halves(rng, (2, 1, 1, 3))
    actual, expected = train_layer(make_strategy(2), x, weights, "float32"), formulas(x, weights)
    # All but a millionth of the gradient cancels.
    np.testing.assert_allclose(actual.pop("dx"), expected.pop("dx"), atol=1e-5)
    assert_all_close(actual, expected, 2e-6)


def test_one_pixel_has_no_variance(rng):
    x, weights = rng.normal(size=(2, 1, 1, 1, 3))
    actual = train_layer(make_strategy(1), x, weights, "float32")
    assert_all_close(actual, formulas(x, weights) | {"variance": np.full(3, 0.9)}, 1e-6)


def test_a_saved_model_stays_synchronized(tmp_path):
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layers.BatchNormalization(synchronized=True)(inputs))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.layers[-1].synchronized is True


def train_network(strategy):
    """Weights and moving statistics after three steps in one call, of two replicas."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.normal(100, 1, size=(3 * 2 * 4, 6, 6, 3)).astype(np.float32)
    with strategy.scope():
        x = inputs = keras.Input(images.shape[1:])
        for _ in range(2):
            x = layers.Convolution(4, 3)(x)
            x = layers.BatchNormalization(synchronized=True)(x)
            x = layers.Activation("relu")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        network = keras.Model(inputs, keras.layers.Dense(2)(x))
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        optimizer.build(network.trainable_variables)
    take_steps = steps_function(
        lambda batch: {
            "loss": tf.nn.sparse_softmax_cross_entropy_with_logits(
                batch[1], network(batch[0], training=True)
            )
        },
        ("loss",),
        network,
        optimizer,
        strategy,
        global_batch_size=8,
        weight_decay=1e-4,
        average_statistics=False,
    )
    batches = tf.data.Dataset.from_tensor_slices((images, rng.integers(0, 2, len(images)))).batch(4)
    # The replicas take batches in turns.
    batches = strategy.distribute_datasets_from_function(
        lambda context: stamped(
            batches.shard(context.num_input_pipelines, context.input_pipeline_id)
        )
    )
    take_steps(iter(batches), tf.constant(3))
    return network.get_weights()


def test_two_workers_have_the_bits_of_two_replicas(tmp_path):
    ports = free_ports(2)
    workers = [
        Process(
            __file__,
            [tmp_path / f"{index}.npz"],
            stdout=tmp_path / f"{index}.log",
            stderr=tmp_path / f"{index}.log",
            env={**os.environ, "TF_CONFIG": tf_config(ports, index)},
        )
        for index in range(2)
    ]
    try:
        expected = train_network(make_strategy(2))
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
    for index in range(2):
        actual = np.load(tmp_path / f"{index}.npz")
        for ours, theirs in zip(expected, actual.values(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


if __name__ == "__main__":
    np.savez(sys.argv[1], *train_network(tf.distribute.MultiWorkerMirroredStrategy()))
