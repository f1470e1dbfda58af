"""From the bytes of a picture to pixels as a person sees them: upright, and on a background."""

from collections.abc import Sequence

import tensorflow as tf

from keras_resnet.images import headers
from keras_resnet.images.exif import exif_orientation as orientation_of

# What each EXIF orientation asks for, by its number: rows and columns are exchanged, and then the
# order of the rows, and that of the columns, reversed.
_EXCHANGES = (False, False, False, False, False, True, True, True, True)
_REVERSES_ROWS = (False, False, False, True, True, False, False, True, True)
_REVERSES_COLUMNS = (False, False, True, True, False, False, True, True, False)

# Red, green and blue of gray in 65,536ths, as PIL has them (ITU-R BT.601).
_GRAY = (19595, 38470, 7471)


# AutoGraph, which would rewrite it for nothing in every user's `Dataset.map`, takes seconds.
@tf.autograph.experimental.do_not_convert
def decode(
    image_bytes: tf.Tensor,
    channels: int,
    exif_orientation: bool = False,
    background: Sequence[int] | None = None,
) -> tf.Tensor:
    """Pixels of a picture that `headers.is_decodable`, as PIL has them (libjpeg's accurate mode).

    Grayscale, palette, CMYK and 16-bit pictures are converted; of animations it is the first frame.

    Args:
      image_bytes: scalar string tensor holding the encoded picture.
      channels: 3 for RGB, 1 for gray.
      exif_orientation: turn the picture as its EXIF says, as PIL's `exif_transpose` does.
      background: color, of 0 to 255, that transparent pixels are laid over, as PIL's
        `alpha_composite` does; None: transparency is dropped, as by PIL's `convert("RGB")`.

    Returns:
      uint8 [height, width, channels].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are no undamaged picture of at most `MAX_PIXELS`
        pixels.
    """
    # Before any memory is spent on pixels.
    with tf.control_dependencies([headers.bounded(headers.encoded_shape(image_bytes))]):
        image_bytes = tf.identity(image_bytes)
    if not exif_orientation:
        return _decoded(image_bytes, channels, background)
    orientation = tf.identity(orientation_of(image_bytes))
    # One after the other: what runs while the decoder finds an error is cancelled, and of the two
    # TensorFlow may tell that it was cancelled, which ends a data set that ignores errors.
    with tf.control_dependencies([orientation]):
        pixels = _decoded(tf.identity(image_bytes), channels, background)
    return upright(pixels, orientation)


@tf.autograph.experimental.do_not_convert
def decode_plain(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    """`decode` of a JPEG or PNG that `headers.is_plain`, in a tenth of the operations.

    TensorFlow looks at each operation whenever an iterator over pictures begins.
    """
    shape = headers.shape_of_jpeg_or_png(image_bytes)
    with tf.control_dependencies([headers.bounded(shape)]):
        return _decoded_jpeg(tf.identity(image_bytes), channels)


def _decoded_jpeg(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    # Despite its name the operation reads PNG as well.
    return tf.io.decode_jpeg(image_bytes, channels=channels, dct_method="INTEGER_ACCURATE")


def _decoded(image_bytes: tf.Tensor, channels: int, background: Sequence[int] | None) -> tf.Tensor:
    def of_jpeg() -> tf.Tensor:
        return _decoded_jpeg(image_bytes, channels)

    def checked_bytes() -> tf.Tensor:
        # Of these formats not all is for TensorFlow, see there.
        fits = headers.is_decodable(image_bytes)
        with headers.checked(fits, "it is a picture to be converted first"):
            return tf.identity(image_bytes)

    def of_png() -> tf.Tensor:
        if background is None:
            return of_jpeg()
        return tf.cond(
            headers.has_transparency(image_bytes),
            lambda: _opaque(tf.io.decode_png(image_bytes, channels=4), channels, background),
            of_jpeg,
        )

    def of_bmp() -> tf.Tensor:
        return _as_gray(tf.io.decode_bmp(checked_bytes(), channels=3), channels)

    def of_gif() -> tf.Tensor:
        _, frame = headers.first_gif_frame(checked_bytes())
        return _as_gray(_decoded_image(frame, 3), channels)

    def of_webp() -> tf.Tensor:
        # The operation takes no number of channels but that of the file.
        return tf.cond(
            headers.has_transparency(image_bytes),
            lambda: _opaque(_decoded_image(checked_bytes(), 4), channels, background),
            lambda: _as_gray(_decoded_image(checked_bytes(), 3), channels),
        )

    pixels = headers.by_format(
        image_bytes, default=of_jpeg, png=of_png, bmp=of_bmp, gif=of_gif, webp=of_webp
    )
    return tf.ensure_shape(pixels, [None, None, channels])


def _decoded_image(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    pixels = tf.io.decode_image(image_bytes, channels=channels, expand_animations=False)
    return tf.ensure_shape(pixels, [None, None, channels])


def _opaque(pixels: tf.Tensor, channels: int, background: Sequence[int] | None) -> tf.Tensor:
    """Red, green, blue and alpha over a color, uint8 [height, width, channels]."""
    colors, alpha = pixels[..., :3], tf.cast(pixels[..., 3:], tf.int32)
    if background is not None:
        under = tf.constant(background, tf.int32)
        # The nearest integer to a weighted mean of 255 parts.
        total = alpha * tf.cast(colors, tf.int32) + (255 - alpha) * under + 127
        colors = tf.cast(total // 255, tf.uint8)
    return _as_gray(colors, channels)


def _as_gray(colors: tf.Tensor, channels: int) -> tf.Tensor:
    """RGB as it is, or for one channel the gray that PIL makes of it."""
    if channels == 3:
        return colors
    total = tf.reduce_sum(tf.cast(colors, tf.int32) * _GRAY, axis=-1, keepdims=True)
    return tf.cast((total + 2**15) // 2**16, tf.uint8)


# --- Orientation


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Pixels turned as an EXIF orientation asks for.

    Args:
      pixels: [height, width, channels].
      orientation: int32 scalar, 1 to 8.
    """

    def turned() -> tf.Tensor:
        exchanged = tf.cond(
            tf.gather(_EXCHANGES, orientation),
            lambda: tf.transpose(pixels, [1, 0, 2]),
            lambda: tf.identity(pixels),
        )
        reverses = tf.concat([_reverses(orientation), [False]], axis=0)
        return tf.raw_ops.Reverse(tensor=exchanged, dims=reverses)

    turned_pixels = tf.cond(tf.equal(orientation, 1), lambda: tf.identity(pixels), turned)
    return tf.ensure_shape(turned_pixels, [None, None, pixels.shape[-1]])


def _reverses(orientation: tf.Tensor) -> tf.Tensor:
    """Whether the order of the rows is reversed, and that of the columns, bool [2]."""
    return tf.gather((_REVERSES_ROWS, _REVERSES_COLUMNS), orientation, axis=1)


def upright_shape(shape: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Height and width of what `upright` makes of pixels of a height and width, int32 [2]."""
    return tf.where(tf.gather(_EXCHANGES, orientation), tf.reverse(shape, axis=[0]), shape)


def stored_window(window: tf.Tensor, shape: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Where a window of the upright picture is in the pixels as they are stored.

    Args:
      window: top, left, height and width, int32 [4].
      shape: height and width of the upright picture, int32 [2].
      orientation: int32 scalar, 1 to 8.

    Returns:
      The same of the stored pixels, int32 [4].
    """
    corner, size = window[:2], window[2:]
    corner = tf.where(_reverses(orientation), shape - corner - size, corner)
    return tf.concat([upright_shape(corner, orientation), upright_shape(size, orientation)], 0)
