import numpy as np
import pytest

import keras_resnet
from keras_resnet.data.sources import MemorySource
from keras_resnet.evaluation.precise_bn import set_precise_statistics
from keras_resnet.networks.layer_tree import batch_norms, moving_statistics

SPEC = keras_resnet.Preprocessing(8, 8, (100.0, 110.0, 120.0), (50.0,))


@pytest.fixture
def source(rng):
    images = rng.integers(0, 256, (40, 8, 8, 3), np.uint8)
    # Sorted by class, and the classes differ.
    images[:20] //= 3
    return MemorySource(images, np.arange(40) // 20, ("dark", "bright"))


def network(stacked=False):
    # Depth 8 where blocks need not be stacked.
    return keras_resnet.CifarResNet(
        14 if stacked else 8, stacked=stacked, input_shape=(8, 8, 3), classes=2, preprocessing=SPEC
    )


def inputs(source):
    return (source.images.numpy().astype(np.float32) - SPEC.mean) / SPEC.deviation


@pytest.mark.parametrize("stacked", [False, True])
def test_with_one_batch_inference_is_training(source, stacked):
    model = network(stacked=stacked)
    images = inputs(source).astype(np.float32)
    expected = model(images, training=True).numpy()
    assert set_precise_statistics(model, source, 40, batch_size=40) == 40
    # But for the unbiased variance, n / (n - 1), of 160 values in the last maps.
    np.testing.assert_allclose(model(images), expected, atol=0.02)
    assert model.get_layer("conv1_bn").momentum == 0.9
    for norm in batch_norms(model):
        assert norm.momentum == 0.9


def test_batches_have_one_weight_each(source):
    model = network()
    assert set_precise_statistics(model, source, 40, batch_size=8) == 40
    kernel = model.get_layer("conv1").kernel.numpy()
    padded = np.pad(inputs(source), [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    responses = np.einsum("nyxcij,ijcf->nyxf", windows, kernel)
    norm = model.get_layer("conv1_bn")
    np.testing.assert_allclose(norm.moving_mean, responses.mean(axis=(0, 1, 2)), atol=1e-4)
    # The variance of all images, not the mean of those of the batches (times 512 / 511).
    np.testing.assert_allclose(norm.moving_variance, responses.var(axis=(0, 1, 2)), rtol=3e-3)


def test_a_mean_of_thousands_of_deviations_leaves_the_digits_of_the_variance(rng):
    images = rng.integers(0, 3, (40, 8, 8, 3), np.uint8)
    # Of 9,999 to 10,001, whose squares float32 rounds to multiples of 8.
    spec = keras_resnet.Preprocessing(8, 8, (-9999.0,) * 3, (1.0,) * 3)
    model = network()
    model.preprocessing = spec
    kernel = np.zeros((3, 3, 3, 16))
    kernel[1, 1] = rng.normal(size=(3, 16))
    model.get_layer("conv1").kernel.assign(kernel)
    source = MemorySource(images, np.zeros(40, int), ("any", "other"))
    set_precise_statistics(model, source, 40, batch_size=8)
    norm = model.get_layer("conv1_bn")
    responses = (images + 9999.0) @ np.float64(np.float32(kernel[1, 1]))
    np.testing.assert_allclose(norm.moving_mean, responses.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, responses.var(axis=(0, 1, 2)), rtol=0.02)


def test_images_are_drawn_from_all_classes(source):
    model = network()
    # 20 of 40 sorted images: the dark ones alone would have another mean.
    assert set_precise_statistics(model, source, 23, batch_size=10) == 20
    means = np.array(model.get_layer("conv1_bn").moving_mean)
    set_precise_statistics(model, source, 40, batch_size=40)
    overall = np.array(model.get_layer("conv1_bn").moving_mean)
    dark = MemorySource(source.images[:20], source.labels[:20], source.class_names)
    set_precise_statistics(model, dark, 20, batch_size=20)
    of_dark = np.array(model.get_layer("conv1_bn").moving_mean)
    assert np.abs(means - overall).mean() < 0.4 * np.abs(of_dark - overall).mean()


def test_frozen_statistics_stay(source):
    model = keras_resnet.freeze_batch_norm(network())
    before = [variable.numpy() for variable in model.non_trainable_variables]
    set_precise_statistics(model, source, 40, batch_size=8)
    for old, variable in zip(before, model.non_trainable_variables, strict=True):
        np.testing.assert_allclose(variable, old, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("stacked", [False, True])
def test_what_else_is_frozen_makes_no_difference(source, stacked):
    free, frozen = network(stacked=stacked), network(stacked=stacked)
    frozen.set_weights(free.get_weights())
    for name in ("conv1", "fc"):
        frozen.get_layer(name).trainable = False
    for model in (free, frozen):
        set_precise_statistics(model, source, 40, batch_size=8)
    for ours, theirs in zip(moving_statistics(frozen), moving_statistics(free), strict=True):
        for statistic, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(statistic, expected, rtol=1e-4, atol=1e-6)


def test_more_images_than_there_are_is_an_error(source):
    with pytest.raises(ValueError, match="`precise_bn` must be at most 40"):
        set_precise_statistics(network(), source, 41)
    with pytest.raises(ValueError, match="`precise_bn` must be an integer of at least 2"):
        set_precise_statistics(network(), source, 1)
