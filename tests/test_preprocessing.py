import dataclasses
import io
import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_resnet import preprocessing
from keras_resnet.preprocessing import Preprocessing


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(rng, mode="RGB", size=(61, 47)):
    """A smooth picture with some noise, so that resizing and JPEG have something to do."""
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    y, x = np.mgrid[: size[1], : size[0]]
    waves = [np.sin(x / (4 + c) + c) + np.cos(y / (7 - c)) for c in range(channels)]
    pixels = 128 + 50 * np.stack(waves, axis=-1) + rng.normal(0, 4, (*x.shape, channels))
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return PIL.Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 60, "subsampling": 2}])
def test_jpeg_decodes_to_the_pixels_of_pil(rng, mode, options):
    data = encoded(picture(rng, mode), "JPEG", **options)
    expected = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(preprocessing.decode(data, 3), expected)


def test_cmyk_jpeg_decodes_to_rgb(rng):
    # Two libraries round the conversion differently; an inverted one would differ by 100 and more.
    data = encoded(picture(rng, "CMYK"), "JPEG", quality=95)
    expected = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"), np.int32)
    assert np.abs(np.array(preprocessing.decode(data, 3), np.int32) - expected).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_png_decodes_to_the_pixels_of_pil(rng, mode):
    original = picture(rng, mode)
    data = encoded(original, "PNG")
    np.testing.assert_array_equal(preprocessing.decode(data, 3), original.convert("RGB"))


def test_palette_png_decodes_to_the_pixels_of_pil(rng):
    original = picture(rng).quantize(16)
    data = encoded(original, "PNG")
    np.testing.assert_array_equal(preprocessing.decode(data, 3), original.convert("RGB"))


def test_gray_networks_see_luminance(rng):
    data = encoded(picture(rng), "JPEG", quality=90)
    expected = np.array(PIL.Image.open(io.BytesIO(data)).convert("L"), np.int32)
    pixels = np.array(preprocessing.decode(data, 1)[..., 0], np.int32)
    assert np.abs(pixels - expected).max() <= 2


@pytest.mark.parametrize("data", [b"", b"junk", b"\xff\xd8\xff", b"GIF89a", b"BM junk"])
def test_junk_does_not_decode(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocessing.decode(data, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated_pictures_do_not_decode(rng, kind):
    data = encoded(picture(rng), kind)
    with pytest.raises(tf.errors.InvalidArgumentError):
        preprocessing.decode(data[: len(data) // 2], 3)


@pytest.mark.parametrize("size", [(500, 375), (61, 47), (47, 61), (33, 33), (20, 90), (8, 8)])
def test_center_crop_is_pils_resize_and_crop(rng, size):
    original = picture(rng, size=size)
    crop = Preprocessing(size=28, resize=32, mean=(0, 0, 0)).center_crop(
        tf.constant(np.array(original))
    )
    shorter = min(size)
    width, height = (side * 32 // shorter for side in size)
    left, top = (width - 28) // 2, (height - 28) // 2
    expected = original.resize((width, height), PIL.Image.Resampling.BILINEAR).crop(
        (left, top, left + 28, top + 28)
    )
    # PIL rounds to integers after each of its two passes.
    assert np.abs(crop - np.array(expected, np.float32)).max() < 1.5


def test_an_image_of_the_right_size_is_not_touched(rng):
    pixels = rng.integers(0, 256, (28, 28, 1), np.uint8)
    crop = Preprocessing(28, 28, (0,), (1,), channels=1).center_crop(tf.constant(pixels))
    np.testing.assert_array_equal(crop, pixels.astype(np.float32))


def test_a_long_thin_image_needs_no_memory_for_what_is_cropped_away():
    # Resized whole it would have 224 x 4,480,000 pixels.
    crop = Preprocessing(224, 224, (0, 0, 0)).center_crop(tf.zeros([1, 20_000, 3], tf.uint8))
    assert crop.shape == (224, 224, 3)


def test_mean_and_deviation_are_per_channel(rng):
    pixels = rng.uniform(0, 255, (4, 4, 3))
    normalized = Preprocessing(4, 4, (100, 110, 120), (2, 3, 4)).normalize(pixels)
    np.testing.assert_allclose(normalized, (pixels - [100, 110, 120]) / [2, 3, 4], rtol=1e-5)


def test_the_mean_may_be_an_image(rng):
    pixels, mean = rng.uniform(0, 255, (2, 4, 4, 3))
    normalized = Preprocessing(4, 4, (0, 0, 0)).with_mean(mean).normalize(pixels)
    np.testing.assert_allclose(normalized, pixels - mean, atol=1e-4)


def test_survives_json_exactly(rng):
    value = Preprocessing(4, 5, (0, 0, 0)).with_mean(rng.uniform(0, 255, (4, 4, 3)))
    assert Preprocessing.from_json(json.loads(json.dumps(value.to_json()))) == value


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Preprocessing(4, 5, (0, 0, 0)).size = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "`size` must be an integer of at least 1"),
        ({"resize": 3}, "`resize` must be an integer of at least 4"),
        ({"mean": (0, 0)}, "`shape of mean` must be one of"),
        ({"deviation": (1, 1)}, "`shape of deviation` must be one of"),
        ({"deviation": (1, 0, 1)}, "`deviation` must be above 0"),
        ({"channels": 2}, "`channels` must be one of 1, 3"),
    ],
)
def test_bad_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**{"size": 4, "resize": 5, "mean": (0, 0, 0), **change})
