"""Pictures that a caller gives, as paths, bytes or pixels."""

import os

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.images.preprocessing import Preprocessing


def check_list(pictures: object) -> None:
    """Raises UserError for one picture in place of several."""
    if isinstance(pictures, str | bytes | os.PathLike):
        raise UserError("`pictures` must be a list. Received: one picture; put it into [ ].")


def given_pixels(
    picture: str | os.PathLike[str] | bytes | np.ndarray, preprocessing: Preprocessing
) -> tf.Tensor:
    """Those of a picture, uint8 [height, width, channels].

    Args:
      picture: a path, the bytes of a file, or pixels, uint8 [height, width, channels].
      preprocessing: that of the network that is to see it.

    Raises:
      UserError: it is something else, or cannot be read.
    """
    if isinstance(picture, str | bytes | os.PathLike):
        return preprocessing.decoded(picture)
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != preprocessing.channels:
        raise UserError(
            "`pictures` must be paths, bytes of files, or uint8 pixels [height, width, "
            f"{preprocessing.channels}]. Received: {pixels.dtype} {list(pixels.shape)}"
        )
    return tf.constant(pixels)
