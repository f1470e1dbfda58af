"""Pictures of what the paper claims, in its arrangement, as .png and .svg."""

import itertools
import pathlib
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_resnet import charts
from keras_resnet.paper.outcomes import Outcome, training_rows

# Networks of one picture are told apart by these too, in print and by who sees no color.
_MARKERS = "osD^vPX*<>"

# On a curve so many of them.
_MARKS = 8

# Of a title.
_LETTERS_PER_INCH = 11


def _save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a picture under the names of a path with .png and .svg."""
    charts.save(figure, path.with_suffix(".png"), path.with_suffix(".svg"))


def _write_title(figure: Figure, title: str) -> None:
    """Writes a title in as many lines as the width of the figure asks for."""
    lines = textwrap.wrap(title, int(_LETTERS_PER_INCH * figure.get_figwidth()))
    figure.suptitle("\n".join(lines), fontsize=10)


def draw_agreement(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], path: pathlib.Path) -> None:
    """Draws the logits of deeper networks over those of shallower ones.

    Args:
      pairs: dict of pairs of float arrays [images, classes] by title: shallower, deeper.
      path: of both files, without their suffix; they are replaced whole.
    """
    figure = charts.blank(4.5 * len(pairs), 4.5)
    grid = figure.subplots(1, len(pairs), squeeze=False)
    for axes, (title, (shallower, deeper)) in zip(grid[0], pairs.items(), strict=True):
        axes.axline((0, 0), slope=1, color="gray", linewidth=0.8)
        # More points than these hide each other.
        axes.plot(shallower[:200].ravel(), deeper[:200].ravel(), ".", markersize=3)
        axes.set(title=title, xlabel="logits, shallower", ylabel="logits, deeper")
    _save(figure, path)


def draw_costs(rows: Sequence[dict[str, Any]], path: pathlib.Path) -> None:
    """Draws multiply-adds, as published and as counted.

    Args:
      rows: dicts of `network`, `multiply-adds` and `published`, such as those of
        `tables.imagenet_rows`; those without a published figure are left out.
      path: as for `draw_agreement`.
    """
    figure = charts.blank(8, 6)
    axes = figure.subplots()
    compared = [row for row in rows if row["published"]]
    names = [row["network"] for row in compared]
    positions = range(len(compared))
    for offset, key, hatch in ((-0.2, "published", "//"), (0.2, "multiply-adds", "")):
        axes.barh(
            [position + offset for position in positions],
            [row[key] / 1e9 for row in compared],
            0.4,
            label="counted" if key == "multiply-adds" else key,
            hatch=hatch,
            edgecolor="white",
        )
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.set(xlabel="billion multiply-adds for an image of 224x224")
    axes.legend()
    _save(figure, path)


def draw_by_layer(
    values: Mapping[str, Mapping[str, float]],
    path: pathlib.Path,
    label: str,
    title: str,
    *,
    is_logarithmic: bool = False,
) -> None:
    """Draws a number of each layer, in the order of the layers above and sorted below (Figure 7).

    Args:
      values: dict by network of dicts of float by layer.
      path: as for `draw_agreement`.
      label: what the numbers are.
      title: of the picture.
      is_logarithmic: whether ratios matter; else the axis begins at 0.
    """
    figure = charts.blank(11, 7.5)
    _write_title(figure, title)
    in_order, by_size = figure.subplots(2, 1)
    for (network, of_layers), marker in zip(values.items(), itertools.cycle(_MARKERS)):
        found = list(of_layers.values())
        numbers = range(1, len(found) + 1)
        # Plain nets dashed, as in the paper.
        style = {
            "linestyle": "--" if "plain" in network.lower() else "-",
            "marker": marker,
            "markersize": 4,
            "markevery": max(1, len(found) // 20),
            "linewidth": 1.2,
            "label": network,
        }
        in_order.plot(numbers, found, **style)
        by_size.plot(numbers, sorted(found, reverse=True), **style)
    in_order.set(xlabel="layer index (original order)", ylabel=label)
    by_size.set(xlabel="layer index (sorted by magnitude)", ylabel=label)
    for axes in (in_order, by_size):
        if is_logarithmic:
            axes.set_yscale("log")
            charts.label_logarithms(axes.yaxis)
        else:
            axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        charts.label_counts(axes.xaxis)
        axes.grid(alpha=0.3)
    # Beside them: of many stages of training it would hide half of a picture.
    figure.legend(*in_order.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    _save(figure, path)


def draw_comparison(
    outcomes: Mapping[str, Outcome],
    panels: Mapping[str, Sequence[str]],
    path: pathlib.Path,
    title: str,
    split: str,
    drops: Sequence[int] = (),
) -> None:
    """Draws errors by step as Figures 4 and 6 do: training thin and dashed, test bold.

    Of several seeds there is the mean, and the range from the lowest to the highest as a band.

    Args:
      outcomes: `Outcome` by network; where all runs diverged it says so, in place of a curve.
      panels: networks of each part of the picture, by its title.
      path: as for `draw_agreement`.
      title: of the picture.
      split: what the images of the evaluations are called.
      drops: steps at which the rate drops.
    """
    figure = charts.blank(5.8 * len(panels), 5)
    _write_title(figure, title)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    highest = 0.0
    for axes, (part, names) in zip(grid, panels.items(), strict=True):
        for number, name in enumerate(names):
            outcome, marker = outcomes[name], _MARKERS[number % len(_MARKERS)]
            look = {"color": f"C{number}", "marker": marker, "markersize": 5}
            highest = max(highest, _draw_errors(axes, name, outcome, split, look))
        for drop in drops:
            axes.axvline(drop, color="gray", linestyle=":", linewidth=0.8)
        axes.set(xlabel="step", title=part)
        charts.label_counts(axes.xaxis)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    # The first steps, at 90%, would leave no room for the rest.
    grid[0].set(ylabel="error (%)", ylim=(0, min(100, 1.3 * highest) or 100))
    _save(figure, path)


def _draw_errors(
    axes: Axes, name: str, outcome: Outcome, split: str, look: dict[str, Any]
) -> float:
    """Draws both errors of a network; returns what the training error is after a quarter."""
    if not outcome.metrics:
        axes.plot([], [], label=f"{name}: diverged", **look)
        return 0.0
    training = _errors_by_step([training_rows(rows) for rows in outcome.metrics])
    test = _errors_by_step(
        [[row for row in rows if row["split"] == "validation"] for rows in outcome.metrics]
    )
    thin: dict[str, Any] = {"linestyle": "--", "linewidth": 0.8, "alpha": 0.8}
    bold: dict[str, Any] = {"linestyle": "-", "linewidth": 2}
    for errors, label, style in ((training, "training", thin), (test, split, bold)):
        steps = list(errors)
        means = [statistics.fmean(found) for found in errors.values()]
        every = max(1, len(steps) // _MARKS)
        axes.plot(steps, means, label=f"{name}, {label}", markevery=every, **look, **style)
        if len(outcome.seeds) > 1:
            ends = [min(found) for found in errors.values()], [max(f) for f in errors.values()]
            axes.fill_between(steps, *ends, color=look["color"], alpha=0.15, linewidth=0)
    later = list(training.values())[len(training) // 4]
    return max(later)


def _errors_by_step(runs: Sequence[Sequence[dict[str, Any]]]) -> dict[int, list[float]]:
    """Errors in % of all runs, by the steps that each of them has."""
    of_runs = [{row["step"]: 100 * (1 - row["top1"]) for row in rows} for rows in runs]
    steps = sorted(set(of_runs[0]).intersection(*of_runs[1:]))
    return {step: [of_run[step] for of_run in of_runs] for step in steps}


def draw_errors_by_depth(
    panels: Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]], path: pathlib.Path
) -> None:
    """Draws errors over the number of layers: a line through the means, a dash for each run.

    Args:
      panels: by the title of each part of the picture, errors in % by depth of what is named;
        published ones are dashed.
      path: as for `draw_agreement`.
    """
    figure = charts.blank(5.8 * len(panels), 4.8)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, families) in zip(grid, panels.items(), strict=True):
        for number, (name, by_depth) in enumerate(families.items()):
            depths = sorted(by_depth)
            look = {"color": f"C{number}", "marker": _MARKERS[number % len(_MARKERS)]}
            means = [statistics.fmean(by_depth[depth]) for depth in depths]
            axes.plot(depths, means, "--" if "published" in name else "-", label=name, **look)
            for depth in depths:
                of_runs = by_depth[depth]
                axes.plot([depth] * len(of_runs), of_runs, "_", color=look["color"], markersize=12)
        axes.set_xscale("log")
        every = sorted({depth for by_depth in families.values() for depth in by_depth})
        axes.set_xticks(every, [f"{depth:,}" for depth in every], fontsize=8)
        axes.minorticks_off()
        axes.set(xlabel="layers", ylabel="error (%)", title=title)
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    _save(figure, path)


def draw_points(values: Mapping[str, Sequence[float]], path: pathlib.Path, label: str) -> None:
    """Draws numbers of several trainings, a point for each run, with the means as text.

    Points, not bars: their axis need not begin at 0 to be honest.

    Args:
      values: of each run, by training.
      path: as for `draw_agreement`.
      label: what the numbers are.
    """
    figure = charts.blank(8, 1.4 + 0.35 * len(values))
    axes = figure.subplots()
    for place, found in enumerate(values.values()):
        axes.plot(found, [place] * len(found), "o", color="C0", alpha=0.6, markersize=6)
        mean = statistics.fmean(found)
        axes.plot([mean], [place], "|", color="black", markersize=14)
        above: dict[str, Any] = {
            "xytext": (0, 8),
            "textcoords": "offset points",
            "ha": "center",
            "fontsize": 7,
        }
        axes.annotate(f"{mean:.2f}", (mean, place), **above)
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.4, -0.8)
    axes.set(xlabel=label)
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def draw_learning_curves(
    outcomes: Mapping[str, Outcome], path: pathlib.Path, title: str, split: str
) -> None:
    """Draws the errors of many trainings by epoch, each in a part of its own, all on one scale.

    Args:
      outcomes: `Outcome` by training.
      path: as for `draw_agreement`.
      title: of the picture.
      split: what the images of the evaluations are called.
    """
    columns = min(3, max(1, len(outcomes)))
    rows = -(-len(outcomes) // columns)
    figure = charts.blank(4 * columns, 2.6 * rows + 0.5)
    _write_title(figure, title)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (name, outcome) in zip(grid, outcomes.items(), strict=False):
        axes.set_title(name, fontsize=8)
        axes.grid(alpha=0.3)
        if not outcome.metrics:
            axes.text(0.5, 0.5, "diverged", ha="center", transform=axes.transAxes)
        for metrics in outcome.metrics:
            for of, style, width in (("train", "--", 0.8), ("validation", "-", 1.8)):
                lines = [row for row in metrics if row["split"] == of]
                axes.plot(
                    [row["epoch"] for row in lines],
                    [100 * (1 - row["top1"]) for row in lines],
                    style,
                    color="C0" if of == "train" else "C1",
                    linewidth=width,
                )
    for axes in grid[len(outcomes) :]:
        axes.set_axis_off()
    for axes in grid[::columns]:
        axes.set_ylabel("error (%)")
    grid[0].set_ylim(0, 100)
    words = f"epoch; training dashed, {split} bold, a pair of lines for each seed"
    figure.supxlabel(words, fontsize=9)
    _save(figure, path)
