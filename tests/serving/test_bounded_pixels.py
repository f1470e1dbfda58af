import struct
import time

import bombs
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from peak import peak_growth
from pictures import chunk, encoded, saved, smooth_picture

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.answers import (
    CONVERT_FIRST,
    DAMAGED,
    OK,
    TOO_LARGE,
    TOO_MANY_SCANS,
    TOO_MUCH_DATA,
)
from keras_resnet.serving.bounded_pixels import bounded_pixels, most_memory
from keras_resnet.serving.options import Limits

SPEC = Preprocessing(24, 27, (100.0,) * 3, exif_orientation=True, background=(9, 99, 199))
SIDE = 3000


@pytest.fixture(scope="module")
def look():
    """What gives the pixels and the status of a picture."""
    looks = tf.function(
        lambda picture: bounded_pixels(picture, SPEC, Limits(2**26, SIDE**2)),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )

    def look(picture):
        pixels, status = looks(picture)
        assert (pixels.numpy().size > 0) == (status.numpy() == OK.encode())
        return pixels.numpy(), status.numpy().decode()

    # What TensorFlow makes ready at the first of a kind is no cost of a picture.
    for first in (bombs.png_of_chunks(1), bombs.jpeg_of_scans(24, 101), bombs.webp_of_codes(16, 1)):
        look(first)
    return look


# --- What is small and would become large

