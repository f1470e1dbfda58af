"""From the bytes of a picture to pixels as a person sees them: upright, and on a background."""

import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

from keras_resnet.images import headers
from keras_resnet.images.exif import exif_orientation as orientation_of

# What each EXIF orientation asks for, by its number: rows and columns are exchanged, and then the
# order of the rows, and that of the columns, reversed.
_EXCHANGES = (False, False, False, False, False, True, True, True, True)
_REVERSES_ROWS = (False, False, False, True, True, False, False, True, True)
_REVERSES_COLUMNS = (False, False, True, True, False, False, True, True, False)

# Of a JPEG in CMYK.
_COLORS_OF_INK = 4

# Red, green and blue of gray in 65,536ths, as PIL has them (ITU-R BT.601).
_GRAY = (19595, 38470, 7471)

_TO_CONVERT = "it is a picture to be converted first"

# Of a picture whose pixels become wider numbers for a while; the rest waits.
_PIXELS_AT_ONCE = 2**20

# Gives what an operation on the bytes of a picture gives, which may be an error.
Run: TypeAlias = Callable[[Callable[[], tf.Tensor]], tf.Tensor]


def raising(operation: Callable[[], tf.Tensor]) -> tf.Tensor:
    """What an operation gives; its errors are the caller's."""
    return operation()


# AutoGraph, which would rewrite it for nothing in every user's `Dataset.map`, takes seconds.
@tf.autograph.experimental.do_not_convert
def decode(
    image_bytes: tf.Tensor,
    channels: int,
    exif_orientation: bool = False,
    background: Sequence[int] | None = None,
    max_pixels: tf.Tensor | None = None,
    run: Run = raising,
) -> tf.Tensor:
    """Pixels of a picture that `headers.is_decodable`, as PIL has them (libjpeg's accurate mode).

    Grayscale, palette, CMYK and 16-bit pictures are converted; of animations it is the first frame.

    Args:
      image_bytes: scalar string tensor holding the encoded picture.
      channels: 3 for RGB, 1 for gray.
      exif_orientation: turn the picture as its EXIF says, as PIL's `exif_transpose` does.
      background: color, of 0 to 255, that transparent pixels are laid over, as PIL's
        `alpha_composite` does; None: transparency is dropped, as by PIL's `convert("RGB")`.
      max_pixels: of a larger picture no pixels are made, int64 scalar; None: `MAX_PIXELS`.
      run: calls an operation that may find that the bytes are damaged; in place of its pixels it
        may give none, uint8 [0, 0, c].

    Returns:
      uint8 [height, width, channels].

    Raises:
      tf.errors.InvalidArgumentError: the bytes are no undamaged picture of at most `max_pixels`
        pixels.
    """
    if not exif_orientation:
        return _decoded(image_bytes, channels, background, max_pixels, run)
    orientation = tf.identity(orientation_of(image_bytes))
    # One after the other: what runs while the decoder finds an error is cancelled, and of the two
    # TensorFlow may tell that it was cancelled, which ends a data set that ignores errors.
    with tf.control_dependencies([orientation]):
        image_bytes = tf.identity(image_bytes)
    return upright(_decoded(image_bytes, channels, background, max_pixels, run), orientation)


