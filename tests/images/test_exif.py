import io
import struct

import PIL.ExifTags
import PIL.Image
import pytest
from pictures import chunk, png_of, saved

from keras_resnet.images.exif import exif_orientation


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
    assert exif_orientation(data) == expected


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
        assert exif_orientation(data) == orientation_of_pil(data), data