BOMBS = {
    "an empty text that is long": (lambda: bombs.png_with_texts(40, 7), OK),
    "the same in Unicode": (lambda: bombs.png_with_texts(40, 7, b"iTXt"), OK),
    "forty profiles": (lambda: bombs.png_with_profiles(40, 7), OK),
    "data behind the last row": (lambda: bombs.png_with_surplus(32, 500), TOO_MUCH_DATA),
    "chunks without end": (lambda: bombs.png_of_chunks(100_000), TOO_MUCH_DATA),
    "a hundred scans of few pixels": (lambda: bombs.jpeg_of_scans(24, 100), OK),
    "one more": (lambda: bombs.jpeg_of_scans(24, 101), TOO_MANY_SCANS),
    "too many of all pixels": (lambda: bombs.jpeg_of_scans(SIDE, 21), TOO_MANY_SCANS),
    "a larger JPEG": (lambda: bombs.jpeg_of_scans(SIDE + 1, 10), TOO_LARGE),
    "a thousand frames": (lambda: bombs.gif_of_frames(64, 1000), OK),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_bomb_costs_next_to_nothing(look, name):
    make, expected = BOMBS[name]
    bomb = make()
    with peak_growth() as growth:
        started = time.process_time()
        _, status = look(bomb)
        seconds = time.process_time() - started
    assert status == expected
    assert len(bomb) < 2_000_000
    # Unpacked they are 280 to 500 MB.
    assert growth.kilobytes < 20_000
    # 0.3 s at most; unbounded they take from 1.5 s on to minutes.
    assert seconds < 1


LONG = {
    # Looked for in a list of ten million at 1,500 steps.
    "markers alone, behind many comments": (
        lambda: bombs.jpeg_of_markers(10_000_000),
        TOO_MANY_SCANS,
    ),
    "an orientation among many": (lambda: bombs.png_of_exif(20_000_000), OK),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_file_costs_in_proportion(look, name):
    make, expected = LONG[name]
    picture = make()
    with peak_growth() as growth:
        started = time.process_time()
        _, status = look(picture)
        seconds = time.process_time() - started
    assert status == expected
    assert growth.kilobytes * 1024 < most_memory(32**2, len(picture))
    # About 1 s; with a copy at each step it would be minutes.
    assert seconds < 5


# --- What the largest picture costs


def turned(mode, kind, **options):
    """The largest picture, lying on its side."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    color = {"RGB": (1, 2, 3), "RGBA": (1, 2, 3, 4), "CMYK": (9, 8, 7, 6)}[mode]
    return saved(PIL.Image.new(mode, (SIDE, SIDE), color), kind, exif=exif, **options)


# At the bounds, with nanoseconds of a processor for a pixel, of which docs/serving.md has twice.
LARGEST = {
    "JPEG": (lambda: turned("CMYK", "JPEG", subsampling=0), 200),
    "progressive": (lambda: turned("CMYK", "JPEG", progressive=True, subsampling=0), 400),
    "twenty scans": (lambda: bombs.jpeg_of_scans(SIDE, 20), 400),
    "PNG": (lambda: turned("RGBA", "PNG", compress_level=1), 400),
    "BMP": (lambda: saved(PIL.Image.new("RGB", (SIDE, SIDE)), "BMP"), 200),
    "GIF": (lambda: saved(PIL.Image.new("L", (SIDE, SIDE)), "GIF"), 400),
    "WebP": (lambda: turned("RGBA", "WEBP"), 400),
    "lossless WebP": (lambda: turned("RGBA", "WEBP", lossless=True), 400),
}


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_picture_costs_what_is_said(look, name):
    make, nanoseconds = LARGEST[name]
    picture = make()
    _, status = look(picture[: len(picture) // 2])
    assert status in (DAMAGED, CONVERT_FIRST)
    with peak_growth() as growth:
        started = time.process_time()
        pixels, status = look(picture)
        seconds = time.process_time() - started
    assert (pixels.shape, status) == ((SIDE, SIDE, 3), OK)
    assert growth.kilobytes * 1024 < most_memory(SIDE**2, len(picture))
    assert seconds < nanoseconds * SIDE**2 / 1e9


def test_codes_of_a_lossless_webp_cost_what_is_said(look):
    picture = bombs.webp_of_codes(1024, 65_536)
    assert len(picture) < 300_000
    with peak_growth() as growth:
        pixels, status = look(picture)
    assert (pixels.any(), status) == (False, OK)
    # No header says how many there are, but no more can be.
    assert growth.kilobytes * 1024 < 1_300_000_000


# --- What is odd and harmless


def with_segments(jpeg, *segments):
    """A JPEG with segments behind its start: kind and content each."""
    packed = [
        bytes([0xFF, kind]) + struct.pack(">H", 2 + len(content)) + content
        for kind, content in segments
    ]
    return jpeg[:2] + b"".join(packed) + jpeg[2:]


def with_chunks(png, *chunks):
    return png[:33] + b"".join(chunks) + png[33:]


def harmless(rng):
    """Pictures that a check which is too strict would refuse, by what is odd about them."""
    picture = smooth_picture(rng)
    jpeg, png, gif = (saved(picture, kind) for kind in ("JPEG", "PNG", "GIF"))
    progressive = saved(picture, "JPEG", progressive=True)
    film = rng.integers(0, 256, 7_000_000, np.uint8).tobytes()
    return {
        "a film behind it": jpeg + film,
        "a film full of scans": jpeg + b"\xff\xda" * 500,
        "a progressive one with a film": progressive + film,
        "another picture behind it": jpeg + progressive * 20,
        "scans in a comment": with_segments(jpeg, (0xFE, b"\xff\xda" * 500)),
        "a thumbnail": with_segments(jpeg, (0xE2, progressive)),
        "thumbnails": with_segments(jpeg, *[(0xE2, progressive)] * 60),
        "a profile of many segments": with_segments(jpeg, *[(0xE2, bytes(65_000))] * 100),
        "five hundred comments": with_segments(jpeg, *[(0xFE, b"a")] * 500),
        "restart markers": saved(picture, "JPEG", restart_marker_blocks=1),
        "restart markers, progressive": saved(
            picture, "JPEG", restart_marker_rows=1, progressive=True
        ),
        "fill bytes": jpeg[:2] + b"\xff" * 100 + jpeg[2:],
        "quality 100": saved(picture, "JPEG", quality=100, subsampling=0),
        "quality 1": saved(picture, "JPEG", quality=1),
        "optimized": saved(picture, "JPEG", optimize=True, progressive=True),
        "gray, progressive": saved(picture.convert("L"), "JPEG", progressive=True),
        "CMYK, progressive": saved(picture.convert("CMYK"), "JPEG", progressive=True),
        "zeros behind a PNG": png + bytes(2**20),
        "a film behind a PNG": png + film,
        "a text": with_chunks(png, chunk(b"tEXt", b"a\0" + b"b" * 10**6)),
        "names of chunks in a text": with_chunks(png, chunk(b"tEXt", b"a\0zTXtiTXtiCCPIDATIEND")),
        "a thousand texts": with_chunks(png, *[chunk(b"tEXt", b"a\0b")] * 1_000),
        "a packed text": bombs.png_with_texts(1, 1),
        "a text of Unicode": bombs.png_with_texts(1, 1, b"iTXt"),
        "a profile": bombs.png_with_profiles(1, 1),
        "unknown chunks": with_chunks(png, *[chunk(b"prVt", bytes(1000))] * 100),
        "not packed": saved(picture, "PNG", compress_level=0),
        "noise, not packed": saved(
            PIL.Image.fromarray(rng.integers(0, 256, (300, 300, 3), np.uint8)),
            "PNG",
            compress_level=0,
        ),
        "a GIF with a film": gif + film,
        "a WebP with a film": saved(picture, "WEBP") + film,
        "a WebP with EXIF": saved(picture, "WEBP", exif=b"Exif\0\0" + bytes(1000)),
        "one pixel": encoded(rng, 1, 1, "PNG"),
    }


def test_what_is_odd_and_harmless_passes(look, rng):
    found = {name: look(picture)[1] for name, picture in harmless(rng).items()}
    assert len(found) >= 30
    assert found == dict.fromkeys(found, OK)


def test_pixels_are_those_of_the_picture_as_it_came(look, rng):
    for picture in harmless(rng).values():
        if picture[:3] != b"GIF":
            pixels, _ = look(picture)
            np.testing.assert_array_equal(pixels, SPEC.decoded(picture))


def test_the_bound_of_surplus_is_exact(look):
    """Of 32 rows of 100 bytes, an eighth, and 65,536."""
    png = bombs.png_of_rows(32, b"")
    for surplus, expected in ((0, DAMAGED), (1, TOO_MUCH_DATA)):
        data = bytes(32 * 100 * 9 // 8 + 65_536 + surplus)
        _, status = look(png[:33] + chunk(b"IDAT", data) + png[-12:])
        assert status == expected
