"""How many scans the JPEG of a picture has: each may take as long as decoding all of another."""

import tensorflow as tf

from keras_resnet.images.headers import all_bytes, once_for_bytes, places_of

# Steps along a JPEG, of some 100 microseconds. A picture has some ten segments and ten scans.
_MOST_STEPS = 2_000

_SOS, _EOI = 0xDA, 0xD9


@once_for_bytes
def most_scans(image_bytes: tf.Tensor) -> tf.Tensor:
    """How many scans a JPEG has at most, by the bytes that begin one, int32 scalar.

    Those within comments, thumbnails and behind the end count, too: `number_of_scans` is exact, and
    slow.
    """
    starts = places_of(all_bytes(image_bytes), bytes([0xFF, _SOS]))
    return tf.math.count_nonzero(starts, dtype=tf.int32)


@once_for_bytes
def number_of_scans(image_bytes: tf.Tensor) -> tf.Tensor:
    """How many scans a JPEG has until its end, int32 scalar.

    What has more than 2,000 segments and scans counts as having that many scans.

    Source: ITU-T T.81, sections B.1.1 and B.2.1.
    """
    # Whatever it is, at its end is an end.
    values = tf.concat([all_bytes(image_bytes), [0xFF, _EOI, 0, 0]], axis=0)
    end = tf.size(values, tf.int64) - 4
    following = values[1:]
    # Behind an FF these are data, a fill byte, or stand for themselves: TEM and RST0 to RST7.
    is_restart = tf.equal(tf.bitwise.bitwise_and(following, 0xF8), 0xD0)
    alone = (following < 0x02) | tf.equal(following, 0xFF) | is_restart
    markers = tf.reshape(tf.where(tf.equal(values[:-1], 0xFF) & ~alone), [-1])

    def step(place: tf.Tensor, scans: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # As the decoder does, whatever is between two segments is passed over.
        place = markers[tf.searchsorted(markers, place[tf.newaxis])[0]]
        kind, high, low = tf.unstack(tf.cast(tf.slice(values, [place + 1], [3]), tf.int32))
        after = place + 2 + tf.cast(256 * high + low, tf.int64)
        after = tf.where(tf.equal(kind, _EOI), end, after)
        return after, scans + tf.cast(tf.equal(kind, _SOS), tf.int32), steps + 1

    place, scans, steps = tf.while_loop(
        lambda place, _, steps: (place < end) & (steps < _MOST_STEPS),
        step,
        # Behind the beginning of the picture, which is no segment.
        (tf.constant(2, tf.int64), tf.constant(0), tf.constant(0)),
    )
    return tf.where(place < end, _MOST_STEPS, scans)
