import dataclasses
import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import saved, smooth_picture

from keras_resnet.images.preprocessing import PlainPreprocessing, Preprocessing

# --- Sizes


@pytest.mark.parametrize("size", [(500, 375), (61, 47), (47, 61), (33, 33), (20, 90), (8, 8)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_center_crop_is_pils_resize_and_crop(rng, size, interpolation):
    original = smooth_picture(rng, size=size)
    spec = Preprocessing(size=28, resize=32, mean=(0, 0, 0), interpolation=interpolation)
    crop = spec.center_crop(tf.constant(np.array(original)))
    shorter = min(size)
    width, height = (side * 32 // shorter for side in size)
    left, top = (width - 28) // 2, (height - 28) // 2
    resampling = PIL.Image.Resampling[interpolation.upper()]
    expected = original.resize((width, height), resampling).crop((left, top, left + 28, top + 28))
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


def test_the_narrowest_images_are_refused_and_not_miscomputed():
    spec = Preprocessing(24, 27, (0, 0, 0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="too narrow"):
        spec(tf.zeros([1, 700_000, 3], tf.uint8))
    assert np.isfinite(spec(tf.zeros([1, 600_000, 3], tf.uint8))).all()


@pytest.mark.parametrize("size", [(500, 375), (61, 47), (28, 28), (32, 32), (8, 8), (20, 300)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_batch_is_cropped_as_its_images(rng, size, channels, interpolation):
    spec = Preprocessing(28, 32, (0,) * channels, (1,), channels, interpolation)
    images = rng.integers(0, 256, (3, *size, channels), np.uint8)
    expected = np.stack([spec.center_crop(tf.constant(image)) for image in images])
    np.testing.assert_allclose(spec.center_crops(tf.constant(images)), expected, atol=0.01)


def test_the_one_of_several_that_does_not_decode_is_named(rng):
    data = saved(smooth_picture(rng), "JPEG")
    for broken, fault in (
        (b"junk", "it is no picture that can be read"),
        ("cat.jpg", "No picture at 'cat.jpg': No such file or directory"),
        (data[: len(data) // 2], "it is damaged, or too large"),
    ):
        with pytest.raises(ValueError, match=f"Image 1 of `images`: {fault}"):
            Preprocessing(28, 32, (0, 0, 0))([data, broken])


def test_paths_and_bytes_of_any_format_are_pictures(rng, tmp_path):
    spec = Preprocessing(28, 32, (1, 2, 3))
    original = smooth_picture(rng)
    original.save(tmp_path / "cat.tiff")
    expected = spec(np.array(original))
    text = str(tmp_path / "cat.tiff")
    content = (tmp_path / "cat.tiff").read_bytes()
    for image in (text, tmp_path / "cat.tiff", content, tf.constant(content)):
        np.testing.assert_array_equal(spec(image), expected)
        np.testing.assert_array_equal(spec([image, saved(original, "PNG")]), [expected] * 2)


def test_of_floats_the_way_to_pixels_is_said():
    pixels = np.full((9, 9, 3), 200.0, np.float32)
    spec = Preprocessing(4, 5, (0, 0, 0))
    with pytest.raises(ValueError, match=r"tf\.cast\(images, tf\.uint8\)") as error:
        spec(pixels)
    assert "tf.image.convert_image_dtype(images, tf.uint8)" in str(error.value)
    scaled = tf.image.convert_image_dtype(pixels / 255, tf.uint8)
    np.testing.assert_array_equal(spec(tf.cast(pixels, tf.uint8)), spec(scaled))


def test_bicubic_does_not_leave_the_range_of_pixels():
    """Beside an edge the cubic of Keys overshoots by some 7% of the step; PIL cuts that off."""
    pixels = np.zeros((9, 9, 3), np.uint8)
    pixels[:, 5:] = 255
    spec = Preprocessing(28, 32, (0, 0, 0), interpolation="bicubic")
    for crop in (spec.center_crop(tf.constant(pixels)), spec.center_crops(pixels[np.newaxis])):
        assert np.min(crop) == 0 and np.max(crop) == 255
        assert np.count_nonzero(np.asarray(crop) == 255) > 28 * 3


def test_several_images_give_what_each_gives(rng):
    spec = Preprocessing(28, 32, (1, 2, 3), (4, 5, 6))
    pictures = [smooth_picture(rng, size=size) for size in ((61, 47), (40, 90))]
    files = [saved(each, "PNG") for each in pictures]
    pixels = [np.array(each) for each in pictures]
    expected = np.stack([spec.normalize(spec.center_crop(tf.constant(each))) for each in pixels])
    for images in (files, tuple(pixels), tf.constant(files), np.array(files)):
        np.testing.assert_array_equal(spec(images), expected)
    np.testing.assert_array_equal(spec(files[0]), expected[0])
    np.testing.assert_array_equal(spec(np.stack([pixels[0]] * 2)), expected[[0, 0]])
    for nothing in ([], np.zeros((0, 9, 9, 3), np.uint8)):
        assert spec(nothing).shape == (0, 28, 28, 3)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((9, 9)),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((9, 9, 1), np.uint8),
        np.zeros((2, 9, 9, 1), np.uint8),
        [np.zeros((9, 9, 4), np.uint8)],
        np.array([[b"x"]]),
        None,
    ],
)
def test_what_is_no_image_is_refused(images):
    with pytest.raises(ValueError, match="`images` must be pictures"):
        Preprocessing(4, 5, (0, 0, 0))(images)


def test_mean_and_deviation_are_per_channel(rng):
    pixels = rng.uniform(0, 255, (4, 4, 3))
    normalized = Preprocessing(4, 4, (100, 110, 120), (2, 3, 4)).normalize(pixels)
    np.testing.assert_allclose(normalized, (pixels - [100, 110, 120]) / [2, 3, 4], rtol=1e-5)


def test_the_mean_may_be_an_image(rng):
    pixels, mean = rng.uniform(0, 255, (2, 4, 4, 3))
    normalized = Preprocessing(4, 4, (0, 0, 0)).with_mean(mean).normalize(pixels)
    np.testing.assert_allclose(normalized, pixels - mean, atol=1e-4)


def test_survives_json_exactly(rng):
    value = Preprocessing(4, 5, (0, 0, 0), exif_orientation=True, background=(1, 2, 3))
    value = value.with_mean(rng.uniform(0, 255, (4, 4, 3)))
    assert Preprocessing.from_json(json.loads(json.dumps(value.to_json()))) == value


def test_json_of_before_neither_turns_pictures_nor_lays_them_on_a_background():
    values = Preprocessing(4, 5, (0, 0, 0), exif_orientation=True, background=(1, 2, 3)).to_json()
    del values["exif_orientation"], values["background"]
    assert Preprocessing.from_json(values) == Preprocessing(4, 5, (0, 0, 0))


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Preprocessing(4, 5, (0, 0, 0)).size = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "`size` must be an integer of at least 1"),
        ({"resize": 3}, "`resize` must be an integer of at least 4"),
        ({"mean": (0, 0)}, "`shape of mean` must be one of"),
        ({"mean": (0, 0, float("nan"))}, "`mean` must be finite numbers"),
        ({"deviation": (1, 1)}, "`shape of deviation` must be one of"),
        ({"deviation": (1, 0, 1)}, "`deviation` must be above 0"),
        ({"channels": 2}, "`channels` must be one of 1, 3"),
        ({"interpolation": "nearest"}, "`interpolation` must be one of 'bilinear', 'bicubic'"),
        ({"exif_orientation": 2}, "`exif_orientation` must be one of False, True"),
        ({"background": (0, 0, 256)}, "`background` must be three integers of 0 to 255"),
        ({"background": (0, 0)}, "`background` must be three integers of 0 to 255"),
    ],
)
def test_bad_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**{"size": 4, "resize": 5, "mean": (0, 0, 0), **change})


def test_plain_pictures_are_seen_alike_by_the_smaller_graph(rng):
    spec = Preprocessing(28, 32, (1, 2, 3), exif_orientation=True, background=(0, 0, 0))
    plain = PlainPreprocessing.of(spec)
    for kind in ("JPEG", "PNG"):
        data = tf.constant(saved(smooth_picture(rng), kind))
        np.testing.assert_array_equal(plain.center_crop(data), spec.center_crop(data))
        np.testing.assert_array_equal(plain(data), spec(data))
