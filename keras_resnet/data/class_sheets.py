"""Contact sheets of the classes of a data set: some pictures of each, as a person sees them."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.data.sources import Source
from keras_resnet.data.summary import labels_of
from keras_resnet.data.survey import Survey
from keras_resnet.images.decoding import decode

PICTURES_OF_CLASS, CLASSES_OF_PAGE = 8, 10

_SIDE = 128

_WHITE = 255


def draw_sheets(source: Source, survey: Survey, directory: pathlib.Path) -> list[pathlib.Path]:
    """Draws up to eight pictures of each class, evenly spaced, upright and on white.

    Args:
      source: `Source` of the pictures to train on.
      survey: of its pictures, from which they are chosen.
      directory: where the sheets are written, of ten classes each.

    Returns:
      Their paths, classes-01.png and so on.
    """
    labels = labels_of(source, survey)
    chosen = {}
    for label, name in enumerate(source.class_names):
        of_class = survey.indices[labels == label]
        if count := min(PICTURES_OF_CLASS, len(of_class)):
            chosen[name] = of_class[np.linspace(0, len(of_class) - 1, count).astype(int)].tolist()
    names = list(chosen)
    starts = range(0, len(names), CLASSES_OF_PAGE)
    digits = max(2, len(str(len(starts))))
    paths = []
    for number, start in enumerate(starts, 1):
        paths.append(directory / f"classes-{number:0{digits}}.png")
        rows = {
            name: [_drawn(source, index) for index in chosen[name]]
            for name in names[start : start + CLASSES_OF_PAGE]
        }
        title = f"Pictures to train on, page {number} of {len(starts)}"
        plots.draw_classes(rows, paths[-1], title)
    return paths


def _drawn(source: Source, index: int) -> tuple[np.ndarray, str]:
    """A picture on a white square, and the name of its file or record."""
    image, _ = source.example(index)
    if image.dtype == tf.string:
        image = decode(image, source.channels, exif_orientation=True, background=(_WHITE,) * 3)
    sides = (_SIDE, _SIDE)
    small = tf.image.resize(image, sides, "area", preserve_aspect_ratio=True)
    pixels = np.clip(np.rint(small), 0, _WHITE).astype(np.uint8)
    height, width, channels = pixels.shape
    square = np.full((*sides, channels), _WHITE, np.uint8)
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square, os.path.basename(source.describe(index))
