"""Served as evaluated: what an export of a detector answers, row by row."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from detectors import PREPROCESSING, detector
from pictures import encoded, saved, smooth_picture

from keras_resnet.data.sources import MemorySource
from keras_resnet.detection.answers import detected
from keras_resnet.serving.answers import DAMAGED, NOT_AN_IMAGE, OK, TOO_LARGE
from keras_resnet.serving.box_signatures import box_signatures
from keras_resnet.serving.options import Limits

NAMES = ("disk", "ring", "star")

# Of any shape, lying and upright, some by far.
SIZES = [(40, 60), (60, 40), (31, 90), (300, 20), (20, 3000), (64, 64), (128, 77), (5, 9)]


@pytest.fixture(scope="module")
def model():
    return detector(proposals=20)


@pytest.fixture(scope="module")
def serve(model):
    functions = box_signatures(model, NAMES, Limits(max_pixels=100_000))
    return {
        name: tf.function(function, input_signature=[spec], autograph=False)
        for name, (function, spec) in functions.items()
    }


@pytest.fixture
def pictures(rng):
    kinds = ["PNG", "JPEG"] * (len(SIZES) // 2)
    return [encoded(rng, *size, kind) for size, kind in zip(SIZES, kinds, strict=True)]


def test_served_is_evaluated(model, serve, pictures):
    source = MemorySource(pictures, [0] * len(pictures))
    expected = detected(model, source, batch_size=3)
    answer = {
        name: values.numpy()
        for name, values in serve["serving_default"](tf.constant(pictures)).items()
    }
    assert set(answer["status"]) == {OK.encode()}
    total = 0
    for row, count in enumerate(answer["count"]):
        assert count == len(expected["scores"][row])
        np.testing.assert_allclose(
            answer["scores"][row, :count], expected["scores"][row], atol=1e-5
        )
        np.testing.assert_allclose(answer["boxes"][row, :count], expected["boxes"][row], atol=1e-2)
        classes = answer["classes"][row, :count]
        np.testing.assert_array_equal(classes, expected["classes"][row])
        assert [NAMES[number].encode() for number in classes] == answer["labels"][
            row, :count
        ].tolist()
        height, width = SIZES[row]
        assert (answer["boxes"][row] <= [width, height, width, height]).all()
        assert not answer["boxes"][row, count:].any() and not answer["scores"][row, count:].any()
        assert (answer["classes"][row, count:] == -1).all()
        assert (answer["labels"][row, count:] == b"").all()
        total += count
    assert total > 3 * len(pictures)


def test_pixels_are_bytes_decoded(serve, rng):
    pixels = rng.integers(0, 256, (2, 50, 30, 3), np.uint8)
    files = [saved(PIL.Image.fromarray(each), "PNG") for each in pixels]
    of_bytes, of_pixels = serve["serving_default"](tf.constant(files)), serve["images"](pixels)
    assert of_bytes.keys() == of_pixels.keys()
    for name, values in of_pixels.items():
        np.testing.assert_array_equal(values, of_bytes[name], err_msg=name)


def test_boxes_are_in_the_upright_picture(model, serve, rng):
    picture, exif = smooth_picture(rng, size=(60, 40)), PIL.Image.Exif()
    exif[0x0112] = 6
    turned = serve["serving_default"](tf.constant([saved(picture, "PNG", exif=exif)]))
    upright = picture.transpose(PIL.Image.Transpose.ROTATE_270)
    assert upright.size == (40, 60) and PREPROCESSING.exif_orientation
    stored = serve["serving_default"](tf.constant([saved(upright, "PNG")]))
    assert turned["count"] == stored["count"] > 0
    np.testing.assert_allclose(turned["boxes"], stored["boxes"], atol=1e-3)


def test_a_row_that_cannot_be_used_does_not_touch_the_others(serve, rng):
    good, large = encoded(rng, 30, 40), encoded(rng, 400, 300)
    rows = [b"", good, b"no picture", good[:-300], large, good]
    answer = {
        name: values.numpy() for name, values in serve["serving_default"](tf.constant(rows)).items()
    }
    statuses = [status.decode() for status in answer["status"]]
    assert statuses == [NOT_AN_IMAGE, OK, NOT_AN_IMAGE, DAMAGED, TOO_LARGE, OK]
    alone = serve["serving_default"](tf.constant([good]))
    for row in (1, 5):
        assert answer["count"][row] == alone["count"][0] > 0
        np.testing.assert_allclose(answer["boxes"][row], alone["boxes"][0], atol=1e-2)
    for row in (0, 2, 3, 4):
        assert answer["count"][row] == 0
        assert not answer["boxes"][row].any() and not answer["scores"][row].any()
        assert (answer["classes"][row] == -1).all() and (answer["labels"][row] == b"").all()


@pytest.mark.parametrize("rows", [[], [b"", b"nothing"]])
def test_without_a_picture_there_is_an_answer(serve, rows):
    answer = serve["serving_default"](tf.constant(rows, tf.string))
    assert {len(values) for values in answer.values()} == {len(rows)}
    assert not answer["count"].numpy().any()


def test_nothing_is_given_for_no_pixels(serve):
    answer = serve["images"](tf.zeros([0, 30, 40, 3], tf.uint8))
    assert {len(values) for values in answer.values()} == {0}
