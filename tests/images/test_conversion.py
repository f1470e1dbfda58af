import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import saved, smooth_picture

from keras_resnet.checks import UserError
from keras_resnet.images import conversion, headers
from keras_resnet.images.exif import exif_orientation


def pixels_of(data, mode="RGBA"):
    return np.array(PIL.Image.open(io.BytesIO(data)).convert(mode))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("TIFF", mode) for mode in ("1", "L", "RGB", "RGBA", "CMYK", "P")),
        *(("PPM", "RGB"), ("TGA", "RGBA"), ("JPEG2000", "RGB"), ("ICO", "RGBA"), ("GIF", "P")),
        *(("WEBP", "RGBA"), ("BMP", "P"), ("PCX", "RGB"), ("SGI", "RGB"), ("DDS", "RGB")),
    ],
)
def test_a_picture_becomes_a_png_of_its_pixels(rng, kind, mode):
    data = saved(smooth_picture(rng).convert(mode), kind)
    png = conversion.converted(data)
    assert headers.picture_format(png) == headers.PNG
    np.testing.assert_array_equal(pixels_of(png), pixels_of(data))


def test_what_is_decodable_stays_as_it_is(rng):
    data = saved(smooth_picture(rng), "JPEG")
    assert conversion.decodable_bytes(data) == data
    tiff = saved(smooth_picture(rng), "TIFF")
    files = tf.data.Dataset.from_tensor_slices([data, tiff]).map(conversion.decodable)
    assert list(files.as_numpy_iterator()) == [data, conversion.converted(tiff)]


def test_transparency_and_orientation_stay(rng):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    frames = [smooth_picture(rng).convert("RGBA") for _ in range(2)]
    frames[0].putalpha(77)
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], exif=exif)
    png = conversion.converted(data)
    assert exif_orientation(png) == 6
    np.testing.assert_array_equal(pixels_of(png), pixels_of(data))


@pytest.mark.parametrize("kind", ["TIFF", "PPM"])
def test_16_bits_become_their_upper_8(kind):
    values = np.arange(0, 2**16, 2**8 + 1, dtype=np.uint16).reshape(16, 16)
    png = conversion.converted(saved(PIL.Image.fromarray(values), kind))
    np.testing.assert_array_equal(pixels_of(png, "L"), values >> 8)


@pytest.mark.parametrize(("largest", "expected"), [(255, 255), (256, 1)])
def test_whole_numbers_that_fit_into_8_bits_stay(largest, expected):
    values = np.array([[0, 7], [largest - 1, largest]], np.int32)
    png = conversion.converted(saved(PIL.Image.fromarray(values), "TIFF"))
    assert pixels_of(png, "L")[1, 1] == expected


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"hevc", b"msf1"])
def test_photographs_of_phones_are_refused_by_name(brand):
    """Whatever they hold: still pictures or sequences, of 8 bits or 10."""
    with pytest.raises(UserError, match="HEIC pictures are not read: save them as JPEG"):
        conversion.converted(b"\0\0\0\x18ftyp" + brand + bytes(40))


def test_what_is_no_picture_is_refused_with_the_reason(rng, monkeypatch):
    tiff = saved(smooth_picture(rng), "TIFF")
    floats = saved(PIL.Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")
    for data, fault in (
        (b"", "it is no picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "it is no picture that can be read"),
        (tiff[: len(tiff) // 2], "it is damaged"),
        (floats, "its pixels are floats"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC pictures are not read: save them as JPEG"),
    ):
        with pytest.raises(UserError, match=fault):
            conversion.converted(data)
        with pytest.raises(tf.errors.InvalidArgumentError, match=fault):
            conversion.decodable(tf.constant(data))
    monkeypatch.setattr(conversion, "MAX_PIXELS", 61 * 47 - 1)
    with pytest.raises(UserError, match="more than 2866 pixels"):
        conversion.converted(tiff)
