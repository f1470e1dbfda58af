"""Served as evaluated: what an export of a segmenter answers, row by row."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import encoded, saved, smooth_picture
from segmenters import NAMES, segmenter

from keras_resnet.data.masks import decoded
from keras_resnet.segmentation.answers import segment
from keras_resnet.serving.answers import DAMAGED, NOT_AN_IMAGE, OK, TOO_LARGE
from keras_resnet.serving.options import Limits
from keras_resnet.serving.segmenter_signatures import segmenter_signatures

# Of any shape, lying and upright, some by far.
SIZES = [(40, 60), (60, 40), (31, 90), (300, 20), (20, 3000), (64, 64), (128, 77), (5, 9)]


@pytest.fixture(scope="module")
def model():
    return segmenter()


@pytest.fixture(scope="module")
def serve(model):
    functions = segmenter_signatures(model, NAMES, Limits(max_pixels=100_000))
    return {
        name: tf.function(function, input_signature=[spec], autograph=False)
        for name, (function, spec) in functions.items()
    }


def test_served_is_evaluated(model, serve, rng):
    kinds = ["PNG", "JPEG"] * (len(SIZES) // 2)
    pictures = [encoded(rng, *size, kind) for size, kind in zip(SIZES, kinds, strict=True)]
    answer = serve["serving_default"](tf.constant(pictures))
    assert set(answer["status"].numpy()) == {OK.encode()}
    for row, expected in enumerate(segment(model, pictures)):
        mask = decoded(answer["mask_bytes"][row].numpy())
        assert mask.shape == expected.shape == SIZES[row]
        # In a batch and alone a near tie may fall differently.
        assert (mask != expected).mean() < 1e-3
        shares = np.bincount(mask.ravel(), minlength=3) / mask.size
        np.testing.assert_allclose(answer["shares"][row], shares, atol=1e-6)
        assert [name.decode() for name in answer["labels"][row].numpy()] == [*NAMES]


def test_pixels_are_bytes_decoded(serve, rng):
    pixels = rng.integers(0, 256, (2, 50, 30, 3), np.uint8)
    files = [saved(PIL.Image.fromarray(each), "PNG") for each in pixels]
    masks = [
        decoded(png) for png in serve["serving_default"](tf.constant(files))["mask_bytes"].numpy()
    ]
    found = serve["images"](pixels)
    assert found["ids"].dtype == tf.uint8
    np.testing.assert_array_equal(found["ids"], masks)


def test_masks_are_of_the_upright_picture(serve, rng):
    picture, exif = smooth_picture(rng, size=(60, 40)), PIL.Image.Exif()
    exif[0x0112] = 6
    upright = picture.transpose(PIL.Image.Transpose.ROTATE_270)
    files = [saved(picture, "PNG", exif=exif), saved(upright, "PNG")]
    turned, stored = (
        decoded(png) for png in serve["serving_default"](tf.constant(files))["mask_bytes"].numpy()
    )
    assert turned.shape == (60, 40)
    np.testing.assert_array_equal(turned, stored)


def test_a_row_that_cannot_be_used_does_not_touch_the_others(serve, rng):
    good, large = encoded(rng, 30, 40), encoded(rng, 400, 300)
    rows = [b"", good, b"no picture", good[:-300], large, good]
    answer = serve["serving_default"](tf.constant(rows))
    answer = {name: values.numpy() for name, values in answer.items()}
    statuses = [status.decode() for status in answer["status"]]
    assert statuses == [NOT_AN_IMAGE, OK, NOT_AN_IMAGE, DAMAGED, TOO_LARGE, OK]
    alone = serve["serving_default"](tf.constant([good]))["mask_bytes"][0].numpy()
    for row in (1, 5):
        assert (decoded(answer["mask_bytes"][row]) != decoded(alone)).mean() < 1e-3
    for row in (0, 2, 3, 4):
        assert answer["mask_bytes"][row] == b"" and not answer["shares"][row].any()
        assert (answer["labels"][row] == b"").all()


@pytest.mark.parametrize("rows", [[], [b"", b"nothing"]])
def test_without_a_picture_there_is_an_answer(serve, rows):
    answer = serve["serving_default"](tf.constant(rows, tf.string))
    assert {len(values) for values in answer.values()} == {len(rows)}
    assert not answer["shares"].numpy().any()


def test_nothing_is_given_for_no_pixels(serve):
    answer = serve["images"](tf.zeros([0, 30, 40, 3], tf.uint8))
    assert answer["ids"].shape == (0, 30, 40) and len(answer["status"]) == 0
