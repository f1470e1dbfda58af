"""Pictures with boxes around what a detector has found in them."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from keras_resnet import plots
from keras_resnet.class_colors import Color, class_color, contrast
from keras_resnet.texts import harmless

# Height of letters: a part of the side of a square of as many pixels, and in pixels at least.
_TEXTS_OF_SIDE, _LEAST_TEXT = 40, 10

# Width of a line, and what is left beside a text, as parts of the height of letters.
_LINES_OF_TEXT, _MARGINS_OF_TEXT = 6, 5

Box = tuple[int, int, int, int]


class _Plate(NamedTuple):
    """A text on a filled rectangle."""

    box: Box
    text: str
    font: PIL.ImageFont.FreeTypeFont
    color: Color


def drawn(
    picture: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    class_names: Sequence[str] | Mapping[int, str],
) -> PIL.Image.Image:
    """A copy of a picture with a box and a name around each detection, the best on top.

    Lines and letters are as large as the picture demands; names stay within it.

    Args:
      picture: uint8 [height, width, 3], upright.
      boxes: in pixels of the picture, float [n, 4], see `boxes`.
      labels: their classes, integers [n].
      scores: 0 to 1, [n].
      class_names: by label. Of a character that no font has the escape is drawn.

    Returns:
      An RGB picture of the same size.
    """
    canvas = PIL.Image.fromarray(picture)
    text_size = max(_LEAST_TEXT, round(math.sqrt(math.prod(canvas.size)) / _TEXTS_OF_SIDE))
    limits = canvas.size + canvas.size
    edges = np.rint(np.clip(boxes, 0, limits)).astype(int).tolist()
    order = np.argsort(-np.asarray(scores), kind="stable").tolist()
    plates: list[_Plate] = []
    for place in order:
        text = f"{harmless(class_names[labels[place]])} {100 * scores[place]:.0f}%"
        color = class_color(int(labels[place]))
        plates.append(_plate(text, edges[place], color, text_size, canvas.size, plates))
    pen = PIL.ImageDraw.Draw(canvas)
    line = max(1, text_size // _LINES_OF_TEXT)
    for place, plate in zip(order[::-1], plates[::-1], strict=True):
        _draw_box(pen, edges[place], plate.color, line)
    for plate in plates[::-1]:
        _draw_plate(pen, plate)
    return canvas


def _draw_box(pen: PIL.ImageDraw.ImageDraw, edges: Box, color: Color, width: int) -> None:
    """Draws the lines within the edges, between others that show on their own color."""
    left, top, right, bottom = edges
    # The last pixels; a box may be thinner than one.
    right, bottom = max(left, right - 1), max(top, bottom - 1)
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), None, contrast(color), width + 2)
    pen.rectangle((left, top, right, bottom), None, color, width)


def _draw_plate(pen: PIL.ImageDraw.ImageDraw, plate: _Plate) -> None:
    left, top, right, bottom = plate.box
    pen.rectangle((left, top, right - 1, bottom - 1), plate.color)
    # On whole pixels, where letters are sharp.
    place = (left + _margin(plate.font), top)
    pen.text(place, plate.text, contrast(plate.color), plate.font, anchor="la")


def _plate(
    text: str,
    edges: Box,
    color: Color,
    text_size: int,
    room: tuple[int, int],
    others: Sequence[_Plate],
) -> _Plate:
    """The plate of a box, where it lies on none of the others if there is such a place."""
    path, text = plots.font_for(text)
    font = PIL.ImageFont.truetype(path, text_size)
    beside = 2 * _margin(font)
    text = plots.shortened(text, room[0] - beside, font.getlength)
    width = min(math.ceil(font.getlength(text)) + beside, room[0])
    height = min(sum(font.getmetrics()), room[1])
    places = list(_places(edges, (width, height), room))
    free = (box for box in places if not any(_share(box, other.box) for other in others))
    return _Plate(next(free, places[0]), text, font, color)


def _margin(font: PIL.ImageFont.FreeTypeFont) -> int:
    """Pixels between a text and the sides of its plate."""
    return max(1, round(font.size) // _MARGINS_OF_TEXT)


def _places(edges: Box, shape: tuple[int, int], room: tuple[int, int]) -> Iterator[Box]:
    """Where a plate of a width and height may be: above a box, below it, or in its corners."""
    left, top, right, bottom = edges
    (width, height), (most_width, most_height) = shape, room
    above_or_in = top - height if top >= height else top
    rows = (above_or_in, bottom, top, bottom - height)
    for y, x in itertools.product(rows, (left, right - width)):
        x, y = min(max(x, 0), most_width - width), min(max(y, 0), most_height - height)
        yield x, y, x + width, y + height


def _share(box: Box, other: Box) -> bool:
    """Whether two boxes have a pixel in common."""
    return all(
        max(box[axis], other[axis]) < min(box[axis + 2], other[axis + 2]) for axis in range(2)
    )
