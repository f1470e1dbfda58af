import io
import itertools
import struct

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf
from pictures import chunk, encoded, png_of, saved, smooth_picture
from processes import run_process

from keras_resnet.images import augmentation, decoding, headers
from keras_resnet.images.preprocessing import Preprocessing


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{"quality": 90}, {"quality": 60, "subsampling": 2}])
def test_jpeg_decodes_to_the_pixels_of_pil(rng, mode, options):
    data = saved(smooth_picture(rng, mode), "JPEG", **options)
    expected = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decoding.decode(data, 3), expected)


def test_cmyk_jpeg_decodes_to_rgb(rng):
    # Two libraries round the conversion differently; an inverted one would differ by 100 and more.
    data = saved(smooth_picture(rng, "CMYK"), "JPEG", quality=95)
    expected = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"), np.int32)
    assert np.abs(np.array(decoding.decode(data, 3), np.int32) - expected).max() <= 3


@pytest.mark.parametrize("decode", [decoding.decode, decoding.decode_plain, decoding.jpeg_pixels])
def test_jpegs_of_all_colors_decode_to_gray(rng, decode):
    for mode in ("L", "RGB", "CMYK"):
        data = saved(smooth_picture(rng, mode), "JPEG", quality=95)
        opened = PIL.Image.open(io.BytesIO(data))
        expected = np.array(opened.convert("RGB").convert("L"), np.int32)
        pixels = np.array(decode(data, 1), np.int32)
        assert pixels.shape == (*expected.shape, 1)
        assert np.abs(pixels[..., 0] - expected).max() <= 3, mode


def test_a_part_of_a_cmyk_jpeg_decodes_to_gray(rng):
    data = saved(smooth_picture(rng, "CMYK"), "JPEG", quality=95)
    part = decoding.jpeg_pixels(data, 1, [3, 5, 20, 30])
    np.testing.assert_array_equal(part, decoding.decode(data, 1)[3:23, 5:35])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_png_decodes_to_the_pixels_of_pil(rng, mode):
    original = smooth_picture(rng, mode)
    data = saved(original, "PNG")
    np.testing.assert_array_equal(decoding.decode(data, 3), original.convert("RGB"))


def test_palette_png_decodes_to_the_pixels_of_pil(rng):
    original = smooth_picture(rng).quantize(16)
    data = saved(original, "PNG")
    np.testing.assert_array_equal(decoding.decode(data, 3), original.convert("RGB"))


def test_16_bits_become_their_upper_8():
    values = np.arange(0, 2**16, 2**8 + 1, dtype=np.uint16).reshape(16, 16)
    data = saved(PIL.Image.fromarray(values), "PNG")
    np.testing.assert_array_equal(decoding.decode(data, 1)[..., 0], values >> 8)


# Graphs as they are traced once, for many pictures.
as_seen = tf.function(
    lambda data: decoding.decode(data, 3, exif_orientation=True, background=(255, 128, 0)),
    input_signature=[tf.TensorSpec([], tf.string)],
    autograph=False,
)
as_stored = tf.function(
    lambda data: decoding.decode(data, 3),
    input_signature=[tf.TensorSpec([], tf.string)],
    autograph=False,
)


def seen_by_pil(data):
    """The pixels upright, and transparent ones over the same color."""
    picture = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGBA")
    under = PIL.Image.new("RGBA", picture.size, (255, 128, 0, 255))
    return np.array(PIL.Image.alpha_composite(under, picture).convert("RGB"))


def exif_of(orientation, endian):
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Make] = "a maker before it"
    exif[PIL.ExifTags.Base.Orientation] = orientation
    exif.endian = endian
    return exif


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {"subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True})]
)
def test_pictures_stand_upright(rng, kind, options):
    original = smooth_picture(rng)
    for orientation, endian in itertools.product(range(1, 9), "<>"):
        data = saved(original, kind, exif=exif_of(orientation, endian), **options)
        np.testing.assert_array_equal(as_seen(data), seen_by_pil(data))
        # Preprocessing of before does not turn them.
        stored = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(as_stored(data), stored)


def transparent_pictures(rng):
    """Files of every kind of transparency by name."""
    pixels = rng.integers(0, 256, (47, 61, 4), np.uint8)
    picture = PIL.Image.fromarray(pixels, "RGBA")
    palette = picture.convert("RGB").quantize(16)
    return {
        "RGBA": saved(picture, "PNG"),
        "gray": saved(picture.convert("LA"), "PNG"),
        "one color of a palette": saved(palette, "PNG", transparency=3),
        "one color": saved(palette.convert("RGB"), "PNG", transparency=palette.getpalette()[:3]),
        "one gray": saved(palette.convert("L"), "PNG", transparency=palette.getpalette()[0]),
        "lossy": saved(picture, "WEBP"),
        "lossless": saved(picture, "WEBP", lossless=True, exact=True),
    }


