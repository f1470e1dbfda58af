"""The chunks of a PNG beside its pixels, which the decoder would unpack though nobody asks.

A chunk of text of 8 kB can be one of 8 MB, and data for pixels that are all there already is
unpacked to its end.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.images.headers import once_for_bytes

# Steps along a PNG, of some 50 microseconds. Writers put 8 to 64 kB into a chunk.
_MOST_CHUNKS = 4_000

# More texts nobody writes, and each costs a copy of the file.
_MOST_LEFT_OUT = 100

# Behind the signature.
_FIRST = 8

_PIXELS, _END, _PROFILE = (int.from_bytes(name, "big") for name in (b"IDAT", b"IEND", b"iCCP"))
_TEXTS = [int.from_bytes(name, "big") for name in (b"zTXt", b"iTXt")]

# Of a pixel, by the type of its color.
_SAMPLES = (1, 1, 3, 1, 2, 1, 4, 1)

# One of its chunks may be named so. In the data of pixels the names may be by chance.
_MAY_HAVE_PACKED = r"(?s)\C*(zTXt|iTXt|iCCP)\C*"


@once_for_bytes
def has_packed_chunks(image_bytes: tf.Tensor) -> tf.Tensor:
    """Whether a PNG may have chunks beside its pixels that are unpacked, bool scalar."""
    return tf.strings.regex_full_match(image_bytes, _MAY_HAVE_PACKED)


@once_for_bytes
def without_packed_chunks(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A PNG without what is unpacked beside its pixels, and how long the data of those is.

    Left out are compressed texts, and all color profiles but the first one. None of them changes
    pixels. What has more than 4,000 chunks, or 100 of those, is cut behind them, and its data
    counts as endless.

    Returns:
      string scalar, and int32 scalar, in bytes.

    Source: Portable Network Graphics, third edition, sections 5.3 and 11.
    """
    length = tf.strings.length(image_bytes)

    def goes_on(place: tf.Tensor, chunks: tf.Tensor, left_out: tf.Tensor, *_: tf.Tensor) -> Any:
        is_one = place <= length - 12
        return is_one & (chunks < _MOST_CHUNKS) & (left_out < _MOST_LEFT_OUT)

    def step(
        place: tf.Tensor,
        chunks: tf.Tensor,
        left_out: tf.Tensor,
        of_pixels: tf.Tensor,
        profiles: tf.Tensor,
        start: tf.Tensor,
        kept: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        header = tf.strings.substr(image_bytes, place, 8)
        numbers = tf.io.decode_raw(header, tf.int32, little_endian=False, fixed_length=8)
        size, name = tf.unstack(numbers)
        # Where the size is more than there is, or negative, it is the last one.
        after = tf.where((size >= 0) & (size <= length - 12 - place), place + 12 + size, length)
        after = tf.where(tf.equal(name, _END), length, after)
        is_profile = tf.equal(name, _PROFILE)
        is_left_out = tf.reduce_any(tf.equal(name, _TEXTS)) | (is_profile & (profiles > 0))
        kept = tf.cond(
            is_left_out,
            lambda: kept + tf.strings.substr(image_bytes, start, place - start),
            lambda: tf.identity(kept),
        )
        return (
            after,
            chunks + 1,
            left_out + tf.cast(is_left_out, tf.int32),
            of_pixels + tf.where(tf.equal(name, _PIXELS), after - place - 12, 0),
            profiles + tf.cast(is_profile, tf.int32),
            tf.where(is_left_out, after, start),
            kept,
        )

    zero, first = tf.constant(0), tf.minimum(_FIRST, length)
    begin = tf.strings.substr(image_bytes, 0, first)
    place, _, _, of_pixels, _, start, kept = tf.while_loop(
        goes_on, step, (first, zero, zero, zero, zero, first, begin)
    )
    is_cut = place <= length - 12
    rest = tf.strings.substr(image_bytes, start, tf.where(is_cut, place, length) - start)
    return kept + rest, tf.where(is_cut, tf.int32.max, of_pixels)


@once_for_bytes
def bytes_of_pixels(image_bytes: tf.Tensor) -> tf.Tensor:
    """How long the pixels of a PNG are before they are packed, at most, int64 scalar.

    Source: Portable Network Graphics, third edition, sections 7.2, 9.2 and 11.2.1.
    """
    header = tf.io.decode_raw(image_bytes, tf.uint8, fixed_length=26)[16:]
    sides = tf.reshape(tf.cast(header[:8], tf.int64), [2, 4])
    width, height = tf.unstack(tf.reduce_sum(sides * 256 ** np.arange(3, -1, -1), axis=1))
    depth, color = tf.cast(header[8], tf.int64), tf.cast(tf.minimum(header[9], 7), tf.int32)
    bits = depth * tf.gather(tf.constant(_SAMPLES, tf.int64), color)
    # A row begins with the number of its filter, and ends with a byte; interlaced there are twice
    # as many.
    return height * (width * bits // 8 + 4)
