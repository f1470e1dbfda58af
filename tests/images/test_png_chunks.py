import io
import zlib

import bombs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tensorflow as tf
from pictures import chunk, encoded, smooth_picture

from keras_resnet.images import png_chunks


def chunks_of(png):
    """Names and contents by the format's specification, until the end of the picture."""
    place, found = 8, []
    while not found or found[-1][0] != b"IEND":
        size = int.from_bytes(png[place : place + 4], "big")
        found.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + size]))
        place += 12 + size
    return found


def with_chunks(png, *chunks):
    """A PNG with chunks behind its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def test_packed_texts_and_further_profiles_are_left_out(rng):
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text"))
    other = chunk(b"iTXt", b"a\0\0\0\0\0text")
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(b"profile"))
    plain = chunk(b"tEXt", b"a\0b")
    png = encoded(rng, 40, 30, "PNG")
    packed = with_chunks(png, text, plain, profile, text, other, profile)
    shorter, length = png_chunks.without_packed_chunks(packed)
    assert shorter.numpy() == with_chunks(png, plain, profile)
    assert png_chunks.has_packed_chunks(packed)
    assert not png_chunks.has_packed_chunks(png)
    assert length.numpy() == sum(len(data) for name, data in chunks_of(png) if name == b"IDAT")


def test_chunks_behind_the_pixels_and_all_that_follows_the_end(rng):
    png = encoded(rng, 40, 30, "PNG")
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text"))
    late = png[:-12] + text + png[-12:] + text + b"rest"
    shorter, _ = png_chunks.without_packed_chunks(late)
    # What is behind the end nobody reads.
    assert shorter.numpy() == png + text + b"rest"


def test_data_in_many_chunks_counts_whole(rng):
    pixels = rng.integers(0, 256, (300, 300, 3), np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    chunks = chunks_of(buffer.getvalue())
    data = b"".join(content for name, content in chunks if name == b"IDAT")
    pieces = b"".join(chunk(b"IDAT", data[i : i + 1000]) for i in range(0, len(data), 1000))
    png = buffer.getvalue()[:33] + pieces + chunk(b"IEND", b"")
    shorter, length = png_chunks.without_packed_chunks(png)
    assert (shorter.numpy(), length.numpy()) == (png, len(data))


@pytest.mark.parametrize("length", [0, 5, 8, 15, 33, 40, 100])
def test_what_is_cut_stays_as_it_is(rng, length):
    png = encoded(rng, 40, 30, "PNG")[:length]
    assert png_chunks.without_packed_chunks(png)[0].numpy() == png


def test_sizes_without_sense_end_the_search(rng):
    png = encoded(rng, 40, 30, "PNG")
    for size in (2**31 - 1, 2**31, 2**32 - 1):
        strange = png[:33] + size.to_bytes(4, "big") + b"zTXt" + png[33:]
        assert png_chunks.without_packed_chunks(strange)[0].numpy() in (strange, png[:33])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_unpacked_pixels_are_as_long_as_said_at_most(rng, mode):
    picture = smooth_picture(rng)
    if mode == "I;16":
        picture = PIL.Image.fromarray(rng.integers(0, 2**16, (47, 61), np.uint16))
    png = io.BytesIO()
    (picture if mode == "I;16" else picture.convert(mode)).save(png, "PNG")
    chunks = chunks_of(png.getvalue())
    unpacked = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    most = png_chunks.bytes_of_pixels(png.getvalue()).numpy()
    assert len(unpacked) <= most <= len(unpacked) + 4 * picture.height


def test_interlaced_pixels_are_no_longer_than_said(rng):
    # Of 7 passes, the last ones of few pixels.
    for side in (1, 2, 5, 33):
        header = bombs.png_of_rows(side, b"")[:28] + b"\1" + bytes(4)
        rows = sum(
            -((y - side) // dy) * (1 - 3 * ((x - side) // dx))
            for x, y, dx, dy in PASSES
            if x < side and y < side
        )
        assert rows <= png_chunks.bytes_of_pixels(header).numpy()


# First column and row, and the steps, of the format's specification, section 8.2.
PASSES = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]


def test_what_is_left_out_does_not_change_pixels(rng):
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text("comment", "text" * 100, zip=True)
    buffer = io.BytesIO()
    smooth_picture(rng).save(buffer, "PNG", pnginfo=info)
    shorter, _ = png_chunks.without_packed_chunks(buffer.getvalue())
    assert len(shorter.numpy()) < len(buffer.getvalue())
    before, after = (tf.io.decode_png(png) for png in (buffer.getvalue(), shorter))
    np.testing.assert_array_equal(before, after)