def test_transparent_pixels_are_laid_over_a_color(rng):
    for name, data in transparent_pictures(rng).items():
        np.testing.assert_array_equal(as_seen(data), seen_by_pil(data), name)
        # Preprocessing of before shows what is under them.
        dropped = np.array(PIL.Image.open(io.BytesIO(data)).convert("RGBA"))[..., :3]
        np.testing.assert_array_equal(as_stored(data), dropped, name)


def test_every_mixture_is_rounded_as_pil_does():
    alpha, color = np.mgrid[:256, :256].astype(np.uint8)
    data = saved(PIL.Image.fromarray(np.stack([color] * 3 + [alpha], axis=-1), "RGBA"), "PNG")
    np.testing.assert_array_equal(as_seen(data), seen_by_pil(data))


def test_gray_networks_see_the_gray_of_pil_over_the_color(rng):
    for name, data in transparent_pictures(rng).items():
        pixels = decoding.decode(tf.constant(data), 1, background=(255, 128, 0))[..., 0]
        expected = PIL.Image.fromarray(seen_by_pil(data)).convert("L")
        np.testing.assert_array_equal(pixels, np.array(expected), name)


def test_what_is_to_be_converted_reaches_no_decoder(rng):
    """An animated WebP can end the process, and a GIF of many blocks takes seconds."""
    frame = smooth_picture(rng)
    gif = saved(frame.quantize(16), "GIF")
    start = 13 + 3 * 16
    blocks = b"!\xfe" + b"\x01a" * 5_000 + b"\0"
    for data in (
        saved(frame, "WEBP", save_all=True, append_images=[frame.rotate(180)]),
        saved(frame.quantize(16), "GIF", transparency=0),
        saved(frame.quantize(16), "BMP"),
        gif[:start] + blocks + gif[start:],
    ):
        assert not headers.is_decodable(data)
        for function in (as_seen, as_stored):
            with pytest.raises(tf.errors.InvalidArgumentError):
                function(data)
    assert headers.is_decodable(gif[:start] + b"!\xfe\x01a\0" + gif[start:])


