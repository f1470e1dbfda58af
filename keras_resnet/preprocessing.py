"""What a network expects of an image, as a value that training, evaluation and serving share."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_resnet import checks

# More is refused, as PIL does: a file of a few kilobytes can hold an image of gigabytes.
MAX_PIXELS = 178_956_970

# Big-endian int32: the signature of a PNG, then length and name of its first chunk, whose width and
# height follow. Behind another first chunk the decoder would find a size that was not checked.
_PNG_START = np.frombuffer(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", ">i4").astype(np.int32)


def jpeg_shape(image_bytes):
    """Height and width of a JPEG, from its header.

    Args:
      image_bytes: scalar string tensor holding the encoded image.

    Returns:
      int32 [2].

    Raises:
      tf.errors.InvalidArgumentError: it is no JPEG, or has more than `MAX_PIXELS` pixels.
    """
    return _bounded(tf.io.extract_jpeg_shape(image_bytes)[:2])


def _png_shape(image_bytes):
    """The same of a PNG."""
    header = tf.io.decode_raw(
        image_bytes, tf.int32, little_endian=False, fixed_length=_PNG_START.nbytes + 8
    )
    # In a TF1 graph `==` would compare identities.
    is_png = tf.reduce_all(tf.equal(header[: len(_PNG_START)], _PNG_START))
    with checked(is_png, "the image is neither JPEG nor PNG, or lost its header"):
        return _bounded(header[:-3:-1])


def _bounded(shape):
    num_pixels = tf.reduce_prod(tf.cast(shape, tf.int64))
    message = f"the image has more than {MAX_PIXELS} pixels; its height and width:"
    with checked(num_pixels <= MAX_PIXELS, message, shape):
        return tf.identity(shape)


def checked(condition, *message):
    """A context whose operations run only after a condition was found to hold, in any graph.

    Args:
      condition: scalar bool tensor.
      message: strings and tensors of which the error consists, a tf.errors.InvalidArgumentError.
    """
    # tf.debugging.Assert would word its error in another way outside of graphs.
    check = tf.raw_ops.Assert(condition=condition, data=message)
    return tf.control_dependencies([check])


def decode(image_bytes, channels):
    """Pixels of a JPEG or PNG, as libjpeg's accurate mode and PIL give them.

    Grayscale, palette, CMYK and 16-bit images are converted; transparency is dropped, as PIL's
    `convert("RGB")` does; an EXIF orientation is not applied.

    Args:
      image_bytes: scalar string tensor holding the encoded image.
      channels: 3 for RGB, 1 for gray.

    Returns:
      uint8 [height, width, channels].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are not an undamaged JPEG or PNG of at most
        `MAX_PIXELS` pixels.
    """
    shape = tf.cond(
        tf.io.is_jpeg(image_bytes),
        lambda: jpeg_shape(image_bytes),
        lambda: _png_shape(image_bytes),
    )
    # Before any memory is spent on pixels.
    with tf.control_dependencies([shape]):
        # Despite its name the operation reads PNG as well.
        return tf.io.decode_jpeg(image_bytes, channels=channels, dct_method="INTEGER_ACCURATE")


def resized_window(pixels, resized_shape, corner, size):
    """A square of an image as it would be after resizing; nothing outside of it is computed.

    Bilinear; where the image shrinks, each pixel averages over its source, as PIL's resize does.

    Args:
      pixels: uint8 or float [height, width, channels].
      resized_shape: height and width of the whole image after resizing, int32 [2].
      corner: top and left of the square in the resized image, int32 [2].
      size: side of the square, in pixels.

    Returns:
      float32 [size, size, channels], of the input's range.
    """
    window = _window(pixels, resized_shape, corner, [size, size])
    return tf.ensure_shape(window, [size, size, pixels.shape[-1]])


def resized(pixels, resized_shape):
    """The whole image at another size, as `resized_window` gives a part of it.

    Args:
      pixels: uint8 or float [height, width, channels].
      resized_shape: height and width, int32 [2].

    Returns:
      float32 [*resized_shape, channels].
    """
    whole = _window(pixels, resized_shape, [0, 0], resized_shape)
    return tf.ensure_shape(whole, [None, None, pixels.shape[-1]])


def _window(pixels, resized_shape, corner, window_shape):
    shape = tf.shape(pixels)[:2]
    return tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(pixels, tf.float32)[tf.newaxis],
        size=window_shape,
        scale=tf.cast(resized_shape, tf.float32) / tf.cast(shape, tf.float32),
        translation=-tf.cast(corner, tf.float32),
        kernel_type="triangle",
        antialias=True,
    )[0]


def _as_tuple(values):
    values = values.tolist() if isinstance(values, np.ndarray) else values
    return tuple(map(_as_tuple, values)) if isinstance(values, list | tuple) else float(values)


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """From an image of any size to a network's input: resize, center crop, subtract, divide.

    Example:
      preprocessing = Preprocessing(size=224, resize=256, mean=(123.68, 116.78, 103.94))
      inputs = preprocessing(tf.io.read_file("cat.jpg"))  # float32 [224, 224, 3]

    Attributes:
      size: side of the square that the network sees, in pixels.
      resize: shorter side of the image before the center crop, in pixels, at least `size`.
      mean: subtracted from pixel values of 0 to 255: a number per channel, or for the paper's
        per-pixel mean a nested tuple of shape [size, size, channels].
      deviation: divides the result: a number per channel, or one for all.
      channels: 3 (RGB) or 1 (gray).

    Raises:
      UserError: a size is not positive, `resize` is below `size`, or a shape does not fit.

    Source: single-crop testing with mean subtraction, He et al., 2016, sections 3.4 and 4.2.
    """

    size: int
    resize: int
    mean: tuple
    deviation: tuple = (1.0,)
    channels: int = 3

    def __post_init__(self):
        checks.check_integer("size", self.size, 1)
        checks.check_integer("resize", self.resize, self.size)
        checks.check_one_of("channels", self.channels, (1, 3))
        object.__setattr__(self, "mean", _as_tuple(self.mean))
        object.__setattr__(self, "deviation", _as_tuple(self.deviation))
        pixel_shape = (self.size, self.size, self.channels)
        checks.check_one_of("shape of mean", np.shape(self.mean), ((self.channels,), pixel_shape))
        checks.check_one_of(
            "shape of deviation", np.shape(self.deviation), ((1,), (self.channels,))
        )
        for deviation in self.deviation:
            checks.check_positive("deviation", deviation)

    def __call__(self, image):
        """The network's input for one image.

        Args:
          image: scalar string tensor (JPEG or PNG), or uint8 [height, width, channels].

        Returns:
          float32 [size, size, channels].

        Raises:
          tf.errors.InvalidArgumentError: the bytes are not an undamaged JPEG or PNG.
        """
        return self.normalize(self.center_crop(image))

    def center_crop(self, image):
        """Resizes the shorter side to `resize` and keeps the central square of side `size`.

        Args:
          image: scalar string tensor (JPEG or PNG), or uint8 [height, width, channels].

        Returns:
          float32 [size, size, channels], 0 to 255.
        """
        pixels = decode(image, self.channels) if image.dtype == tf.string else image
        shape = tf.shape(pixels)[:2]
        resized_shape = shape * self.resize // tf.reduce_min(shape)
        corner = (resized_shape - self.size) // 2
        return resized_window(pixels, resized_shape, corner, self.size)

    def normalize(self, pixels, color=0.0):
        """Subtracts the mean and divides by the deviation.

        Args:
          pixels: [..., size, size, channels], 0 to 255.
          color: added to every pixel before, float32 [channels] or a number.

        Returns:
          float32 of the same shape.
        """
        # Whole rows at a time: TensorFlow is slow to spread three values over the pixels.
        row = self.size * self.channels
        num_rows = 1 if np.ndim(self.mean) == 1 else self.size
        shape = (num_rows, self.size, self.channels)
        mean = np.broadcast_to(np.float32(self.mean), shape).reshape(num_rows, row)
        color = tf.tile(tf.broadcast_to(color, [self.channels]), [self.size])
        inputs = tf.reshape(tf.cast(pixels, tf.float32), [-1, self.size, row]) + (color - mean)
        if set(self.deviation) != {1.0}:
            shape = (self.size, self.channels)
            inputs /= np.broadcast_to(np.float32(self.deviation), shape).reshape(row)
        return tf.reshape(inputs, tf.shape(pixels))

    def with_mean(self, mean):
        """The same with another mean, an array."""
        return dataclasses.replace(self, mean=np.asarray(mean, np.float32).tolist())

    def to_json(self):
        """The attributes as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values):
        """The inverse of `to_json`."""
        return cls(**values)
