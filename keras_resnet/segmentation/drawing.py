"""Pictures in the colors of the classes of their pixels."""

import math
from collections.abc import Mapping

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from keras_resnet import plots
from keras_resnet.class_colors import class_color, contrast
from keras_resnet.texts import harmless

# How much of a pixel is the color of its class.
_SHARE = 0.5

# Height of letters: a part of the side of a square of as many pixels, and in pixels at least.
_TEXTS_OF_SIDE, _LEAST_TEXT = 30, 10


def colored(
    picture: np.ndarray, ids: np.ndarray, class_names: Mapping[int, str]
) -> PIL.Image.Image:
    """A copy of a picture in which each pixel is half in the color of its class.

    The first class, usually the background, has none. The names stand in their colors at the left,
    the most frequent first, as many as there is room for.

    Args:
      picture: uint8 [height, width, 3], upright.
      ids: numbers of the classes, uint8 [height, width].
      class_names: by number.

    Returns:
      An RGB picture of the same size.
    """
    colors = np.array([class_color(number) for number in range(256)], float)
    share = np.where(ids > 0, _SHARE, 0)[..., np.newaxis]
    blended = np.rint(picture * (1 - share) + colors[ids] * share).astype(np.uint8)
    canvas = PIL.Image.fromarray(blended)
    counts = np.bincount(ids.ravel(), minlength=256)
    counts[0] = 0
    present = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    _write_names(canvas, {int(n): class_names.get(int(n), str(n)) for n in present})
    return canvas


def _write_names(canvas: PIL.Image.Image, class_names: Mapping[int, str]) -> None:
    """Names on plates, one below the other."""
    width, height = canvas.size
    size = max(_LEAST_TEXT, round(math.sqrt(width * height) / _TEXTS_OF_SIDE))
    pen, top, beside = PIL.ImageDraw.Draw(canvas), 0, max(1, size // 4)
    for number, name in class_names.items():
        path, text = plots.font_for(harmless(name))
        font = PIL.ImageFont.truetype(path, size)
        line = sum(font.getmetrics())
        if top + line > height:
            return
        text = plots.shortened(text, width - 2 * beside, font.getlength)
        color = class_color(number)
        right = min(math.ceil(font.getlength(text)) + 2 * beside, width)
        pen.rectangle((0, top, right - 1, top + line - 1), color)
        pen.text((beside, top), text, contrast(color), font, anchor="la")
        top += line
