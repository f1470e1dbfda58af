"""What pictures of numbers share: where they are drawn, how they are saved, readable axes."""

import math
import os
import pathlib
from typing import Any

import matplotlib
from matplotlib import ticker
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_resnet import files
from keras_resnet.texts import harmless_lines

_DPI = 120

# What labels are multiples of, but for powers of ten.
_ROUND = (1, 2, 5, 10)

# What labels of a decade may begin with, where there is room for so many.
_DIGITS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))

# So few decades look nearly as on a linear axis, and may lie between two such labels.
_SHORT_AXIS = 0.4


def blank(width: float, height: float) -> Figure:
    """An empty figure, of a size in inches, that no window and no state of pyplot knows."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, *paths: str | os.PathLike[str]) -> None:
    """Writes a figure, in the format of each path's suffix: .svg, .png or another of Matplotlib's.

    Each file is replaced whole, and an .svg of the same figure has the same bytes. Texts are shown
    as they are: in the name of a file, dollars are no formula.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(harmless_lines(text.get_text()))
    layout = figure.get_layout_engine()
    if layout is not None:
        # Once for all files: it takes longer than the drawing.
        layout.execute(figure)
        figure.set_layout_engine("none")
    for path in paths:
        is_svg = pathlib.Path(path).suffix == ".svg"
        options: dict[str, Any] = {"metadata": {"Date": None}} if is_svg else {}
        # Without a salt the names of its parts are other ones each time.
        salted = matplotlib.rc_context({"svg.hashsalt": "keras_resnet"})
        with files.replacing(path) as unfinished, salted:
            figure.savefig(unfinished, dpi=_DPI, **options)


def label_counts(axis: Axis) -> None:
    """Labels an axis of whole numbers with some of them, such as 4,000."""
    axis.set_major_locator(ticker.MaxNLocator("auto", integer=True, min_n_ticks=1, steps=_ROUND))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))


def label_numbers(axis: Axis) -> None:
    """Labels an axis with round numbers, such as 5, 10, 15, without the zeros of 5.0."""
    axis.set_major_locator(ticker.MaxNLocator("auto", steps=_ROUND))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))


def label_logarithms(axis: Axis, at_most: int = 6) -> None:
    """Labels a logarithmic axis with plain numbers, such as 0.2, 0.5, 1, 2, in place of powers.

    Args:
      axis: with all that it is to show.
      at_most: number of labels that have room, about.
    """
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low)
    fitting = [digits for digits in _DIGITS if len(digits) * decades <= at_most]
    if decades < _SHORT_AXIS:
        axis.set_major_locator(ticker.MaxNLocator(at_most, steps=_ROUND))
    else:
        digits = max(fitting, key=len, default=(1,))
        axis.set_major_locator(ticker.LogLocator(subs=digits, numticks=at_most))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())
