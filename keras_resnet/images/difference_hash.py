"""Difference hashes: 64 bits by which a picture is known again after resizing or recompression."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

# Bits by which two pictures that look alike may differ.
MOST_DIFFERENT_BITS = 4

# A hash with fewer bits of either kind is that of a flat picture, or of one shaded from side to
# side: it says too little of it.
_FEWEST_BITS = 8

_ROWS, _COLUMNS = 8, 9

# Rows of the table of all distances that are in memory at once.
_BLOCK = 1024

_GRAY = {1: (1.0,), 3: (0.299, 0.587, 0.114)}


def difference_hash(pixels: tf.Tensor) -> tf.Tensor:
    """Whether each of 8 x 9 gray fields is darker than the one to its right.

    Args:
      pixels: uint8 [height, width, channels], of 3 or 1 channels.

    Returns:
      int64 scalar; the upper left field is its lowest bit.

    Source: N. Krawetz, "Kind of Like That", 2013.
    """
    fields = tf.raw_ops.ResizeArea(images=pixels[tf.newaxis], size=[_ROWS, _COLUMNS])[0]
    # To integers, as a picture's are: rounding errors of a flat one are no differences.
    gray = tf.round(tf.linalg.matvec(fields, tf.constant(_GRAY[pixels.shape[-1]])))
    is_darker = gray[:, :-1] < gray[:, 1:]
    bits = (np.uint64(1) << np.arange(64, dtype=np.uint64)).astype(np.int64)
    return tf.reduce_sum(tf.where(is_darker, bits.reshape(_ROWS, -1), 0))


def tells_apart(hashes: np.ndarray) -> np.ndarray:
    """Whether hashes, int64 [n], are not those of flat pictures, which all look alike, bool [n]."""
    ones = _bits(hashes).sum(axis=1)
    return (ones >= _FEWEST_BITS) & (ones <= 64 - _FEWEST_BITS)


def near_pairs(hashes: np.ndarray, others: np.ndarray) -> Iterator[tuple[int, int]]:
    """Places of hashes that differ by at most `MOST_DIFFERENT_BITS`, each with its nearest other.

    Args:
      hashes, others: int64 [n] and [m].
    """
    if not len(others):
        return
    signs, other_signs = (2 * _bits(each).astype(np.float32) - 1 for each in (hashes, others))
    for start in range(0, len(hashes), _BLOCK):
        # Of 64 products of signs each different bit turns one from 1 to -1.
        products = signs[start : start + _BLOCK] @ other_signs.T
        nearest = products.argmax(axis=1)
        is_near = products[np.arange(len(nearest)), nearest] >= 64 - 2 * MOST_DIFFERENT_BITS
        for place in np.flatnonzero(is_near).tolist():
            yield start + place, int(nearest[place])


def _bits(hashes: np.ndarray) -> np.ndarray:
    """The bits of int64 [n], uint8 [n, 64]."""
    return np.unpackbits(np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8), axis=1)
