"""An image, or a square of it, at another size, as PIL resizes it."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_resnet.images.headers import checked

# Places in a resized image are float32, which holds integers up to this one.
_MAX_RESIZED_SIDE = 2**24


def _triangle(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(1.0 - x)


def _keys_cubic(x: tf.Tensor) -> tf.Tensor:
    """The cubic of Keys (1981) with a = -1/2, which is PIL's and timm's bicubic."""
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """An interpolation: its name in TensorFlow, its reach in pixels, its value at a distance."""

    name: str
    radius: int
    function: Callable[[tf.Tensor], tf.Tensor]


_KERNELS = {
    "bilinear": _Kernel("triangle", 1, _triangle),
    "bicubic": _Kernel("keyscubic", 2, _keys_cubic),
}
INTERPOLATIONS = tuple(_KERNELS)


def shape_after_resize(shape: tf.Tensor, shorter: int) -> tf.Tensor:
    """Height and width of an image once its shorter side has another length, int32 [2].

    Args:
      shape: height and width, int32 [2].
      shorter: the length of the shorter side, in pixels.

    Raises:
      tf.errors.InvalidArgumentError: the image is so narrow that the longer side would exceed
        16,777,216 pixels.
    """
    shape = tf.cast(shape, tf.int64)
    fits = ~is_too_narrow(shape, shorter)
    with checked(fits, "the image is too narrow; its height and width:", shape):
        return tf.cast(shape * shorter // tf.reduce_min(shape), tf.int32)


def is_too_narrow(shape: tf.Tensor, shorter: int) -> tf.Tensor:
    """Whether `shape_after_resize` is an error, bool scalar."""
    shape = tf.cast(shape, tf.int64)
    return tf.reduce_max(shape) * shorter >= (_MAX_RESIZED_SIDE + 1) * tf.reduce_min(shape)


def resized_window(
    pixels: tf.Tensor,
    resized_shape: tf.Tensor | Sequence[int],
    corner: tf.Tensor | Sequence[int],
    size: int,
    interpolation: str = "bilinear",
) -> tf.Tensor:
    """A square of an image as it would be after resizing; nothing outside of it is computed.

    Where the image shrinks, each pixel averages over its source, as PIL's resize does.

    Args:
      pixels: uint8 or float [height, width, channels].
      resized_shape: height and width of the whole image after resizing, int32 [2].
      corner: top and left of the square in the resized image, int32 [2].
      size: side of the square, in pixels.
      interpolation: one of `INTERPOLATIONS`.

    Returns:
      float32 [size, size, channels], of the input's range, which for bicubic must be 0 to 255.
    """
    window = _window(pixels, resized_shape, corner, [size, size], interpolation)
    return tf.ensure_shape(window, [size, size, pixels.shape[-1]])


def resized(
    pixels: tf.Tensor, resized_shape: tf.Tensor | Sequence[int], interpolation: str = "bilinear"
) -> tf.Tensor:
    """The whole image at another size, as `resized_window` gives a part of it.

    Args:
      pixels: uint8 or float [height, width, channels].
      resized_shape: height and width, int32 [2].
      interpolation: one of `INTERPOLATIONS`.

    Returns:
      float32 [*resized_shape, channels].
    """
    whole = _window(pixels, resized_shape, [0, 0], resized_shape, interpolation)
    return tf.ensure_shape(whole, [None, None, pixels.shape[-1]])


def _window(
    pixels: tf.Tensor,
    resized_shape: tf.Tensor | Sequence[int],
    corner: tf.Tensor | Sequence[int],
    window_shape: tf.Tensor | Sequence[int],
    interpolation: str = "bilinear",
) -> tf.Tensor:
    shape = tf.shape(pixels)[:2]
    window = tf.raw_ops.ScaleAndTranslate(
        images=pixels[tf.newaxis],
        size=window_shape,
        scale=tf.cast(resized_shape, tf.float32) / tf.cast(shape, tf.float32),
        translation=-tf.cast(corner, tf.float32),
        kernel_type=_KERNELS[interpolation].name,
        antialias=True,
    )[0]
    return _bounded_pixels(window, interpolation)


def center_crops(
    images: tf.Tensor, shorter: int, size: int, interpolation: str = "bilinear"
) -> tf.Tensor:
    """The central squares of resized images of one size, from matrix products alone.

    They differ from `resized_window` by rounding, and run where its operation is missing.

    Args:
      images: uint8 [n, height, width, channels].
      shorter: length of the shorter side after resizing, in pixels.
      size: side of the squares, in pixels.
      interpolation: one of `INTERPOLATIONS`.

    Returns:
      float32 [n, size, size, channels], 0 to 255.
    """
    shape = tf.shape(images)[1:3]
    resized_shape = shape_after_resize(shape, shorter)
    kernel, channels = _KERNELS[interpolation], images.shape[-1]
    top, height, rows = _axis_of_crop(shape[0], resized_shape[0], size, kernel)
    left, width, columns = _axis_of_crop(shape[1], resized_shape[1], size, kernel)
    pixels = tf.cast(images[:, top : top + height, left : left + width], tf.float32)
    # Rows first, then columns, each a product with whole rows of numbers.
    crops = tf.matmul(rows, tf.reshape(pixels, [-1, height, width * channels]))
    crops = tf.reshape(crops, [-1, size, width, channels])
    crops = tf.reshape(tf.transpose(crops, [0, 2, 1, 3]), [-1, width, size * channels])
    crops = tf.reshape(tf.matmul(columns, crops), [-1, size, size, channels])
    return _bounded_pixels(tf.transpose(crops, [0, 2, 1, 3]), interpolation)


def _bounded_pixels(pixels: tf.Tensor, interpolation: str) -> tf.Tensor:
    # Beside edges a cubic overshoots.
    return tf.clip_by_value(pixels, 0.0, 255.0) if interpolation == "bicubic" else pixels


def _axis_of_crop(
    side: tf.Tensor, resized_side: tf.Tensor, size: int, kernel: _Kernel
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Which pixels along an axis the central crop needs, and what each counts in each of its own.

    Args:
      side, resized_side: length before and after resizing, in pixels.
      size: length of the crop, in pixels.
      kernel: `_Kernel`.

    Returns:
      First pixel and number of pixels, and float32 [size, number of pixels]: the weights of the
      kernel, as `_window` has them.
    """
    corner = (resized_side - size) // 2
    side, resized_side, corner = (tf.cast(v, tf.int64) for v in (side, resized_side, corner))
    # So many pixels of the resized image, and at least as many of the image.
    reach = kernel.radius * (side // resized_side + 2)
    start = tf.maximum(corner * side // resized_side - reach, 0)
    stop = tf.minimum((corner + size) * side // resized_side + reach, side)
    # Centers of the crop's pixels, from `start` on, as fractions: float32 would lose their places.
    twice = (2 * (corner + tf.range(size, dtype=tf.int64)) + 1) * side - 2 * resized_side * start
    centers = tf.cast(twice, tf.float32) / tf.cast(2 * resized_side, tf.float32)
    pixels = tf.cast(tf.range(stop - start), tf.float32) + 0.5
    shrinking = tf.maximum(tf.cast(side, tf.float32) / tf.cast(resized_side, tf.float32), 1.0)
    weights = kernel.function(tf.abs(pixels - centers[:, tf.newaxis]) / shrinking)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.cast(start, tf.int32), tf.cast(stop - start, tf.int32), weights
