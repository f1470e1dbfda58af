"""Pictures in the colors of the classes of their pixels."""

import itertools
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

    The first class, usually the background, has none. The names stand in their colors in a corner,
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
    names = {int(number): class_names.get(int(number), str(number)) for number in present}
    _write_names(canvas, names, ids > 0)
    return canvas


def _write_names(
    canvas: PIL.Image.Image, class_names: Mapping[int, str], is_colored: np.ndarray
) -> None:
    """Names on plates, one below the other, in the corner where they hide the least."""
    size = max(_LEAST_TEXT, round(math.sqrt(is_colored.size) / _TEXTS_OF_SIDE))
    plates = [_plate(number, name, size, canvas.width) for number, name in class_names.items()]
    plates = plates[: canvas.height // plates[0].height] if plates else []
    width = max((plate.width for plate in plates), default=0)
    height = sum(plate.height for plate in plates)
    corners = itertools.product((0, canvas.height - height), (0, canvas.width - width))
    top, left = min(
        corners,
        key=lambda corner: is_colored[
            corner[0] : corner[0] + height, corner[1] : corner[1] + width
        ].sum(),
    )
    for plate in plates:
        canvas.paste(plate, (left, top))
        top += plate.height


def _plate(number: int, name: str, size: int, room: int) -> PIL.Image.Image:
    """A name in the color of its class, at most as wide as there is room."""
    path, text = plots.font_for(harmless(name))
    font, beside = PIL.ImageFont.truetype(path, size), max(1, size // 4)
    text = plots.shortened(text, room - 2 * beside, font.getlength)
    width = min(math.ceil(font.getlength(text)) + 2 * beside, room)
    color = class_color(number)
    plate = PIL.Image.new("RGB", (width, sum(font.getmetrics())), color)
    pen = PIL.ImageDraw.Draw(plate)
    pen.text((beside, 0), text, contrast(color), font, anchor="la")
    return plate
