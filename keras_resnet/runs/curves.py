"""A run as a picture: how error, loss and learning rate went."""

import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes

from keras_resnet import charts
from keras_resnet.runs.figures import Figure

# In gray they differ in width and dashes, and the one is dark.
_STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": "#4a9bd4", "linestyle": "--", "linewidth": 1.1},
    "validation": {"color": "#a63603", "linestyle": "-", "linewidth": 1.8},
}
_MARKERS = {"train": ".", "validation": "s"}
_STAR_STYLE: dict[str, Any] = {
    "color": "gold",
    "markeredgecolor": "black",
    "markersize": 13,
    "zorder": 3,
    "clip_on": False,
}
_RATE_STYLE: dict[str, Any] = {"color": "black", "linewidth": 1.2}

# Points of a curve that can be told apart.
_MARKED_POINTS = 40

# A loss or a rate of 0 has no place on a logarithmic axis.
_LEAST = 1e-6

# Errors that differ by a smaller share of the largest would be a flat line above an axis from 0.
_FLAT = 0.2


def draw_curves(
    metrics: Sequence[dict[str, Any]],
    paths: Sequence[pathlib.Path],
    title: str,
    figure: Figure,
    is_smooth: bool = False,
) -> None:
    """Writes a picture of a figure, loss and learning rate by step, in training and validation.

    Args:
      metrics: dicts as in metrics.jsonl: `step`, `split` ("train" or "validation"), `loss`, the
        figure where the split has it, for train `learning_rate`, and `epoch` where it is known.
      paths: of the files to write, a .png and .svg, say; each is replaced whole.
      title: of the picture.
      figure: to draw at the top; its error where higher is better.
      is_smooth: whether the learning rate changes from step to step, and not at once.
    """
    canvas = charts.blank(7.5, 8)
    canvas.suptitle(title)
    error_axes, loss_axes, rate_axes = canvas.subplots(3, 1, sharex=True, height_ratios=(4, 4, 1.3))
    _draw_errors(error_axes, metrics, figure)
    _draw_splits(loss_axes, metrics, lambda row: max(row["loss"], _LEAST), "loss")
    loss_axes.set(ylabel="loss", yscale="log")
    _draw_rates(rate_axes, _of(metrics, "train"), is_smooth)
    for axes in (error_axes, loss_axes, rate_axes):
        axes.grid(alpha=0.3)
    # Of both: curves fall, and leave room there.
    error_axes.legend(loc="upper right")
    charts.label_logarithms(loss_axes.yaxis)
    rate_axes.set(xlabel="step", xlim=(0, None))
    charts.label_counts(rate_axes.xaxis)
    _add_epochs(error_axes, metrics)
    canvas.align_ylabels()
    charts.save(canvas, *paths)


def _of(metrics: Sequence[dict[str, Any]], split: str) -> list[dict[str, Any]]:
    return [row for row in metrics if row["split"] == split]


def _draw_splits(
    axes: Axes,
    metrics: Sequence[dict[str, Any]],
    value_of: Callable[[dict[str, Any]], float],
    name: str,
) -> None:
    """Draws a line for each split, of its rows that have a name."""
    for split, style in _STYLES.items():
        rows = [row for row in _of(metrics, split) if name in row]
        marker = _MARKERS[split] if len(rows) < _MARKED_POINTS else None
        steps, values = [row["step"] for row in rows], [value_of(row) for row in rows]
        axes.plot(steps, values, **style, marker=marker, markersize=4, label=split)


def _draw_errors(axes: Axes, metrics: Sequence[dict[str, Any]], figure: Figure) -> None:
    """Draws a figure's errors, and a star at the best evaluation, of equals the first."""
    scale = 100 if figure.unit == "%" else 1

    def error(row: dict[str, Any]) -> float:
        return scale * figure.error(row[figure.name])

    _draw_splits(axes, metrics, error, figure.name)
    known = [row for row in metrics if figure.name in row]
    evaluated = _of(known, "validation")
    if evaluated:
        best = min(evaluated, key=error)
        value = f"{error(best):.2f}%" if figure.unit == "%" else f"{error(best):.4g} {figure.unit}"
        label = f"best: {value.strip()} at step {best['step']:,}"
        axes.plot([best["step"]], [error(best)], "*", **_STAR_STYLE, label=label)
    kind = "error" if figure.higher_is_better else ""
    unit = figure.unit and f"({figure.unit})"
    axes.set_ylabel(" ".join(filter(None, [figure.label, kind, unit])))
    errors = [error(row) for row in known]
    spread = max(errors, default=0) - min(errors, default=0)
    if not 0 < spread < _FLAT * max(errors):
        # Half as high shall be half as wrong.
        axes.set_ylim(0, None)


def _draw_rates(axes: Axes, rows: Sequence[dict[str, Any]], is_smooth: bool) -> None:
    """Draws the rates of the rows' steps: lines between smooth ones, others as stairs."""
    steps = [row["step"] for row in rows]
    rates = [row["learning_rate"] for row in rows]
    axes.set_ylabel("learning rate")
    axes.margins(y=0.15)
    if is_smooth:
        axes.plot(steps, rates, **_RATE_STYLE)
        # They begin or end at 0, which has no place on a logarithmic axis.
        axes.set_ylim(0, None)
        charts.label_numbers(axes.yaxis)
        return
    rates = [max(rate, _LEAST) for rate in rates]
    # A row's rate was in use since the row before, or the beginning.
    axes.plot([0, *steps], [*rates[:1], *rates] or [math.nan], drawstyle="steps-pre", **_RATE_STYLE)
    axes.set_yscale("log")
    if len(set(rates)) == 1:
        axes.set_ylim(rates[0] / 3, rates[0] * 3)
    charts.label_logarithms(axes.yaxis, at_most=4)


def _add_epochs(axes: Axes, metrics: Sequence[dict[str, Any]]) -> None:
    """Adds an axis of epochs at the top, where the last row says how many its step is."""
    if not metrics or not metrics[-1].get("epoch"):
        return
    epochs_per_step = metrics[-1]["epoch"] / metrics[-1]["step"]
    scales = (lambda step: step * epochs_per_step, lambda epoch: epoch / epochs_per_step)
    top = axes.secondary_xaxis("top", functions=scales)
    top.set_xlabel("epoch")
    charts.label_numbers(top.xaxis)
