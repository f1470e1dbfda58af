"""Difference hashes: 64 bits by which a picture is known again after resizing or recompression."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

# Bits by which the hashes of two pictures that look alike may differ, from left to right and, to
# tell apart pictures that are merely shaded or framed alike, from above to below.
MOST_DIFFERENT_BITS = (4, 8)

# A hash with fewer bits of either kind is that of a flat picture, or of one shaded from side to
# side: it says too little of it.
_FEWEST_BITS = 8

_ROWS, _COLUMNS = 8, 9

# Rows of the table of all distances that are in memory at once.
_BLOCK = 1024

_GRAY = {1: (1.0,), 3: (0.299, 0.587, 0.114)}


def difference_hashes(pixels: tf.Tensor) -> tf.Tensor:
    """Whether each of 8 x 9 gray fields is darker than the one to its right, and of 9 x 8 below.

    Args:
      pixels: uint8 [height, width, channels], of 3 or 1 channels.

    Returns:
      int64 [2]; the upper left field is the lowest bit.

    Source: N. Krawetz, "Kind of Like That", 2013.
    """
    across = _gray_fields(pixels, _ROWS, _COLUMNS)
    down = tf.transpose(_gray_fields(pixels, _COLUMNS, _ROWS))
    bits = (np.uint64(1) << np.arange(64, dtype=np.uint64)).astype(np.int64)
    return tf.stack(
        [
            tf.reduce_sum(tf.where(gray[:, :-1] < gray[:, 1:], bits.reshape(_ROWS, -1), 0))
            for gray in (across, down)
        ]
    )


def _gray_fields(pixels: tf.Tensor, rows: int, columns: int) -> tf.Tensor:
    """Means of the fields of a grid, [rows, columns]."""
    fields = tf.raw_ops.ResizeArea(images=pixels[tf.newaxis], size=[rows, columns])[0]
    # To integers, as a picture's are: rounding errors of a flat one are no differences.
    return tf.round(tf.linalg.matvec(fields, tf.constant(_GRAY[pixels.shape[-1]])))


def tells_apart(hashes: np.ndarray) -> np.ndarray:
    """Whether hashes, int64 [n, 2], are not those of flat pictures, which all look alike."""
    ones = _bits(hashes[:, 0]).sum(axis=1)
    return (ones >= _FEWEST_BITS) & (ones <= 64 - _FEWEST_BITS)


def near_pairs(hashes: np.ndarray, others: np.ndarray) -> Iterator[tuple[int, int]]:
    """Places of pictures that look alike by `MOST_DIFFERENT_BITS`, each with its nearest other.

    Args:
      hashes, others: int64 [n, 2] and [m, 2].
    """
    signs, other_signs = (2 * _bits(each[:, 0]).astype(np.float32) - 1 for each in (hashes, others))
    across, down = MOST_DIFFERENT_BITS
    for start in range(0, len(hashes), _BLOCK):
        # Of 64 products of signs each different bit turns one from 1 to -1.
        products = signs[start : start + _BLOCK] @ other_signs.T
        rows, columns = np.nonzero(products >= 64 - 2 * across)
        distances = _bits(hashes[start + rows, 1] ^ others[columns, 1]).sum(axis=1, dtype=int)
        is_near = distances <= down
        distances += ((64 - products[rows, columns]) / 2).astype(int)
        nearest: dict[int, tuple[int, int]] = {}
        found = (values[is_near].tolist() for values in (rows, distances, columns))
        for row, distance, column in zip(*found, strict=True):
            nearest[row] = min(nearest.get(row, (distance, column)), (distance, column))
        yield from ((start + row, column) for row, (_, column) in nearest.items())


def _bits(hashes: np.ndarray) -> np.ndarray:
    """The bits of int64 [n], uint8 [n, 64]."""
    return np.unpackbits(np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8), axis=1)