def animation(rng, kind, **options):
    frames = [smooth_picture(rng).quantize(64) for _ in range(3)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def test_other_formats_decode_to_the_pixels_of_pil(rng):
    original = smooth_picture(rng)
    files = {
        "BMP": saved(original, "BMP"),
        "GIF": saved(original.quantize(64), "GIF"),
        "interlaced GIF": saved(original.quantize(64), "GIF", interlace=1),
        "GIF with a comment": saved(original.quantize(64), "GIF", comment=b"c" * 700),
        "animated GIF": animation(rng, "GIF"),
        "lossy WebP": saved(original, "WEBP"),
        "lossless WebP": saved(original, "WEBP", lossless=True),
    }
    for name, data in files.items():
        assert headers.is_decodable(data), name
        np.testing.assert_array_equal(as_seen(data), seen_by_pil(data), name)
        np.testing.assert_array_equal(as_stored(data), as_seen(data), name)


def test_gray_networks_see_luminance(rng):
    data = saved(smooth_picture(rng), "JPEG", quality=90)
    expected = np.array(PIL.Image.open(io.BytesIO(data)).convert("L"), np.int32)
    pixels = np.array(decoding.decode(data, 1)[..., 0], np.int32)
    assert np.abs(pixels - expected).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_truncated_pictures_do_not_decode(rng, kind):
    data = saved(smooth_picture(rng), kind)
    for length in (1, 5, 13, 20, 30, 40, 60, len(data) // 2):
        with pytest.raises(tf.errors.InvalidArgumentError):
            as_seen(data[:length])


# --- Images that are refused from their headers


def png_that_claims(width, height):
    """A small PNG whose header claims another size."""
    data = png_of(8, 8)
    return data[:8] + chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]


def jpeg_of(width, height):
    """A small JPEG whose header (SOF0) claims another size."""
    data = saved(PIL.Image.new("RGB", (16, 16)), "JPEG")
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def decode_in_a_session(data):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return session.run(decoding.decode(tf.constant(data), 1))


def decode_in_tf_data(data):
    images = tf.data.Dataset.from_tensors(data).map(lambda image: decoding.decode(image, 1))
    return next(images.as_numpy_iterator())


def crop_in_tf_data(data):
    def square(image):
        return augmentation.random_square(image, tf.zeros(7), gray, (9, 9))

    gray = Preprocessing(8, 9, (0,), channels=1)

    return next(tf.data.Dataset.from_tensors(data).map(square).as_numpy_iterator())


@pytest.mark.parametrize(
    "decode",
    [
        lambda data: decoding.decode(data, 1),
        decode_in_tf_data,
        decode_in_a_session,
        crop_in_tf_data,
    ],
)
@pytest.mark.parametrize("make", [png_of, jpeg_of])
def test_the_size_is_checked_in_every_kind_of_graph(monkeypatch, decode, make):
    # That of an image of the limit's size, and one pixel more.
    monkeypatch.setattr(headers, "MAX_PIXELS", 13 * 11)
    assert decode(make(13, 11)).shape[-1] == 1
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        decode(make(16, 9))
    assert "more than 143 pixels" in str(error.value)
    assert "[9 16]" in str(error.value)


def test_the_limit_is_pils():
    # PIL raises an error above twice the size of which it warns.
    assert 2 * PIL.Image.MAX_IMAGE_PIXELS == headers.MAX_PIXELS == 178_956_970


# 536 pixels more than the limit, and what would be less in 32 bits.
@pytest.mark.parametrize("size", [(13_378, 13_377), (65_500, 65_500), (46_341, 46_341)])
@pytest.mark.parametrize("make", [png_that_claims, jpeg_of])
def test_an_image_above_the_limit_is_refused(make, size):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        decoding.decode(make(*size), 1)
    assert "more than 178956970 pixels" in str(error.value)
    width, height = size
    assert f"[{height} {width}]" in str(error.value)


def test_the_largest_png_that_a_header_can_claim_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 178956970 pixels"):
        decoding.decode(png_that_claims(2**31 - 1, 2**31 - 1), 1)


def test_an_image_just_below_the_limit_decodes():
    assert decoding.decode(jpeg_of(13_378, 13_376), 1).shape == (13_376, 13_378, 1)


BOMB_PROGRAM = """
import sys
import tensorflow as tf
from keras_resnet.images.decoding import decode

def peak():
    lines = open("/proc/self/status").read().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1])

images = tf.data.Dataset.from_tensor_slices(sys.argv[1:])
images = images.map(lambda path: decode(tf.io.read_file(path), 3), 2)
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
        b"GIF89a",
        b"GIF89a" + bytes(30),
        b"BM" + bytes(60),
        b"RIFF" + bytes(4) + b"WEBP" + bytes(30),
        png_of(8, 8)[:15],
        b"\xff\xd8",
        b"junk",
        b"",
    ],
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        as_seen(data)
    assert not headers.is_decodable(data)


@pytest.mark.parametrize("length", [16, 20, 23, 24, 30])
def test_a_png_cut_off_in_its_header_does_not_decode(length):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
        decoding.decode(png_of(8, 8)[:length], 3)


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ((2**32 - 1, 2**32 - 1), "more than 178956970 pixels"),
        ((2**32 - 1, 1), "more than 178956970 pixels"),
        ((0, 7), "Invalid PNG"),
    ],
)
def test_a_png_of_no_possible_size_does_not_decode(size, fault):
    with pytest.raises(tf.errors.InvalidArgumentError, match=fault):
        decoding.decode(png_that_claims(*size), 3)


def of_whole(preprocessing, image):
    return tf.reduce_sum(tf.cast(preprocessing.pixels(image), tf.int32))


def of_square(preprocessing, image):
    square = augmentation.random_square(image, tf.fill([7], 0.4), preprocessing, (40, 50))
    return tf.reduce_sum(tf.cast(square, tf.int32))


@pytest.mark.parametrize("function", [of_whole, of_square], ids=["whole", "square"])
@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_damaged_pictures_are_ignored_by_a_data_set_that_ignores_errors(rng, function, kind):
    """Where a part of the graph is cancelled because of another one's error, it would end."""
    upright = Preprocessing(32, 40, (0, 0, 0), exif_orientation=True, background=(0, 0, 0))
    damaged = encoded(rng, 14, 12, kind)[:-50]
    pictures = tf.data.Dataset.from_tensors(damaged).repeat(300)
    numbers = pictures.map(lambda image: function(upright, image), 4).ignore_errors()
    assert list(numbers) == []
