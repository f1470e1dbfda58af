import struct

import numpy as np
import pytest
import tensorflow as tf
from pictures import saved, smooth_picture

from keras_resnet.images import headers
from keras_resnet.images.limits import MAX_PIXELS


@pytest.mark.parametrize(
    ("kind", "number"),
    [("JPEG", 0), ("PNG", 1), ("BMP", 2), ("GIF", 3), ("WEBP", 4), ("TIFF", 5), ("PPM", 5)],
)
def test_formats_are_known_by_their_first_bytes(rng, kind, number):
    data = saved(smooth_picture(rng), kind)
    assert headers.picture_format(data) == number
    assert headers.is_picture(data)
    assert headers.is_decodable(data) == (number < 5)
    if number < 5:
        np.testing.assert_array_equal(headers.encoded_shape(data), [47, 61])


@pytest.mark.parametrize("data", [b"", b"BA", b"RIFF" + bytes(4) + b"WAVE", b"<html>" * 20])
def test_what_begins_as_no_picture_is_none(data):
    assert headers.picture_format(data) == headers.OTHER
    assert not headers.is_picture(data)


def test_what_tensorflow_reads_in_another_way_is_left_to_pillow(rng):
    """A GIF of a smaller frame or a transparent color, a BMP of a palette, animated WebP."""
    picture = smooth_picture(rng)
    smaller = bytearray(saved(picture.quantize(16), "GIF"))
    smaller[6:10] = struct.pack("<HH", 80, 80)
    others = [
        bytes(smaller),
        # Cut off in its first frame.
        saved(picture.quantize(16), "GIF")[:-40],
        saved(picture.quantize(16), "GIF", transparency=3),
        saved(picture.quantize(16), "BMP"),
        saved(picture.convert("RGBA"), "BMP"),
        saved(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)]),
    ]
    for data in others:
        assert headers.is_picture(data) and not headers.is_decodable(data)


@pytest.mark.parametrize("size", [(65_535, 65_535), (16_383, 16_383)])
def test_the_size_of_each_format_is_bounded(size):
    width, height = size
    bmp = b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, width, -height, 1, 24, 0) + bytes(24)
    frame = b"," + bytes(4) + struct.pack("<HH", *size) + b"\0\2\1\0\0;"
    gif = b"GIF89a" + struct.pack("<HH", *size) + bytes(3) + frame
    lossless = (width - 1) % 2**14 | (height - 1) % 2**14 << 14
    webp = b"RIFF....WEBPVP8L....\x2f" + struct.pack("<I", lossless) + bytes(20)
    canvas = b"RIFF....WEBPVP8X....\0\0\0\0" + b"\xff\xff\x00" * 2 + bytes(20)
    for data in (bmp, gif, webp, canvas):
        assert headers.is_decodable(data), data
        assert headers.num_pixels(headers.encoded_shape(data)) > MAX_PIXELS
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than 178956970 pixels"):
            headers.bounded(headers.encoded_shape(data))


def test_a_canvas_of_webp_is_said_in_24_bits():
    width, height = 70_000, 100_000
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    data = b"RIFF....WEBPVP8X....\0\0\0\0" + sizes + bytes(20)
    np.testing.assert_array_equal(headers.encoded_shape(data), [height, width])
