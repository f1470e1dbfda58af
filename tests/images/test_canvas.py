import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import smooth_picture

from keras_resnet.checks import UserError
from keras_resnet.images.canvas import Canvas, is_upright
from keras_resnet.images.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(
    8, 8, (100.0, 110.0, 120.0), (50.0, 60.0, 70.0), exif_orientation=True, background=(9, 9, 9)
)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # The paper's: a shorter side of 600, a longer one of at most 1,000.
        ((375, 500), (600, 800)),
        ((500, 375), (800, 600)),
        ((300, 600), (500, 1000)),
        ((1200, 1200), (600, 600)),
        ((20, 3000), (7, 1000)),
        ((1, 30_000), (1, 1000)),
    ],
)
def test_pictures_are_scaled_to_their_canvas(shape, expected):
    assert tuple(Canvas().scaled_shape(tf.constant(shape)).numpy()) == expected


def test_a_canvas_of_another_scale_has_the_same_proportion():
    assert Canvas(600, 1000).with_shorter(200) == Canvas(200, 333)
    assert Canvas(96, 96).with_shorter(31) == Canvas(31, 31)
    # Its longer side is the limit of a picture.
    assert Canvas().with_shorter(9830).longer == 16383
    for shorter in (0, 9831):
        with pytest.raises(UserError, match=f"shorter={shorter}"):
            Canvas().with_shorter(shorter)


def test_the_picture_lies_in_the_corner_of_zeros(rng):
    picture = smooth_picture(rng, size=(60, 40))
    pixels = tf.constant(np.asarray(picture))
    inputs, shape, own_shape = Canvas(50, 70).inputs(pixels, PREPROCESSING)
    assert inputs.shape == (70, 70, 3)
    assert shape.numpy().tolist() == [47, 70] and own_shape.numpy().tolist() == [40, 60]
    scaled = np.asarray(picture.resize((70, 47), PIL.Image.Resampling.BILINEAR), float)
    expected = (scaled - PREPROCESSING.mean) / PREPROCESSING.deviation
    # PIL rounds to whole numbers.
    np.testing.assert_allclose(inputs[:47], expected, atol=1 / 50)
    assert not inputs[47:].numpy().any()


def test_a_picture_may_be_smaller_than_its_canvas():
    shape = tf.constant((375, 500))
    assert Canvas().scaled_shape(shape, tf.constant(300)).numpy().tolist() == [300, 400]
    pixels = tf.zeros((30, 40, 3), tf.uint8)
    inputs, shape, _ = Canvas(50, 70).inputs(pixels, PREPROCESSING, tf.constant(15))
    assert inputs.shape == (70, 70, 3) and shape.numpy().tolist() == [15, 20]


def test_squares_lie():
    assert is_upright(tf.constant([[5, 5], [6, 5], [5, 6]])).numpy().tolist() == [
        False,
        True,
        False,
    ]


def test_a_mean_picture_gives_a_mean_color(rng):
    mean = rng.uniform(0, 255, (8, 8, 3))
    preprocessing = Preprocessing(8, 8, mean.tolist())
    pixels = tf.constant(rng.integers(0, 256, (9, 9, 3), np.uint8))
    inputs, *_ = Canvas(9, 9).inputs(pixels, preprocessing)
    np.testing.assert_allclose(inputs, pixels.numpy() - mean.mean(axis=(0, 1)), atol=1e-4)


@pytest.mark.parametrize(("sides", "name"), [((0, 5), "shorter"), ((6, 5), "longer")])
def test_bad_sides_are_named(sides, name):
    with pytest.raises(UserError, match=f"`{name}` must be"):
        Canvas(*sides)
