import keras
import numpy as np
import pytest
import tensorflow as tf
from letters import stack_weights, with_random_weights

import keras_resnet
from keras_resnet.data.sources import MemorySource
from keras_resnet.paper.gradients import gradient_norms, summary

SPEC = keras_resnet.Preprocessing(8, 8, (1.0, 2.0, 3.0))


def network(rng, blocks=(2, 1), block="basic", stem="cifar", **arguments):
    settings = {"input_shape": (8, 8, 3), "classes": 3, "preprocessing": SPEC, **arguments}
    model = keras_resnet.ResNet(stem, block, blocks, (4, 8)[: len(blocks)], **settings)
    return with_random_weights(model, rng)


@pytest.fixture
def source(rng):
    images = rng.integers(0, 256, (12, 8, 8, 3), np.uint8)
    return MemorySource(images, np.arange(12) % 3, ("a", "b", "c"))


def test_norms_are_how_fast_the_loss_changes(rng, source):
    """Along the gradient of a kernel the loss rises by its norm: a difference in float64."""
    model = network(rng, dtype="float64", shortcut="A")
    # All in one batch, so that its order does not matter.
    norms = gradient_norms(model, source)
    names = ["conv1"] + [f"{b}/conv{n}" for b in ("conv2_1", "conv2_2", "conv3_1") for n in (1, 2)]
    assert list(norms) == names
    images = source.images.numpy().astype(np.float64) - np.array([1.0, 2.0, 3.0])
    labels = np.arange(12) % 3

    def loss():
        likely = model(images, training=True).numpy()[np.arange(12), labels]
        return -np.log(likely).mean()

    kernels = [model.get_layer("conv1").kernel] + [
        conv.kernel
        for name in ("conv2_1", "conv2_2", "conv3_1")
        for conv in model.get_layer(name).convolutions
    ]
    for kernel, norm in zip(kernels, norms.values(), strict=True):
        with tf.GradientTape() as tape:
            found = model(images, training=True)
            cost = keras.losses.sparse_categorical_crossentropy(labels, found)
            value = tf.reduce_mean(cost)
        direction = tape.gradient(value, kernel.value).numpy()
        direction /= np.linalg.norm(direction)
        before = kernel.numpy()
        kernel.assign(before + 1e-6 * direction)
        higher = loss()
        kernel.assign(before - 1e-6 * direction)
        slope = (higher - loss()) / 2e-6
        kernel.assign(before)
        assert norm == pytest.approx(slope, rel=1e-4)


def test_norms_are_means_of_batches_that_are_always_the_same(rng, source):
    model = network(rng)
    norms = gradient_norms(model, source, batch_size=4)
    assert gradient_norms(model, source, batch_size=4) == pytest.approx(norms, rel=1e-5)
    # Of a rest that fills no batch nothing is taken.
    assert gradient_norms(model, source, batch_size=5) != norms
    assert all(value > 0 for value in norms.values())


def test_only_3x3_layers_are_among_them(rng, source):
    model = network(rng, (2, 1), "bottleneck", "imagenet")
    assert list(gradient_norms(model, source)) == [
        "conv2_1/conv2",
        "conv2_2/conv2",
        "conv3_1/conv2",
    ]


def test_stacked_blocks_have_the_norms_of_unrolled_ones(rng, source):
    unrolled, stacked = (network(rng, (4, 2), stacked=it) for it in (False, True))
    stack_weights(unrolled, stacked)
    expected, found = gradient_norms(unrolled, source), gradient_norms(stacked, source)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-3)


def test_a_summary_has_the_ends_and_the_extremes():
    row = summary("a", 7, {"conv1": 0.5, "conv2_1/conv1": 2.0, "conv2_1/conv2": 0.123456})
    assert row == {
        "network": "a",
        "step": 7,
        "3x3 layers": 3,
        "first": 0.5,
        "last": 0.1235,
        "smallest": 0.1235,
        "largest": 2.0,
        "largest / smallest": 16.2,
    }


def test_dead_layers_have_no_ratio():
    row = summary("dead", 3, {"conv1": 0.5, "conv2_1/conv1": 0.0})
    assert (row["smallest"], row["largest"], row["largest / smallest"]) == (0.0, 0.5, None)
