import io
import struct

import numpy as np
import PIL.ExifTags
import PIL.Image
import pytest
import tensorflow as tf
from pictures import chunk, png_of, saved, smooth_picture

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


# --- Orientation


def tiff(entries, endian="<", offset=8, count=None):
    """The EXIF of a directory of entries: tag, type, count, content of 4 bytes."""
    order = {"<": b"II", ">": b"MM"}[endian]
    directory = struct.pack(endian + "H", len(entries) if count is None else count)
    for tag, kind, number, content in entries:
        directory += struct.pack(endian + "HHI", tag, kind, number) + content
    return order + struct.pack(endian + "HI", 42, offset) + directory + bytes(4)


def jpeg(*segments):
    """A JPEG of nothing but segments: marker and content."""
    data = b"\xff\xd8"
    for marker, content in segments:
        data += struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content
    return data + b"\xff\xda\x00\x02"


SIX = tiff([(0x0112, 3, 1, b"\6\0\0\0")])
TWO = tiff([(0x0112, 3, 1, bytes([value, 0, 0, 0])) for value in (6, 3)])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg((0xE1, b"Exif\0\0" + SIX)), 6),
        (jpeg((0xE0, b"JFIF\0"), (0xE1, b"http://ns.adobe.com"), (0xE1, b"Exif\0\0" + SIX)), 6),
        # Behind an ICC profile that is longer than all headers usually are.
        (jpeg(*[(0xE2, bytes(65_000))] * 3, (0xE1, b"Exif\0\0" + SIX)), 6),
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 3, 1, b"\0\6\0\0")], ">"))), 6),
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 4, 1, b"\6\0\0\0")]))), 6),
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 4, 1, b"\0\0\0\6")], ">"))), 6),
        # Of two the last one counts, as for Pillow.
        (jpeg((0xE1, b"Exif\0\0" + TWO)), 3),
        # The name in a segment of another kind.
        (jpeg((0xE2, b"Exif\0\0" + SIX)), 1),
        # No number, several, and none that is an orientation.
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 2, 1, b"\6\0\0\0")]))), 1),
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 3, 2, b"\6\0\0\0")]))), 1),
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 3, 1, b"\x09\0\0\0")]))), 1),
        (jpeg((0xE1, b"Exif\0\0" + tiff([(0x0112, 3, 1, b"\0\0\0\0")]))), 1),
        # In a thumbnail, whose place is behind the start of the scan, or within another segment.
        (jpeg() + jpeg((0xE1, b"Exif\0\0" + SIX)), 1),
        (jpeg((0xED, jpeg((0xE1, b"Exif\0\0" + SIX)))), 1),
        # Directories outside of the segment, or cut off.
        (jpeg((0xE1, b"Exif\0\0" + tiff([], offset=2**32 - 1))), 1),
        (jpeg((0xE1, b"Exif\0\0" + tiff([], count=65_535))), 1),
        (jpeg((0xE1, b"Exif\0\0" + SIX[:14])), 1),
        (jpeg((0xE1, b"Exif\0\0"))[:12], 1),
        (png_of(8, 8)[:33] + chunk(b"eXIf", SIX) + png_of(8, 8)[33:], 6),
        (png_of(8, 8) + chunk(b"tEXt", b"eXIf" + bytes(30)), 1),
        (b"RIFF....WEBPVP8X\x03\0\0\0abc\0EXIF" + struct.pack("<I", len(SIX)) + SIX, 6),
    ],
)
def test_the_orientation_is_found_where_it_counts(data, expected):
    assert headers.exif_orientation(data) == expected


def orientation_of_pil(data):
    """What PIL finds: 1 where it finds nothing, or something else."""
    try:
        value = PIL.Image.open(io.BytesIO(data)).getexif().get(PIL.ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def mutated(rng, kind, number):
    """Files whose EXIF, of an orientation alone, has some other bytes."""
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    data = saved(PIL.Image.new("RGB", (8, 8)), kind, exif=exif)
    start = data.index(b"MM\0*")
    for _ in range(number):
        copy = bytearray(data)
        for place in rng.integers(start, start + 26, rng.integers(1, 5)):
            copy[place] = rng.choice([0, 1, 3, 6, 255, rng.integers(256)])
        yield bytes(copy)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize(
    "number", [100, pytest.param(2_000, marks=pytest.mark.faults)], ids=["some", "many"]
)
def test_a_hostile_header_does_no_harm(rng, kind, number):
    for data in mutated(rng, kind, number):
        assert headers.exif_orientation(data) == orientation_of_pil(data), data
