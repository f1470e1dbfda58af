"""Pictures of any shape as a detector or segmenter sees them: scaled, in the corner of a canvas.

What a network answers depends on all that it sees, also on what is beside a picture. So the canvas
follows from the shape of the picture alone, not from the others of a batch.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.images.limits import LARGEST_SIDE
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.images.resizing import resized


class Pictures(NamedTuple):
    """What a network sees of pictures, see `Canvas.inputs`.

    Attributes:
      inputs: float [b, longer, longer, channels].
      shapes: of the pictures on their canvas, int32 [b, 2].
      own_shapes: of the pictures, int32 [b, 2].
    """

    inputs: tf.Tensor
    shapes: tf.Tensor
    own_shapes: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Canvas:
    """How large a picture is scaled, and what it is laid on.

    The shorter side becomes `shorter` pixels long, or less where the longer one would become more
    than `longer`. Lying pictures are on a canvas of shorter x longer pixels, upright ones on one
    that stands.

    Attributes:
      shorter: pixels.
      longer: pixels, at least `shorter`.

    Raises:
      UserError: they are something else.

    Source: 600 and 1000 pixels: Ren et al., 2015 (Faster R-CNN), section 3.3.
    """

    shorter: int = 600
    longer: int = 1000

    def __post_init__(self) -> None:
        checks.check_integer("shorter", self.shorter, 1)
        checks.check_integer("longer", self.longer, self.shorter)
        checks.check_number("longer", self.longer, self.shorter, below=LARGEST_SIDE + 1)

    def with_shorter(self, shorter: int) -> "Canvas":
        """The canvas of another shorter side, in the same proportion."""
        checks.check_integer("shorter", shorter, 1)
        most = int(LARGEST_SIDE * self.shorter / self.longer)
        checks.check_number("shorter", shorter, 1, below=most + 1)
        return Canvas(shorter, round(shorter * self.longer / self.shorter))

    def scaled_shape(self, shape: tf.Tensor, shorter: tf.Tensor | None = None) -> tf.Tensor:
        """Height and width of a picture on its canvas, int32 [2].

        Args:
          shape: its height and width, int [2].
          shorter: what its shorter side is scaled to, in place of that of the canvas, and at most
            that: pixels, int.
        """
        sides = tf.cast(shape, tf.float64)
        shorter = tf.cast(self.shorter if shorter is None else shorter, tf.float64)
        scale = tf.minimum(shorter / tf.reduce_min(sides), self.longer / tf.reduce_max(sides))
        return tf.maximum(tf.cast(tf.round(sides * scale), tf.int32), 1)

    def inputs(
        self,
        pixels: tf.Tensor,
        preprocessing: Preprocessing,
        shorter: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What a network sees of a picture.

        Args:
          pixels: uint8 [height, width, channels], see `Preprocessing.pixels`.
          preprocessing: of which colors and interpolation are taken.
          shorter: see `scaled_shape`.

        Returns:
          float32 [longer, longer, channels], the picture with zeros beside and below it, of which
          its canvas is the first rows or columns; the shape that it has there, and its own, int32
          [2] each.
        """
        shape = tf.shape(pixels)[:2]
        scaled_shape = self.scaled_shape(shape, shorter)
        scaled = resized(pixels, scaled_shape, preprocessing.interpolation)
        colors = (scaled - mean_color(preprocessing)) / tf.constant(preprocessing.deviation)
        beside = tf.pad((self.longer - scaled_shape)[:, tf.newaxis], [[0, 1], [1, 0]])
        whole = tf.pad(colors, beside)
        channels = preprocessing.channels
        return tf.ensure_shape(whole, [self.longer] * 2 + [channels]), scaled_shape, shape


def mean_color(preprocessing: Preprocessing) -> np.ndarray:
    """What a preprocessing subtracts of each channel, on average over the pixels, float32."""
    mean = np.float32(preprocessing.mean)  # type: ignore[arg-type]
    return mean.reshape(-1, preprocessing.channels).mean(axis=0)


def is_upright(scaled_shape: tf.Tensor) -> tf.Tensor:
    """Whether pictures of shapes int32 [..., 2] are on the canvas that stands, bool [...]."""
    return scaled_shape[..., 0] > scaled_shape[..., 1]
