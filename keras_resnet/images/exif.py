"""How a picture is to be turned to stand upright, by its EXIF, in operations of a graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.images.headers import (
    all_bytes,
    by_format,
    once,
    once_for_bytes,
    places_of,
    rarely,
)

# Steps along a JPEG, each some 50 microseconds. It has some ten segments.
_MOST_SEGMENTS = 1_000


@once_for_bytes
def exif_orientation(image_bytes: tf.Tensor) -> tf.Tensor:
    """How a picture is to be turned to stand upright, by its EXIF, int32 scalar: 1 to 8.

    1, as it is, where there is no EXIF or none that can be read. JPEGs, PNGs (eXIf) and WebPs have
    it, in either byte order.

    Source: Exif 2.32, sections 4.5.2 and 4.6.4.
    """

    def behind(text: bytes, distance: int) -> Callable[[], tf.Tensor]:
        """What is behind a chunk's name."""

        def orientation() -> tf.Tensor:
            values = all_bytes(image_bytes)
            found = places_of(values, text)
            place = tf.argmax(tf.cast(found, tf.int32)) + distance
            return tf.cond(
                tf.reduce_any(found), rarely(lambda: _orientation(values[place:])), as_it_is
            )

        return orientation

    def of_jpeg() -> tf.Tensor:
        values = all_bytes(image_bytes)
        # Most have none: that is seen at once. Pixels do not look so.
        found = tf.reduce_any(places_of(values, b"\xff\xe1"))
        return tf.cond(found, rarely(lambda: _orientation(_exif_segment(values))), as_it_is)

    def as_it_is() -> tf.Tensor:
        return tf.constant(1)

    return by_format(
        image_bytes,
        jpeg=of_jpeg,
        png=behind(b"eXIf", 4),
        webp=behind(b"EXIF", 8),
        default=as_it_is,
    )


_EXIF_NAME = b"Exif\x00\x00"


def _exif_segment(values: tf.Tensor) -> tf.Tensor:
    """The first segment of a JPEG that is EXIF, from its name on, uint8 [n]; nothing without."""
    end = tf.size(values)
    # So that the bytes that a step looks at are there.
    padded = tf.pad(values, [[0, 10]])

    def length(place: tf.Tensor) -> tf.Tensor:
        size = tf.cast(padded[place + 2 : place + 4], tf.int32)
        return 2 + 256 * size[0] + size[1]

    def is_exif(place: tf.Tensor) -> tf.Tensor:
        expected = np.frombuffer(_EXIF_NAME, np.uint8)
        has_name = tf.reduce_all(tf.equal(tf.slice(padded, [place + 4], [6]), expected))
        return tf.equal(padded[place + 1], 0xE1) & has_name

    def goes_on(place: tf.Tensor) -> tf.Tensor:
        # Behind the start of a scan there are no segments.
        is_segment = tf.equal(padded[place], 0xFF) & tf.not_equal(padded[place + 1], 0xDA)
        return (place < end) & is_segment & ~is_exif(place)

    (place,) = tf.while_loop(
        goes_on,
        lambda place: (tf.minimum(place + length(place), end),),
        (tf.minimum(2, end),),
        maximum_iterations=_MOST_SEGMENTS,
    )
    start = tf.where(tf.equal(padded[place], 0xFF) & is_exif(place), place + 4, end)
    return values[start : place + length(place)]


# An entry of a directory: tag, type, number of values, and a value of 2 or of 4 bytes; a row of
# columns for each byte order.
_ENTRY = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11),
    (1, 0, 3, 2, 7, 6, 5, 4, 9, 8, 11, 10, 9, 8),
)
_ENTRY_NUMBERS = np.zeros([14, 5])
for _column, (_first, _last) in enumerate(((0, 2), (2, 4), (4, 8), (8, 10), (10, 14))):
    _ENTRY_NUMBERS[_first:_last, _column] = 256.0 ** np.arange(_last - _first)

# Of a directory: as many as two bytes can say.
_MOST_ENTRIES = 2**16 - 1


@once(input_signature=[tf.TensorSpec([None], tf.uint8)])
def _orientation(exif: tf.Tensor) -> tf.Tensor:
    """The orientation that EXIF says, with or without the name of the segment before it."""
    name = np.frombuffer(_EXIF_NAME, np.uint8)
    has_name = tf.reduce_all(tf.equal(tf.pad(exif, [[0, 6]])[:6], name))
    exif = exif[6 * tf.cast(has_name, tf.int32) :]
    header = tf.cast(tf.pad(exif, [[0, 8]])[:8], tf.int64)
    is_big = tf.reduce_all(tf.equal(header[:4], list(b"MM\0*")))
    is_tiff = is_big | tf.reduce_all(tf.equal(header[:4], list(b"II*\0")))
    # Of its place the highest byte comes first or last.
    place = tf.where(is_big, tf.reverse(header[4:], [0]), header[4:])
    place = tf.reduce_sum(place * 256 ** np.arange(4))
    size = tf.size(exif, tf.int64)
    # Where the directory is outside, there are no entries.
    place = tf.where(is_tiff, tf.minimum(place, size), size)
    longest = exif[place : place + 2 + 12 * _MOST_ENTRIES]
    directory = tf.cast(tf.pad(longest, [[0, 2]]), tf.float64)
    count = tf.where(is_big, 256 * directory[0] + directory[1], directory[0] + 256 * directory[1])
    entries = directory[2:-2][: 12 * tf.cast(count, tf.int32)]
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
    columns = tf.gather(_ENTRY, tf.cast(is_big, tf.int32))
    return _orientation_of_entries(tf.matmul(tf.gather(entries, columns, axis=1), _ENTRY_NUMBERS))


def _orientation_of_entries(numbers: tf.Tensor) -> tf.Tensor:
    """The orientation of a directory's entries, [n, 5]; of several the last one counts."""
    tags, types, counts, shorts, longs = tf.unstack(numbers, axis=1)
    is_short = tf.equal(types, 3)
    values = tf.where(is_short, shorts, longs)
    is_number = (is_short | tf.equal(types, 4)) & tf.equal(counts, 1)
    values = tf.where(is_number & (values >= 1) & (values <= 8), values, 1)
    values = tf.boolean_mask(values, tf.equal(tags, 0x0112))
    return tf.cast(tf.concat([[1], values], axis=0)[-1], tf.int32)
