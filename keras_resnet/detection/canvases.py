"""Lying and upright pictures of one batch, each group on its own canvas."""

import functools
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from keras_resnet.images.canvas import Canvas, is_upright

Values = dict[str, tf.Tensor]
OfPictures = TypeVar("OfPictures", bound=tuple[tf.Tensor, ...])


def by_canvas(
    function: Callable[[OfPictures], Values],
    canvas: Canvas,
    batch: OfPictures,
    nothing: Values,
) -> Values:
    """What a function gives for the pictures of a batch, called once for each canvas that is there.

    Args:
      function: of a batch to tensors by name, [b, ...] each.
      canvas: `Canvas`.
      batch: a NamedTuple of tensors [b, ...]: the first are inputs [b, longer, longer, channels],
        the second the shapes that pictures have there, int32 [b, 2].
      nothing: what it gives for no pictures.
    """
    if canvas.shorter == canvas.longer:
        return function(batch)
    stands = is_upright(batch[1])
    parts, places = [], []
    for upright in (False, True):
        rows = tf.where(stands if upright else ~stands)[:, 0]
        height, width = canvas.longer, canvas.shorter
        height, width = (height, width) if upright else (width, height)

        of_group = functools.partial(_of_group, function, batch, rows, (height, width))
        # A convolution of no pictures is an error.
        parts.append(tf.cond(tf.size(rows) > 0, of_group, lambda: nothing))
        places.append(tf.cast(rows, tf.int32))
    return {name: tf.dynamic_stitch(places, [part[name] for part in parts]) for name in nothing}


def _of_group(
    function: Callable[[OfPictures], Values],
    batch: OfPictures,
    rows: tf.Tensor,
    canvas_shape: tuple[int, int],
) -> Values:
    """What the function gives for some of the pictures, whose canvas has a height and width."""
    inputs, *others = (tf.gather(values, rows) for values in batch)
    height, width = canvas_shape
    return function(type(batch)(inputs[:, :height, :width], *others))
