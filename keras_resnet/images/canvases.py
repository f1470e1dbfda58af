"""Lying and upright pictures of one batch, each group on its own canvas."""

import functools
from collections.abc import Callable, Mapping
from typing import TypeVar

import tensorflow as tf

from keras_resnet.images.canvas import Canvas, is_upright

Values = dict[str, tf.Tensor]
OfPictures = TypeVar("OfPictures", bound=tuple[tf.Tensor, ...])


def by_canvas(
    function: Callable[[OfPictures], Values],
    canvas: Canvas,
    nothing: Mapping[str, tf.TensorSpec],
) -> Callable[[OfPictures], Values]:
    """A function of batches that calls another one once for each canvas that is there.

    Args:
      function: of a batch on one canvas to tensors by name, [b, ...] each.
      canvas: `Canvas`.
      nothing: what it gives for no pictures.

    Returns:
      A function of a NamedTuple of tensors [b, ...]: the first are inputs [b, longer, longer,
      channels], the second the shapes that pictures have there, int32 [b, 2].
    """
    if canvas.shorter == canvas.longer:
        return function

    # One graph for both canvases: half of what building them, and their gradients, takes.
    @functools.cache
    def of_any_canvas(signature: OfPictures) -> Callable[[OfPictures], Values]:
        return tf.function(function, autograph=False, input_signature=[signature])

    def of_all(batch: OfPictures) -> Values:
        stands = is_upright(batch[1])
        of_one_canvas = of_any_canvas(_signature(batch))
        parts, places = [], []
        for upright in (False, True):
            rows = tf.where(stands if upright else ~stands)[:, 0]
            height, width = canvas.longer, canvas.shorter
            height, width = (height, width) if upright else (width, height)
            of_group = functools.partial(_of_group, of_one_canvas, batch, rows, (height, width))
            # A convolution of no pictures is an error.
            parts.append(tf.cond(tf.size(rows) > 0, of_group, lambda: _zeros(nothing)))
            places.append(tf.cast(rows, tf.int32))
        return {name: tf.dynamic_stitch(places, [part[name] for part in parts]) for name in nothing}

    return of_all


def _zeros(specs: Mapping[str, tf.TensorSpec]) -> Values:
    return {name: tf.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}


def _signature(batch: OfPictures) -> OfPictures:
    """Specifications of a batch of any number of pictures, on a canvas of any shape."""
    inputs, *others = batch
    return type(batch)(
        tf.TensorSpec([None, None, None, inputs.shape[-1]], inputs.dtype),
        *(tf.TensorSpec([None, *each.shape[1:]], each.dtype) for each in others),
    )


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
