import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.segmentation.interpolation import between, interpolated, resized


@pytest.mark.parametrize("shape", [(16, 24), (13, 31), (5, 7), (3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_maps_are_resized_as_tensorflow_does(rng, shape, dtype):
    maps = rng.normal(size=(2, 5, 7, 3)).astype(dtype)
    found = resized(tf.constant(maps), tf.constant(shape))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, tf.image.resize(maps, shape), atol=3e-6)


def test_its_gradient_is_exact_in_float64(rng):
    maps, weights = tf.constant(rng.normal(size=(1, 3, 4, 2))), rng.normal(size=(1, 7, 9, 2))
    theoretical, numerical = tf.test.compute_gradient(
        lambda maps: tf.reduce_sum(resized(maps, tf.constant([7, 9])) * weights), [maps]
    )
    np.testing.assert_allclose(theoretical[0], numerical[0], atol=1e-8)


def test_pixels_beyond_the_end_have_its_value():
    """Of a map of four places the picture has two: 8 pixels of 4 to a place."""
    weights = between(tf.range(8), tf.constant(0.25, tf.float64), 2, 4, tf.float64)
    expected = [1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0]
    np.testing.assert_allclose(weights[:, 0], expected)
    np.testing.assert_allclose(tf.reduce_sum(weights, axis=1), 1)
    assert not weights.numpy()[:, 2:].any()


def test_one_picture_is_interpolated_as_many_are(rng):
    maps = rng.normal(size=(2, 3, 4, 5))
    rows, columns = rng.normal(size=(6, 3)), rng.normal(size=(7, 4))
    every = interpolated(*map(tf.constant, (maps, rows, columns)))
    one = interpolated(*map(tf.constant, (maps[1], rows, columns)))
    np.testing.assert_allclose(every[1], one)
    expected = np.einsum("yh,xw,hwc->yxc", rows, columns, maps[1])
    np.testing.assert_allclose(one, expected)