@tf.autograph.experimental.do_not_convert
def decode_plain(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    """`decode` of a JPEG or PNG that `headers.is_plain`, in a tenth of the operations.

    TensorFlow looks at each operation whenever an iterator over pictures begins.
    """
    shape = headers.shape_of_jpeg_or_png(image_bytes)
    with tf.control_dependencies([headers.bounded(shape)]):
        image_bytes = tf.identity(image_bytes)
    if channels == 3:
        return _decoded_jpeg(image_bytes, channels)
    return tf.cond(
        tf.io.is_jpeg(image_bytes),
        lambda: jpeg_pixels(image_bytes, channels),
        lambda: _decoded_jpeg(image_bytes, channels),
    )


def jpeg_pixels(
    image_bytes: tf.Tensor, channels: int, window: tf.Tensor | None = None
) -> tf.Tensor:
    """Pixels of a JPEG as they are stored.

    Args:
      image_bytes: scalar string tensor.
      channels: 3 for RGB, 1 for gray.
      window: top, left, height and width of what is decoded, int32 [4]; None: all.

    Returns:
      uint8 [height, width, channels].
    """
    if channels == 3:
        return _decoded_jpeg(image_bytes, channels, window)
    # The decoder makes no gray of CMYK.
    return tf.cond(
        tf.equal(tf.io.extract_jpeg_shape(image_bytes)[2], _COLORS_OF_INK),
        headers.rarely(lambda: _as_gray(_decoded_jpeg(image_bytes, 3, window), channels)),
        lambda: _decoded_jpeg(image_bytes, channels, window),
    )


def _decoded_jpeg(
    image_bytes: tf.Tensor, channels: int, window: tf.Tensor | None = None
) -> tf.Tensor:
    options = {"channels": channels, "dct_method": "INTEGER_ACCURATE"}
    if window is None:
        # Despite its name the operation reads PNG as well.
        return tf.io.decode_jpeg(image_bytes, **options)
    return tf.io.decode_and_crop_jpeg(image_bytes, window, **options)


def _decoded(
    image_bytes: tf.Tensor,
    channels: int,
    background: Sequence[int] | None,
    max_pixels: tf.Tensor | None,
    run: Run,
) -> tf.Tensor:
    def of_jpeg() -> tf.Tensor:
        def operation() -> tf.Tensor:
            shape = tf.io.extract_jpeg_shape(image_bytes)[:2]
            with tf.control_dependencies([headers.bounded(shape, max_pixels)]):
                return jpeg_pixels(tf.identity(image_bytes), channels)

        return run(operation)

    def bounded_bytes() -> tf.Tensor:
        # Before any memory is spent on pixels.
        shape = headers.bounded(headers.encoded_shape(image_bytes), max_pixels)
        with tf.control_dependencies([shape]):
            return tf.identity(image_bytes)

    def checked_bytes() -> tf.Tensor:
        # Of these formats not all is for TensorFlow, see there.
        fits = headers.is_decodable(bounded_bytes())
        with headers.checked(fits, _TO_CONVERT):
            return tf.identity(image_bytes)

    def of_png() -> tf.Tensor:
        image_bytes = bounded_bytes()

        def as_it_is() -> tf.Tensor:
            return run(lambda: _decoded_jpeg(image_bytes, channels))

        if background is None:
            return as_it_is()
        with_alpha = functools.partial(tf.io.decode_png, image_bytes, channels=4)
        return tf.cond(
            headers.has_transparency(image_bytes),
            lambda: _opaque(run(with_alpha), channels, background),
            as_it_is,
        )

    def of_bmp() -> tf.Tensor:
        image_bytes = checked_bytes()
        return _as_gray(run(lambda: tf.io.decode_bmp(image_bytes, channels=3)), channels)

    def of_gif() -> tf.Tensor:
        fits, frame = headers.first_gif_frame(bounded_bytes())
        with headers.checked(fits, _TO_CONVERT):
            frame = tf.identity(frame)
        return _as_gray(run(lambda: _decoded_image(frame, 3)), channels)

    def of_webp() -> tf.Tensor:
        image_bytes = checked_bytes()
        # The operation takes no number of channels but that of the file.
        return tf.cond(
            headers.has_transparency(image_bytes),
            lambda: _opaque(run(lambda: _decoded_image(image_bytes, 4)), channels, background),
            lambda: _as_gray(run(lambda: _decoded_image(image_bytes, 3)), channels),
        )

    pixels = headers.by_format(
        image_bytes, default=of_png, jpeg=of_jpeg, bmp=of_bmp, gif=of_gif, webp=of_webp
    )
    return tf.ensure_shape(pixels, [None, None, channels])


def _decoded_image(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    pixels = tf.io.decode_image(image_bytes, channels=channels, expand_animations=False)
    return tf.ensure_shape(pixels, [None, None, channels])


def _opaque(pixels: tf.Tensor, channels: int, background: Sequence[int] | None) -> tf.Tensor:
    """Red, green, blue and alpha over a color, uint8 [height, width, channels]."""
    if background is None:
        return _as_gray(pixels[..., :3], channels)

    def over_color(pixels: tf.Tensor) -> tf.Tensor:
        # All numbers are below 65,536. Rows of one color each, and shifts in place of divisions,
        # take a quarter of the time.
        planes = tf.cast(tf.transpose(pixels), tf.uint16)
        colors, alpha = planes[:3], planes[3:]
        under = tf.constant(background, tf.uint16)[:, tf.newaxis]
        # The nearest integer to a weighted mean of 255 parts.
        total = alpha * colors + (255 - alpha) * under + 127
        total += 1 + tf.bitwise.right_shift(total, 8)
        return tf.transpose(tf.cast(tf.bitwise.right_shift(total, 8), tf.uint8))

    return _as_gray(_by_parts(over_color, pixels, 3), channels)


def _as_gray(colors: tf.Tensor, channels: int) -> tf.Tensor:
    """RGB as it is, or for one channel the gray that PIL makes of it."""
    if channels == 3:
        return colors

    def gray(colors: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(tf.cast(colors, tf.int32) * _GRAY, axis=-1, keepdims=True)
        return tf.cast((total + 2**15) // 2**16, tf.uint8)

    return _by_parts(gray, colors, 1)


def _by_parts(
    function: Callable[[tf.Tensor], tf.Tensor], pixels: tf.Tensor, channels: int
) -> tf.Tensor:
    """What a function of pixels [n, c] gives for those of a picture, some after the others.

    It computes in wider numbers than the pixels are, which for all at once would take more memory
    than all else.
    """
    shape = tf.shape(pixels)[:2]
    flat = tf.reshape(pixels, [-1, pixels.shape[-1]])
    count = tf.shape(flat)[0]
    number = (count + _PIXELS_AT_ONCE - 1) // _PIXELS_AT_ONCE
    parts = tf.TensorArray(tf.uint8, number, infer_shape=False, element_shape=[None, channels])

    def step(place: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        part = flat[place * _PIXELS_AT_ONCE : (place + 1) * _PIXELS_AT_ONCE]
        return place + 1, parts.write(place, function(part))

    _, parts = tf.while_loop(
        lambda place, _: place < number, step, (tf.constant(0), parts), parallel_iterations=1
    )
    return tf.reshape(parts.concat(), [*tf.unstack(shape), channels])


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

    # TensorFlow reverses no rows of no pixels.
    stays = tf.equal(orientation, 1) | tf.equal(tf.size(pixels), 0)
    turned_pixels = tf.cond(stays, lambda: tf.identity(pixels), turned)
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
