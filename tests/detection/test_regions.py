import math

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import regions


@pytest.fixture
def maps(rng):
    return rng.normal(size=(2, 9, 12, 3)).astype(np.float32)


@pytest.fixture
def boxes(rng):
    """Of stride 4, within the pictures, across their edges and beyond them."""
    corners = rng.uniform(-15, 60, (2, 25, 2))
    sides = rng.uniform(0.1, 40, (2, 25, 2))
    return np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)


def interpolated(values, y, x):
    """A map [h, w, c] at a point, whose places are at integers."""
    height, width, channels = values.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(channels)
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    top, left = min(int(y), height - 2), min(int(x), width - 2)
    down, right = y - top, x - left
    upper = values[top, left] * (1 - right) + values[top, left + 1] * right
    lower = values[top + 1, left] * (1 - right) + values[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def aligned(values, box, stride, size):
    """RoIAlign, point by point."""
    left, top, right, bottom = np.float64(box) / stride
    height, width = (bottom - top) / size, (right - left) / size
    bins = np.zeros((size, size, values.shape[-1]))
    for i, j, down, right in np.ndindex(size, size, 2, 2):
        y, x = top + (i + (down + 0.5) / 2) * height, left + (j + (right + 0.5) / 2) * width
        bins[i, j] += interpolated(values, y - 0.5, x - 0.5) / 4
    return bins


def test_regions_are_means_of_interpolated_points(maps, boxes):
    found = regions.align(tf.constant(maps), tf.constant(boxes), 4, 5).numpy()
    assert found.shape == (2, 25, 5, 5, 3)
    for picture in range(2):
        expected = [aligned(maps[picture], box, 4, 5) for box in boxes[picture]]
        np.testing.assert_allclose(found[picture], expected, atol=2e-5)


def gradient(maps, boxes, downstream):
    variable = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = tf.reduce_sum(regions.align(variable, tf.constant(boxes), 4, 5) * downstream)
    return tape.gradient(loss, variable).numpy()


def test_the_gradient_is_that_of_the_points(maps, boxes, rng):
    """What is linear has as its gradient what each place alone would give."""
    downstream = rng.normal(size=(2, 25, 5, 5, 3))
    found = gradient(maps, boxes, downstream.astype(np.float32))
    for picture, y, x in ((0, 0, 0), (0, 4, 7), (1, 8, 11), (1, 3, 0)):
        alone = np.zeros(maps.shape[1:])
        alone[y, x] = 1
        bins = np.stack([aligned(alone, box, 4, 5) for box in boxes[picture]])
        expected = (bins * downstream[picture]).sum(axis=(0, 1, 2))
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(found[picture, y, x], expected, atol=2e-5)


def test_the_gradient_has_the_same_bits_again(rng):
    """TensorFlow's own gradient of a bilinear crop has not."""
    maps = rng.normal(size=(2, 12, 12, 64)).astype(np.float32)
    boxes = np.tile([4.0, 4.0, 40.0, 40.0], (2, 64, 1)).astype(np.float32)
    downstream = rng.normal(size=(2, 64, 5, 5, 64)).astype(np.float32)
    first = gradient(maps, boxes, downstream)
    for _ in range(10):
        np.testing.assert_array_equal(gradient(maps, boxes, downstream), first)


def test_float64_stays_float64(maps, boxes):
    found = regions.align(tf.constant(maps, tf.float64), tf.constant(boxes, tf.float64), 4, 5)
    assert found.dtype == tf.float64
    for picture in range(2):
        expected = [aligned(maps[picture], box, 4, 5) for box in boxes[picture]]
        np.testing.assert_allclose(found[picture], expected, atol=1e-12)


def pooled(values, box, stride, size):
    """RoI pooling, bin by bin, in exact numbers."""
    left, top, right, bottom = (math.floor(edge / stride + 0.5) for edge in map(float, box))
    bins = np.zeros((size, size, values.shape[-1]))
    height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
    for i, j in np.ndindex(size, size):
        rows = range(top + i * height // size, top - (-(i + 1) * height // size))
        columns = range(left + j * width // size, left - (-(j + 1) * width // size))
        inside = [
            values[y, x]
            for y in rows
            for x in columns
            if 0 <= y < values.shape[0] and 0 <= x < values.shape[1]
        ]
        if inside:
            bins[i, j] = np.max(inside, axis=0)
    return bins


def test_pooled_regions_are_maxima_of_whole_places(maps, boxes):
    found = regions.pool(tf.constant(maps), tf.constant(boxes), 4, 5).numpy()
    assert (found == 0).all(axis=-1).any()
    for picture in range(2):
        expected = [pooled(maps[picture], box, 4, 5) for box in boxes[picture]]
        np.testing.assert_array_equal(found[picture], expected)
