"""Pictures that no operation of a graph decodes, made into PNGs by Pillow: TIFF, AVIF, others."""

import io

import numpy as np
import PIL
import tensorflow as tf
from PIL import Image

from keras_resnet.checks import UserError
from keras_resnet.images.headers import checked, is_decodable
from keras_resnet.images.limits import MAX_PIXELS

# The readers of Pillow that are used: not what starts other programs (EPS) or reads nothing by
# itself (WMF, HDF5).
_FORMATS = (
    *("AVIF", "BMP", "DIB", "DDS", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG"),
    *("PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP", "XBM", "XPM"),
)

_ORIENTATION = 0x0112

_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypmsf1")


def decodable_bytes(content: bytes) -> bytes:
    """A picture in a form that `decoding.decode` reads: as it is, or as the PNG of `converted`."""
    return content if is_decodable(tf.constant(content)) else converted(content)


def decodable(image_bytes: tf.Tensor) -> tf.Tensor:
    """The same within tf.data, where Python is called for what needs it.

    Args:
      image_bytes: scalar string tensor.

    Returns:
      scalar string tensor.

    Raises:
      tf.errors.InvalidArgumentError: it is no picture; the message says why.
    """

    def of_python() -> tf.Tensor:
        png, fault = tf.numpy_function(_converted_or_fault, [image_bytes], (tf.string, tf.string))
        with checked(tf.equal(fault, ""), fault):
            return tf.reshape(tf.identity(png), [])

    return tf.cond(is_decodable(image_bytes), lambda: tf.identity(image_bytes), of_python)


def _converted_or_fault(content: np.ndarray | bytes) -> tuple[bytes, bytes]:
    """The PNG, and what went wrong; an exception would have TensorFlow log a traceback."""
    try:
        return converted(np.asarray(content, object).item()), b""
    except UserError as error:
        return b"", str(error).encode()


def converted(content: bytes) -> bytes:
    """A PNG of whatever picture Pillow reads, with its transparency and its EXIF orientation.

    Of 16 bits the upper 8 are kept, of animations the first frame.

    Args:
      content: of the file.

    Returns:
      PNG, gray or RGB, with or without alpha.

    Raises:
      UserError: it is no picture, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    if content[4:12] in _HEIC:
        raise UserError("HEIC pictures are not read: save them as JPEG")
    try:
        Image.init()
        formats = [name for name in _FORMATS if name in Image.OPEN]
        image: Image.Image = Image.open(io.BytesIO(content), formats=formats)
        if image.width * image.height > MAX_PIXELS:
            raise UserError(f"the image has more than {MAX_PIXELS} pixels: {image.size}")
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
        image = _of_8_bits(image)
    except (UserError, MemoryError):
        raise
    except PIL.UnidentifiedImageError:
        raise UserError("it is no picture that can be read") from None
    except Exception as error:  # Its readers raise whatever a damaged file leads them to.
        raise UserError(f"it is damaged: {error or type(error).__name__}") from error
    exif = Image.Exif()
    if isinstance(orientation, int):
        exif[_ORIENTATION] = orientation
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=1, exif=exif)
    return png.getvalue()


def _of_8_bits(image: Image.Image) -> Image.Image:
    """The picture in one of the modes L, RGB and RGBA."""
    if image.mode.startswith("I"):
        # Pillow's own conversion cuts off what is above 255.
        values = np.asarray(image).astype(np.int64)
        values = values >> 8 if image.mode.startswith("I;16") or values.max() > 255 else values
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if image.mode == "F":
        raise UserError("its pixels are floats, whose range is unknown: save it with 8 bits")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
