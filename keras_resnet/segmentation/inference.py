"""Which class each pixel of a picture is of."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from keras_resnet.images.canvas import Canvas, Pictures
from keras_resnet.images.canvases import Values, by_canvas
from keras_resnet.segmentation.interpolation import between, interpolated
from keras_resnet.segmentation.network import FCN

# Scores that are held at once: of a photograph all together would take gigabytes.
_SCORES_AT_ONCE = 2**23


class Scores(NamedTuple):
    """What a network says of the places of pictures, see `scorer`.

    Attributes:
      maps: logits, [b, places, places, classes].
      ends: rows and columns of the places that are the pictures', int32 [b, 2].
      steps: places for a pixel of the pictures themselves, down and across, float64 [b, 2].
    """

    maps: tf.Tensor
    ends: tf.Tensor
    steps: tf.Tensor


def scorer(
    model: FCN, *, canvases: Sequence[Canvas] = (), mirrored: bool = False
) -> Callable[..., list[Scores]]:
    """A function from pictures to what a network says of them, once or several times.

    Args:
      model: `FCN`.
      canvases: those on which it sees each picture; without, its own one alone.
      mirrored: whether it sees each picture from the back, too.

    Returns:
      A function of one `Pictures` for each canvas, of the same pictures, to `Scores`: one for each
      canvas, or two, of which the second is of the mirrored pictures.
    """
    canvases = canvases or [model.canvas]
    looks_on = [_looking_on(model, canvas) for canvas in canvases]

    def scores(*of_canvases: Pictures) -> list[Scores]:
        found = []
        for look_on, pictures in zip(looks_on, of_canvases, strict=True):
            sights = [pictures]
            if mirrored:
                inputs = tf.map_fn(_mirrored, pictures[:2], fn_output_signature=tf.float32)
                sights.append(pictures._replace(inputs=inputs))
            for sight in sights:
                values = look_on(sight)
                growth = tf.cast(pictures.shapes / pictures.own_shapes, tf.float64)
                found.append(Scores(values["maps"], values["ends"], values["steps"] * growth))
        return found

    return scores


def _looking_on(model: FCN, canvas: Canvas) -> Callable[[Pictures], Values]:
    """A function from pictures on a canvas to maps, all as large, and what of them is theirs."""
    dtype = model.variable_dtype
    places = -(-canvas.longer // model.place)

    def of_canvas(pictures: Pictures) -> Values:
        maps, _ = model.maps(pictures.inputs, pictures.shapes)
        sides = tf.shape(maps)[1:3]
        steps = sides / tf.shape(pictures.inputs)[1:3]
        beyond = tf.pad((places - sides)[:, tf.newaxis], [[1, 1], [1, 0]])
        return {
            "maps": tf.ensure_shape(tf.pad(maps, beyond), [None, places, places, model.classes]),
            "ends": model.ends(pictures.shapes, sides, tf.shape(pictures.inputs)[1:3]),
            "steps": tf.broadcast_to(steps, tf.shape(pictures.shapes)),
        }

    nothing = {
        "maps": tf.TensorSpec([0, places, places, model.classes], dtype),
        "ends": tf.TensorSpec([0, 2], tf.int32),
        "steps": tf.TensorSpec([0, 2], tf.float64),
    }
    return by_canvas(of_canvas, canvas, nothing)


def _mirrored(pictures: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    inputs, shape = pictures
    return mirrored(inputs, shape[1])


def mirrored(inputs: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """A picture, or mask, in the corner of its canvas, mirrored within its own width."""
    picture, beside = inputs[:, :width], inputs[:, width:]
    return tf.ensure_shape(tf.concat([picture[:, ::-1], beside], axis=1), inputs.shape)


def ids_of(scores: Sequence[Scores], own_shape: tf.Tensor, are_mirrored: bool) -> tf.Tensor:
    """The class of each pixel of one picture: the likeliest, on average over all that was said.

    Args:
      scores: of this picture, without the axis of pictures.
      own_shape: its height and width, int32 [2].
      are_mirrored: whether every second one is of the mirrored picture.

    Returns:
      uint8 [height, width].
    """
    height, width = tf.unstack(own_shape)
    dtype, classes = scores[0].maps.dtype, scores[0].maps.shape[-1]
    rows_at_once = tf.clip_by_value(_SCORES_AT_ONCE // (width * classes), 1, height)
    across = [_weights(each, 1, tf.range(width), dtype) for each in scores]
    across = [
        tf.reverse(each, [0]) if are_mirrored and place % 2 else each
        for place, each in enumerate(across)
    ]

    def of_rows(start: tf.Tensor) -> tf.Tensor:
        rows = tf.range(start, start + rows_at_once)
        parts = [
            interpolated(each.maps, _weights(each, 0, rows, dtype), columns)
            for each, columns in zip(scores, across, strict=True)
        ]
        if len(parts) > 1:
            parts = [tf.nn.softmax(part) for part in parts]
        return tf.argmax(tf.add_n(parts), axis=-1, output_type=tf.int32)

    # Loops on a GPU collect no bytes.
    starts = tf.range(0, height, rows_at_once)
    ids = tf.map_fn(of_rows, starts, fn_output_signature=tf.int32)
    return tf.cast(tf.reshape(ids, [-1, width])[:height], tf.uint8)


def _weights(scores: Scores, axis: int, pixels: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    places = tf.shape(scores.maps)[axis]
    return between(pixels, scores.steps[axis], scores.ends[axis], places, dtype)
