"""Anchors: the boxes, alike at every place of a feature map, that proposals are expressed by."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.images.canvas import Canvas

# Side of the square of as many pixels, in the paper for VOC; for COCO it has 64 besides.
VOC_SIZES = (128, 256, 512)

# Height over width.
RATIOS = (0.5, 1.0, 2.0)


def anchor_shapes(sizes: Sequence[float], ratios: Sequence[float] = RATIOS) -> np.ndarray:
    """Width and height of the anchors of one place, all ratios of the first size first.

    Args:
      sizes: sides of squares of as many pixels.
      ratios: height over width.

    Returns:
      float64 [len(sizes) * len(ratios), 2].

    Source: Ren et al., 2015 (Faster R-CNN), section 3.1.1.
    """
    roots = np.sqrt(ratios)
    return np.stack([np.outer(sizes, 1 / roots), np.outer(sizes, roots)], axis=-1).reshape(-1, 2)


def anchors(map_shape: tf.Tensor, stride: int, shapes: np.ndarray) -> tf.Tensor:
    """The anchors of a feature map, around the middle of the pixels that each place stands for.

    Args:
      map_shape: height and width of the map, int [2].
      stride: of the map, in pixels of the picture.
      shapes: widths and heights, see `anchor_shapes`.

    Returns:
      float32 [height * width * len(shapes), 4], row by row, all of one place together.
    """
    y, x = ((tf.range(map_shape[axis], dtype=tf.float32) + 0.5) * stride for axis in range(2))
    centers = tf.stack(tf.meshgrid(x, y), axis=-1)[:, :, tf.newaxis]
    half = tf.constant(shapes / 2, tf.float32)
    return tf.reshape(tf.concat([centers - half, centers + half], axis=-1), [-1, 4])


def check_enough(anchors_per_image: int, canvas: Canvas, stride: int, shapes: np.ndarray) -> None:
    """Raises UserError where pictures have fewer anchors than are to be learned from."""
    places = -(-canvas.shorter // stride) * -(-canvas.longer // stride)
    number = places * len(shapes)
    if anchors_per_image > number:
        raise UserError(
            f"`anchors_per_image` must be at most {number}, which pictures of {canvas.shorter}x"
            f"{canvas.longer} pixels have. Received: anchors_per_image={anchors_per_image}"
        )
