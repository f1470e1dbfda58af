"""Pictures of pictures: what a network sees of them, and how many a data set has of each class."""

import bisect
import functools
import os
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_resnet import files
from keras_resnet.texts import escaped, harmless

# Of a sheet of labelled pictures, in inches: a cell, the picture in it, a line below it.
_CELL, _PICTURE, _LINE = 1.6, 1.45, 0.13
_MOST_COLUMNS, _LEAST_COLUMNS = 8, 4

# Matplotlib brings it; escapes are of ASCII.
_FONT, _ALWAYS_NEEDED = "DejaVu Sans", "".join(map(chr, range(32, 127))) + "…"

# Characters of a line that are measured: more have no room, however narrow.
_LONGEST_LINE = 200


def draw_contact_sheet(
    evaluated: np.ndarray,
    augmented: np.ndarray,
    class_names: Sequence[str],
    path: str | os.PathLike[str],
    title: str,
) -> None:
    """Writes a picture of images as evaluation and as training shows them, a row for each.

    Args:
      evaluated: uint8 [n, height, width, channels].
      augmented: uint8 [n, variants, height, width, channels].
      class_names: of the images.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
      title: of the picture.
    """
    rows, columns = augmented.shape[0], 1 + augmented.shape[1]
    figure = Figure(figsize=(1.3 * columns, 1.35 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    grid = figure.subplots(rows, columns, squeeze=False)
    rows_of_grid = zip(grid, evaluated, augmented, class_names, strict=True)
    for axes_of_row, center, variants, name in rows_of_grid:
        for axes, image in zip(axes_of_row, [center, *variants], strict=True):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        # Beside the picture, as the axes are off.
        place = {"x": -0.1, "y": 0.5, "transform": axes_of_row[0].transAxes}
        words = "\n".join(textwrap.wrap(_label(name), 14))
        axes_of_row[0].text(**place, s=words, ha="right", va="center", fontsize=8, parse_math=False)
    grid[0, 0].set_title("evaluation", fontsize=9)
    grid[0, 1].set_title("training", fontsize=9)
    _save(figure, path)


def draw_labelled_pictures(
    pictures: Sequence[np.ndarray | None],
    captions: Sequence[str],
    path: str | os.PathLike[str],
    title: str,
) -> None:
    """Writes a picture of pictures in rows, each with some lines of text below it.

    Args:
      pictures: uint8 [height, width, 3 or 1] of any sizes; None: its cell is empty.
      captions: a text for each, whose line breaks are meant. A line that is too long is shortened
        in its middle; a character that no font has is escaped.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
      title: of the picture.
    """
    columns = min(len(pictures), _MOST_COLUMNS)
    rows = -(-len(pictures) // _MOST_COLUMNS)
    lines = [[harmless(line) for line in caption.split("\n")] for caption in captions]
    row_height = _CELL + _LINE * max(map(len, lines))
    width, height = _CELL * max(columns, _LEAST_COLUMNS), rows * row_height + 3 * _LINE
    figure = Figure(figsize=(width, height))
    canvas = FigureCanvasAgg(figure)
    # One for all, in inches from the top left: as many as there are pictures would take seconds.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    families, known = _fonts_of("".join([title, *captions]))
    renderer = canvas.get_renderer()

    def write(x: float, y: float, text: str, room: float, size: float) -> None:
        font = font_manager.FontProperties(family=families, size=size)
        text = "".join(each if each in known else escaped(each) for each in text)

        def inches(text: str) -> float:
            return renderer.get_text_width_height_descent(text, font, ismath=False)[0] / figure.dpi

        text = shortened(text, room, inches)
        axes.text(x, y, text, font=font, ha="center", va="top", parse_math=False)

    write(width / 2, _LINE, harmless(title), width - _LINE, size=9)
    for place, (picture, texts) in enumerate(zip(pictures, lines, strict=True)):
        x, y = _CELL * (place % columns + 0.5), row_height * (place // columns) + 3 * _LINE
        _place_picture(axes, picture, x, y)
        for number, text in enumerate(texts):
            write(x, y + _PICTURE + _LINE * (number + 0.3), text, _PICTURE, size=7)
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def _place_picture(axes: Any, picture: np.ndarray | None, x: float, y: float) -> None:
    """Draws a picture, or an empty square, below (x, y), the middle of its upper edge."""
    empty = np.full((1, 1, 1), 235, np.uint8)
    shown = empty if picture is None else picture
    height, width = (_PICTURE * side / max(shown.shape[:2]) for side in shown.shape[:2])
    top = y + (_PICTURE - height) / 2
    extent = (x - width / 2, x + width / 2, top + height, top)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")


def shortened(text: str, room: float, width_of: Callable[[str], float]) -> str:
    """The text, or as much of its beginning and its end as has room.

    Args:
      text: a line.
      room: for it.
      width_of: how much of the room a text takes.
    """
    if len(text) <= _LONGEST_LINE and width_of(text) <= room:
        return text

    def ends(kept: int) -> str:
        last = (kept + 1) // 2
        return f"{text[: kept - last]}…{text[len(text) - last :]}"

    numbers = range(min(len(text), _LONGEST_LINE))
    fitting = bisect.bisect_right(numbers, room, key=lambda kept: width_of(ends(kept)))
    return ends(max(0, fitting - 1))


def _fonts_of(text: str) -> tuple[list[str], set[str]]:
    """Installed fonts that together draw a text, the first also escapes; what they have of it."""
    families: list[str] = []
    known: set[str] = set()
    for family, path in _installed_fonts().items():
        missing = {*text, *_ALWAYS_NEEDED} - known
        if not missing:
            break
        font = font_manager.get_font(path)
        found = {each for each in missing if font.get_char_index(ord(each))}
        # Fonts of bitmaps, such as those of colored emoji, cannot be drawn.
        if found and font.scalable:
            families.append(family)
            known |= found
    return families, known


@functools.lru_cache(1000)
def font_for(text: str) -> tuple[str, str]:
    """The path of an installed font that has a text, and the text.

    Where none has all of it, what the usual one lacks is escaped.
    """
    paths = list(_installed_fonts().values())
    for path in paths:
        font = font_manager.get_font(path)
        if font.scalable and all(font.get_char_index(ord(each)) for each in text):
            return path, text
    usual = font_manager.get_font(paths[0])
    characters = (each if usual.get_char_index(ord(each)) else escaped(each) for each in text)
    return paths[0], "".join(characters)


def _installed_fonts() -> dict[str, str]:
    """Paths of upright fonts of usual weight by their names; the first is the usual one."""
    others = {
        entry.name: entry.fname
        for entry in font_manager.fontManager.ttflist
        # The last resort has a box for everything.
        if (entry.style, entry.weight) == ("normal", 400) and "Last Resort" not in entry.name
    }
    return {_FONT: font_manager.findfont(_FONT), **others}


# Classes whose names can be read in one picture.
_NAMED_CLASSES = 60

_LONGEST_LABEL = 40


def draw_class_counts(
    counts: Mapping[str, Mapping[str, int]],
    path: str | os.PathLike[str],
    things: str = "pictures",
) -> None:
    """Writes a picture of the number of images of each class: bars, or for many classes steps.

    Args:
      counts: number of images by class, by the title of their split; all of the same classes.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
      things: what is counted.
    """
    names = list(next(iter(counts.values())))
    has_names = len(names) <= _NAMED_CLASSES
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(names)) if has_names else (8, 4.5))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if has_names:
        height = 0.8 / len(counts)
        for place, (title, of_class) in enumerate(counts.items()):
            middles = [number - 0.4 + (place + 0.5) * height for number in range(len(names))]
            bars = axes.barh(middles, list(of_class.values()), height, label=title)
            axes.bar_label(bars, fmt=" {:,.0f}", fontsize=7)
        axes.set_yticks(range(len(names)), list(map(_label, names)), parse_math=False)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set(xlabel=things)
        axes.margins(x=0.1)
    else:
        order = sorted(names, key=lambda name: -next(iter(counts.values()))[name])
        for title, of_class in counts.items():
            axes.plot([of_class[name] for name in order], drawstyle="steps-mid", label=title)
        axes.set(xlabel=f"{len(names):,} classes, the largest first", ylabel=things)
        axes.set_ylim(0, None)
    axes.legend()
    _save(figure, path)


def draw_classes(
    rows: Mapping[str, Sequence[tuple[np.ndarray, str]]],
    path: str | os.PathLike[str],
    title: str,
) -> None:
    """Writes a picture of images of classes: a row for each, with its name and those of the images.

    Args:
      rows: by class images, uint8 [side, side, channels] of one size, and what stands below each.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
      title: of the picture.
    """
    columns = max(map(len, rows.values()))
    figure = Figure(figsize=(2 + 1.2 * columns, 0.6 + 1.45 * len(rows)))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 2 + 1.2 * columns), ylim=(0, 1))
    axes.set_ylim(0.6 + 1.45 * len(rows), 0)
    axes.set_axis_off()
    axes.text(0.1, 0.35, title, fontsize=11, parse_math=False)
    for row, (name, images) in enumerate(rows.items()):
        top = 0.6 + 1.45 * row
        wrapped = "\n".join(textwrap.wrap(_label(name), 20))
        axes.text(0.1, top + 0.6, wrapped, fontsize=10, va="center", parse_math=False)
        for column, (image, caption) in enumerate(images):
            left = 2 + 1.2 * column
            extent = (left, left + 1.1, top + 1.1, top)
            axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
            text = _label(caption, 19)
            axes.text(left + 0.55, top + 1.22, text, fontsize=6, ha="center", parse_math=False)
    axes.set_xlim(0, 2 + 1.2 * columns)
    axes.set_ylim(0.6 + 1.45 * len(rows), 0)
    _save(figure, path)


def _label(text: str, longest: int = _LONGEST_LABEL) -> str:
    """A text of strangers, in one line; its end is what tells names of files apart."""
    text = harmless(text)
    return text if len(text) <= longest else f"...{text[3 - longest :]}"


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    with files.replacing(path) as unfinished, warnings.catch_warnings():
        # Of letters that the font lacks it draws boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(unfinished, dpi=100, bbox_inches="tight")
