"""The pixels of a stranger's picture, or why there are none; what finding out may cost is bounded.

A small file can say of itself that it is large, or become large when it is unpacked. What it says
is looked at before anything is unpacked; docs/serving.md has a table of what remains.
"""

from typing import Any

import tensorflow as tf

from keras_resnet.images import headers, png_chunks, scans
from keras_resnet.images.headers import rarely
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.images.resizing import is_too_narrow
from keras_resnet.serving.answers import (
    CONVERT_FIRST,
    DAMAGED,
    NOT_AN_IMAGE,
    OK,
    TOO_LARGE,
    TOO_LONG,
    TOO_MANY_SCANS,
    TOO_MUCH_DATA,
)
from keras_resnet.serving.attempts import attempt, memory_for
from keras_resnet.serving.options import Limits

# Of a JPEG, which has some ten if it is progressive.
MAX_SCANS = 100

# Its scans may together pass over so many times the pixels of the largest picture. libjpeg makes 18
# of one with four colors.
MAX_SCANS_OF_LARGEST = 20

# Of a PNG beside the length of its unpacked pixels, in bytes: a picture's data is shorter.
_MOST_SURPLUS = 2**16


def most_memory(num_pixels: Any, num_bytes: Any) -> Any:
    """How much memory decoding takes at most, in bytes, but for the codes of a lossless WebP.

    Those are 65,536 sets at most, of up to 20 kB each, and nothing says before how many they are.

    Args:
      num_pixels: of the picture, a number or an int64 tensor.
      num_bytes: of its file, likewise.
    """
    # Measured: 13.5 bytes for a transparent picture that is turned, and 19 for a byte of a file
    # that consists of markers.
    return 14 * num_pixels + 20 * num_bytes


def bounded_pixels(
    image_bytes: tf.Tensor, preprocessing: Preprocessing, limits: Limits
) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixels of a picture, if it can be used within some limits, and its status.

    Args:
      image_bytes: scalar string tensor.
      preprocessing: `Preprocessing` of the network.
      limits: `Limits`.

    Returns:
      uint8 [height, width, channels], to be used where the status is `OK`, and that: one of
      `answers`, scalar string tensor.

    Raises:
      tf.errors.ResourceExhaustedError: memory is short.
    """
    no_pixels = tf.zeros([0, 0, preprocessing.channels], tf.uint8)

    def decoded(picture: tf.Tensor, max_pixels: tf.Tensor) -> tf.Tensor:
        return preprocessing.attempted_pixels(picture, max_pixels, attempt)

    def decoded_again(picture: tf.Tensor, num_pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What did not decode is damaged if memory was not short, before and after."""
        needed = most_memory(num_pixels, _length(picture))
        with memory_for(needed):
            pixels = decoded(tf.identity(picture), num_pixels)
        with tf.control_dependencies([pixels]), memory_for(needed):
            return tf.identity(pixels), tf.where(tf.size(pixels) > 0, OK, DAMAGED)

    def of_jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        pixels = decoded(image_bytes, _max_pixels(scans.most_scans(image_bytes), limits))

        def looked_at() -> tuple[tf.Tensor, tf.Tensor]:
            status, num_pixels = _status_of_jpeg(image_bytes, limits)
            return tf.cond(
                tf.equal(status, OK),
                lambda: decoded_again(image_bytes, num_pixels),
                lambda: (no_pixels, status),
            )

        return tf.cond(tf.size(pixels) > 0, lambda: (pixels, tf.constant(OK)), rarely(looked_at))

    def of_others() -> tuple[tf.Tensor, tf.Tensor]:
        picture, status, num_pixels = _others(image_bytes, limits)

        def tried() -> tuple[tf.Tensor, tf.Tensor]:
            pixels = decoded(picture, num_pixels)
            return tf.cond(
                tf.size(pixels) > 0,
                lambda: (pixels, tf.constant(OK)),
                rarely(lambda: decoded_again(picture, num_pixels)),
            )

        return tf.cond(tf.equal(status, OK), tried, lambda: (no_pixels, status))

    is_short = _length(image_bytes) <= limits.max_bytes
    pixels, status = tf.cond(
        is_short & tf.io.is_jpeg(image_bytes),
        of_jpeg,
        rarely(lambda: tf.cond(is_short, of_others, lambda: (no_pixels, tf.constant(TOO_LONG)))),
    )
    is_narrow = is_too_narrow(tf.shape(pixels)[:2], preprocessing.resize)
    return pixels, tf.where(tf.equal(status, OK) & is_narrow, DAMAGED, status)


def _length(image_bytes: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(image_bytes), tf.int64)


def _max_pixels(number_of_scans: tf.Tensor, limits: Limits) -> tf.Tensor:
    """How many pixels a JPEG of so many scans may have, int64 scalar."""
    number = tf.cast(tf.maximum(number_of_scans, 1), tf.int64)
    at_most = tf.minimum(MAX_SCANS_OF_LARGEST * limits.max_pixels // number, limits.max_pixels)
    return tf.where(number > MAX_SCANS, tf.constant(0, tf.int64), at_most)


def _status_of_jpeg(image_bytes: tf.Tensor, limits: Limits) -> tuple[tf.Tensor, tf.Tensor]:
    """The status of a JPEG by its structure, and how many pixels it says to have, int64 scalar."""
    shape = attempt(lambda: tf.io.extract_jpeg_shape(image_bytes)[:2])
    num_pixels = headers.num_pixels(shape)
    most = _max_pixels(scans.number_of_scans(image_bytes), limits)
    status = tf.where(num_pixels > most, TOO_MANY_SCANS, OK)
    status = tf.where(num_pixels > limits.max_pixels, TOO_LARGE, status)
    return tf.where(num_pixels > 0, status, DAMAGED), num_pixels


def _others(image_bytes: tf.Tensor, limits: Limits) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Of what is no JPEG what is to be decoded, its status, and its number of pixels."""

    def decodable() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        num_pixels = headers.num_pixels(headers.encoded_shape(image_bytes))
        return tf.cond(
            num_pixels > limits.max_pixels,
            lambda: (image_bytes, tf.constant(TOO_LARGE), num_pixels),
            lambda: (*_without_surplus(image_bytes), num_pixels),
        )

    def not_decodable() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        status = tf.where(headers.is_picture(image_bytes), CONVERT_FIRST, NOT_AN_IMAGE)
        return image_bytes, status, tf.constant(0, tf.int64)

    return tf.cond(headers.is_decodable(image_bytes), decodable, not_decodable)


def _without_surplus(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A picture without what is unpacked beside its pixels, and its status."""

    def as_it_is() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.identity(image_bytes), tf.constant(OK)

    def of_png() -> tuple[tf.Tensor, tf.Tensor]:
        most = 9 * png_chunks.bytes_of_pixels(image_bytes) // 8 + _MOST_SURPLUS

        def shortened() -> tuple[tf.Tensor, tf.Tensor]:
            picture, length = png_chunks.without_packed_chunks(image_bytes)
            return picture, tf.where(tf.cast(length, tf.int64) > most, TOO_MUCH_DATA, OK)

        is_suspicious = png_chunks.has_packed_chunks(image_bytes) | (_length(image_bytes) > most)
        return tf.cond(is_suspicious, rarely(shortened), as_it_is)

    is_png = tf.equal(headers.picture_format(image_bytes), headers.PNG)
    return tf.cond(is_png, of_png, as_it_is)
