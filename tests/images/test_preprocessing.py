import dataclasses
import io
import json
import struct

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf
from pictures import chunk, png_of
from processes import run_process

from keras_resnet.images import augmentation, preprocessing
from keras_resnet.images.preprocessing import Preprocessing


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


def test_16_bits_become_their_upper_8():
    values = np.arange(0, 2**16, 2**8 + 1, dtype=np.uint16).reshape(16, 16)
    data = encoded(PIL.Image.fromarray(values), "PNG")
    np.testing.assert_array_equal(preprocessing.decode(data, 1)[..., 0], values >> 8)


def test_the_orientation_of_a_camera_is_not_applied(rng):
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    data = encoded(picture(rng), "JPEG", exif=exif)
    assert PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).size == (47, 61)
    assert preprocessing.decode(data, 3).shape == (47, 61, 3)


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


# --- Images that are refused from their headers


def png_that_claims(width, height):
    """A small PNG whose header claims another size."""
    data = png_of(8, 8)
    return data[:8] + chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]


def jpeg_of(width, height):
    """A small JPEG whose header (SOF0) claims another size."""
    data = encoded(PIL.Image.new("RGB", (16, 16)), "JPEG")
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def decode_in_a_session(data):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return session.run(preprocessing.decode(tf.constant(data), 1))


def decode_in_tf_data(data):
    images = tf.data.Dataset.from_tensors(data).map(lambda image: preprocessing.decode(image, 1))
    return next(images.as_numpy_iterator())


def crop_in_tf_data(data):
    def square(image):
        return augmentation.random_square(image, tf.zeros(7), 8, (9, 9), 1)

    return next(tf.data.Dataset.from_tensors(data).map(square).as_numpy_iterator())


@pytest.mark.parametrize(
    "decode",
    [
        lambda data: preprocessing.decode(data, 1),
        decode_in_tf_data,
        decode_in_a_session,
        crop_in_tf_data,
    ],
)
@pytest.mark.parametrize("make", [png_of, jpeg_of])
def test_the_size_is_checked_in_every_kind_of_graph(monkeypatch, decode, make):
    # That of an image of the limit's size, and one pixel more.
    monkeypatch.setattr(preprocessing, "MAX_PIXELS", 13 * 11)
    assert decode(make(13, 11)).shape[-1] == 1
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        decode(make(16, 9))
    assert "more than 143 pixels" in str(error.value)
    assert "[9 16]" in str(error.value)


def test_the_limit_is_pils():
    # PIL raises an error above twice the size of which it warns.
    assert 2 * PIL.Image.MAX_IMAGE_PIXELS == preprocessing.MAX_PIXELS == 178_956_970


# 536 pixels more than the limit, and what would be less in 32 bits.
@pytest.mark.parametrize("size", [(13_378, 13_377), (65_500, 65_500), (46_341, 46_341)])
@pytest.mark.parametrize("make", [png_that_claims, jpeg_of])
def test_an_image_above_the_limit_is_refused(make, size):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        preprocessing.decode(make(*size), 1)
    assert "more than 178956970 pixels" in str(error.value)
    width, height = size
    assert f"[{height} {width}]" in str(error.value)


def test_the_largest_png_that_a_header_can_claim_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 178956970 pixels"):
        preprocessing.decode(png_that_claims(2**31 - 1, 2**31 - 1), 1)


def test_an_image_just_below_the_limit_decodes():
    assert preprocessing.decode(jpeg_of(13_378, 13_376), 1).shape == (13_376, 13_378, 1)


BOMB_PROGRAM = """
import sys
import tensorflow as tf
from keras_resnet.images import preprocessing

def peak():
    lines = open("/proc/self/status").read().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1])

images = tf.data.Dataset.from_tensor_slices(sys.argv[1:])
images = images.map(lambda path: preprocessing.decode(tf.io.read_file(path), 3), 2)
# Sets the peak to what is in use.
open("/proc/self/clear_refs", "w").write("5")
before = peak()
print(len(list(images.ignore_errors())))
print((peak() - before) // 1024)
"""


def test_a_bomb_takes_no_memory(tmp_path):
    # TensorFlow alone decodes the first one, to 1.2 GB.
    bomb = png_of(20_000, 20_000)
    bombs = {"a": bomb, "b": png_that_claims(60_000, 60_000), "c": jpeg_of(60_000, 60_000)}
    for name, data in bombs.items():
        assert len(data) < 500_000
        (tmp_path / name).write_bytes(data)
    (tmp_path / "program.py").write_text(BOMB_PROGRAM)
    paths = [tmp_path / name for name in bombs]
    process = run_process(tmp_path, tmp_path / "program.py", *paths)
    assert process.returncode == 0, process.stderr
    decoded, megabytes = map(int, process.stdout.split())
    assert decoded == 0
    assert megabytes < 100


@pytest.mark.parametrize(
    "data",
    [
        # A private chunk where the header should be, which libpng passes over.
        png_of(64, 64, before=chunk(b"prVt", struct.pack(">II", 1, 1))),
        b"GIF89a" + bytes(30),
        b"BM" + bytes(60),
        b"RIFF" + bytes(4) + b"WEBP" + bytes(30),
        png_of(8, 8)[:15],
        b"\xff\xd8",
        b"",
    ],
)
def test_what_is_neither_jpeg_nor_png_is_refused(data):
    with pytest.raises(tf.errors.InvalidArgumentError, match="neither JPEG nor PNG"):
        preprocessing.decode(data, 3)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP"])
def test_other_formats_that_tensorflow_reads_are_refused(rng, kind):
    with pytest.raises(tf.errors.InvalidArgumentError, match="neither JPEG nor PNG"):
        preprocessing.decode(encoded(picture(rng), kind), 3)


@pytest.mark.parametrize("length", [16, 20, 23, 24, 30])
def test_a_png_cut_off_in_its_header_does_not_decode(length):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
        preprocessing.decode(png_of(8, 8)[:length], 3)


@pytest.mark.parametrize("size", [(2**32 - 1, 2**32 - 1), (2**32 - 1, 1), (0, 7)])
def test_a_png_of_no_possible_size_does_not_decode(size):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
        preprocessing.decode(png_that_claims(*size), 3)


# --- Sizes


@pytest.mark.parametrize("size", [(500, 375), (61, 47), (47, 61), (33, 33), (20, 90), (8, 8)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_center_crop_is_pils_resize_and_crop(rng, size, interpolation):
    original = picture(rng, size=size)
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
    data = encoded(picture(rng), "JPEG")
    for broken in (b"junk", "cat.jpg", data[: len(data) // 2]):
        with pytest.raises(ValueError, match="image 1 does not decode"):
            Preprocessing(28, 32, (0, 0, 0))([data, broken])


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
    pictures = [picture(rng, size=size) for size in ((61, 47), (40, 90))]
    files = [encoded(each, "PNG") for each in pictures]
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
    with pytest.raises(ValueError, match="`images` must be JPEG or PNG bytes"):
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
        ({"mean": (0, 0, float("nan"))}, "`mean` must be finite numbers"),
        ({"deviation": (1, 1)}, "`shape of deviation` must be one of"),
        ({"deviation": (1, 0, 1)}, "`deviation` must be above 0"),
        ({"channels": 2}, "`channels` must be one of 1, 3"),
        ({"interpolation": "nearest"}, "`interpolation` must be one of 'bilinear', 'bicubic'"),
    ],
)
def test_bad_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**{"size": 4, "resize": 5, "mean": (0, 0, 0), **change})
