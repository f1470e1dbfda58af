import numpy as np
import pytest
import tensorflow as tf
from segmenters import PREPROCESSING, source

from keras_resnet.data.mask_keys import IGNORED
from keras_resnet.data.masks import MaskTable, counted, encoded
from keras_resnet.images.canvas import Canvas
from keras_resnet.segmentation.examples import Variation, evaluation_example, training_example


def draws(scale=0.5, top=0.0, left=0.0, mirror=0.9):
    values = np.zeros(8, np.float32)
    values[:4] = scale, top, left, mirror
    return tf.constant(values)


def table(*masks):
    masks = [np.asarray(mask, np.uint8) for mask in masks]
    return MaskTable.of(map(encoded, masks), map(counted, masks))


def striped(height, width):
    """A picture whose red tells the class of each pixel, and its mask."""
    ids = (np.arange(width) // 10 % 3 + np.zeros((height, 1), int)).astype(np.uint8)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 100 + 50 * ids
    return pixels, ids


@pytest.mark.parametrize("mirror", [0.1, 0.9])
@pytest.mark.parametrize(("top", "left"), [(0.0, 0.0), (0.99, 0.99), (0.3, 0.6)])
def test_picture_and_mask_stay_one(mirror, top, left):
    pixels, ids = striped(60, 90)
    example = training_example(table(ids), PREPROCESSING, Canvas(60, 90), Variation(crop=40))
    inputs, found = example(tf.constant(pixels), 0, 0, draws(top=top, left=left, mirror=mirror))
    np.testing.assert_array_equal(inputs[..., 0] + 100, 100 + 50 * found.numpy().astype(int))
    row, column = int(top * 21), int(left * 51)
    expected = ids[row : row + 40, column : column + 40]
    np.testing.assert_array_equal(found, expected[:, ::-1] if mirror < 0.5 else expected)


def test_what_is_beside_a_small_picture_is_of_no_class():
    pixels, ids = striped(20, 30)
    example = training_example(table(ids), PREPROCESSING, Canvas(20, 30), Variation(crop=40))
    inputs, found = example(tf.constant(pixels), 0, 0, draws())
    np.testing.assert_array_equal(found[:20, :30], ids)
    beside = np.ones((40, 40), bool)
    beside[:20, :30] = False
    assert (found.numpy()[beside] == IGNORED).all() and not inputs.numpy()[beside].any()


@pytest.mark.parametrize(("scale", "side"), [(0.0, 30), (0.5, 60), (0.999, 90)])
def test_scales_are_drawn(scale, side):
    ids = np.zeros((120, 120), np.uint8)
    ids[:, 60:] = 2
    variation = Variation((0.5, 1.5), 100)
    example = training_example(table(ids), PREPROCESSING, Canvas(60, 60), variation)
    _, found = example(tf.zeros([120, 120, 3], tf.uint8), 0, 0, draws(scale))
    assert ((found.numpy() != IGNORED).sum(axis=1) > 0).sum() in range(side - 1, side + 2)
    assert set(np.unique(found)) == {0, 2, IGNORED}


def test_masks_are_enlarged_without_new_values():
    _, ids = striped(8, 30)
    example = training_example(table(ids), PREPROCESSING, Canvas(32, 120), Variation(crop=120))
    _, found = example(tf.zeros([8, 30, 3], tf.uint8), 0, 0, draws())
    np.testing.assert_array_equal(found[:32], ids.repeat(4, axis=0).repeat(4, axis=1))


def test_in_evaluation_the_mask_is_as_large_as_its_picture(rng):
    pictures, masks = source(rng)
    canvases = [Canvas(48, 64), Canvas(24, 32)]
    example = evaluation_example(pictures.table, PREPROCESSING, canvases)
    for row, mask in enumerate(masks):
        image, _ = pictures.example(row)
        judged = example(image, row, 1.0)
        np.testing.assert_array_equal(judged.ids, mask.ravel())
        assert [each.own_shapes.numpy().tolist() for each in judged.pictures] == [
            list(mask.shape)
        ] * 2
