import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.classification.steps import training_values
from keras_resnet.data.sources import MemorySource
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import Workers
from keras_resnet.networks.layer_tree import batch_norms, freeze_stages, moving_statistics
from keras_resnet.training.batches import TrainingBatches
from keras_resnet.training.early_statistics import EarlyStatistics

MEAN = 120.0


def example(image, label, *_):
    return tf.cast(image, tf.float32) - MEAN, label


def made(rng, strategy, images=24, **options):
    """A young network of two classes on batches of 8, and the pixels of all."""
    pixels = rng.integers(0, 256, (images, 8, 8, 3), np.uint8)
    source = MemorySource(pixels, np.arange(images) % 2, ("a", "b"))
    settings = {"input_shape": (8, 8, 3), "classes": 2, **options}
    with strategy.scope():
        network = keras_resnet.CifarResNet(14 if "stacked" in options else 8, **settings)
    batches = TrainingBatches(source, example, 0, 8, 1, strategy)
    workers = Workers(strategy)
    early = EarlyStatistics(training_values(network), network, batches, workers, "steps")
    return early, pixels


def values(network):
    return [variable.numpy() for variable in network.variables]


def assert_fits(early, pixels):
    """The first normalization has the moments of all images, computed by NumPy."""
    kernel = early.network.get_layer("conv1").kernel.numpy()
    padded = np.pad(pixels - MEAN, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    responses = np.einsum("nyxcij,ijcf->nyxf", windows, kernel)
    norm = early.network.get_layer("conv1_bn")
    np.testing.assert_allclose(norm.moving_mean, responses.mean(axis=(0, 1, 2)), atol=0.02)
    # But for n / (n - 1) of 256 values and more.
    np.testing.assert_allclose(norm.moving_variance, responses.var(axis=(0, 1, 2)), rtol=6e-3)


@pytest.mark.parametrize("options", [{}, {"stacked": True}])
def test_a_young_network_has_the_statistics_of_an_epoch_and_then_its_own_again(rng, options):
    early, pixels = made(rng, tf.distribute.get_strategy(), **options)
    before = values(early.network)
    with early.of_step(99):
        assert_fits(early, pixels)
        deep = moving_statistics(early.network)[-1][0].numpy()
        assert not (deep == 0).any()
    with early.of_step(3):
        np.testing.assert_array_equal(moving_statistics(early.network)[-1][0], deep)
    for variable, value in zip(early.network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert {norm.momentum for norm in batch_norms(early.network)} == {0.9}


@pytest.mark.parametrize("synchronized", [False, True])
def test_on_two_replicas_the_statistics_are_those_of_all_images(rng, synchronized):
    early, pixels = made(rng, make_strategy(2), synchronized=synchronized)
    with early.of_step(6):
        assert_fits(early, pixels)
        for statistic in early.network.get_layer("conv1_bn").non_trainable_variables:
            on_replicas = [value.numpy() for value in statistic.value.values]
            assert len(on_replicas) == 2
            np.testing.assert_array_equal(*on_replicas)


def test_no_more_is_looked_at_than_a_good_mean_takes(rng):
    early, pixels = made(rng, tf.distribute.get_strategy(), images=400)
    seen = []
    values_of = early.values_of
    object.__setattr__(early, "values_of", lambda batch: seen.append(batch) or values_of(batch))
    with early.of_step(1):
        pass
    assert len(seen) == 256 / 8


def test_an_old_network_keeps_its_moving_statistics(rng):
    early, _ = made(rng, tf.distribute.get_strategy())
    before = values(early.network)
    with early.of_step(100):
        for variable, value in zip(early.network.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)


def test_what_is_frozen_keeps_what_it_has(rng):
    early, _ = made(rng, tf.distribute.get_strategy())
    freeze_stages(early.network, "conv2")
    before = moving_statistics(early.network)[0][0].numpy()
    with early.of_step(1):
        first, *_, last = moving_statistics(early.network)
        np.testing.assert_array_equal(first[0], before)
        assert not (last[0].numpy() == 0).any()


def test_a_network_without_normalizations_is_left_alone():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    workers = Workers(tf.distribute.get_strategy())
    with EarlyStatistics(lambda _: pytest.fail(), network, None, workers, "steps").of_step(1):
        pass


def test_a_plateau_is_seen_by_moving_statistics_all_along(rng):
    early, _ = made(rng, tf.distribute.get_strategy())
    early = dataclasses.replace(early, schedule="plateau")
    before = [value.numpy() for pair in moving_statistics(early.network) for value in pair]
    with early.of_step(1):
        after = [value.numpy() for pair in moving_statistics(early.network) for value in pair]
    for value, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(value, other)
