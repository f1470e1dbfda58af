"""Pictures of what the paper claims, and of what a network sees of its training images."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_resnet import files


def draw_agreement(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], path: str | os.PathLike[str]
) -> None:
    """Writes a picture of the logits of deeper networks over those of shallower ones.

    Args:
      pairs: dict of pairs of float arrays [images, classes] by title: shallower, deeper.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
    """
    figure = Figure(figsize=(4.5 * len(pairs), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(pairs), squeeze=False)
    for axes, (title, (shallower, deeper)) in zip(grid[0], pairs.items(), strict=True):
        axes.axline((0, 0), slope=1, color="gray", linewidth=0.8)
        # More points than these hide each other.
        axes.plot(shallower[:200].ravel(), deeper[:200].ravel(), ".", markersize=3)
        axes.set(title=title, xlabel="logits, shallower", ylabel="logits, deeper")
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_contact_sheet(
    evaluated: np.ndarray, augmented: np.ndarray, path: str | os.PathLike[str], title: str
) -> None:
    """Writes a picture of images as evaluation and as training shows them, a row for each.

    Args:
      evaluated: uint8 [n, height, width, channels].
      augmented: uint8 [n, variants, height, width, channels].
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
      title: of the picture.
    """
    rows, columns = augmented.shape[0], 1 + augmented.shape[1]
    figure = Figure(figsize=(1.3 * columns, 1.35 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes_of_row, center, variants in zip(grid, evaluated, augmented, strict=True):
        for axes, image in zip(axes_of_row, [center, *variants], strict=True):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
    grid[0, 0].set_title("evaluation", fontsize=9)
    grid[0, 1].set_title("training", fontsize=9)
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_costs(rows: Sequence[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Writes a picture of multiply-adds, as published and as counted.

    Args:
      rows: dicts of `network`, `multiply-adds` and `published`, such as those of
        `tables.imagenet_rows`; those without a published figure are left out.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
    """
    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    compared = [row for row in rows if row["published"]]
    names = [row["network"] for row in compared]
    positions = range(len(compared))
    for offset, key in ((-0.2, "published"), (0.2, "multiply-adds")):
        axes.barh(
            [position + offset for position in positions],
            [row[key] / 1e9 for row in compared],
            0.4,
            label="counted" if key == "multiply-adds" else key,
        )
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.set(xlabel="billion multiply-adds for an image of 224x224")
    axes.legend()
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_responses(
    deviations: Mapping[str, Mapping[str, float]], path: str | os.PathLike[str]
) -> None:
    """Writes Figure 7: standard deviations of responses in the order of the layers, and sorted.

    Args:
      deviations: dict by network of dicts of float by layer, such as `responses` gives.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    FigureCanvasAgg(figure)
    in_order, by_size = figure.subplots(2, 1)
    for label, of_layers in deviations.items():
        values = list(of_layers.values())
        numbers = range(1, len(values) + 1)
        # Plain nets dashed, as in the paper.
        style = "--" if "plain" in label.lower() else "-"
        in_order.plot(numbers, values, style, label=label)
        by_size.plot(numbers, sorted(values, reverse=True), style, label=label)
    in_order.set(xlabel="layer", ylabel="standard deviation")
    by_size.set(xlabel="layer, sorted by magnitude", ylabel="standard deviation")
    for axes in (in_order, by_size):
        axes.set_ylim(0, None)
        axes.grid(alpha=0.3)
        axes.legend()
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_degradation(
    metrics: Mapping[str, Sequence[dict[str, Any]]],
    path: str | os.PathLike[str],
    split_name: str = "test",
) -> None:
    """Writes Figure 6: errors by step, plain networks on the left, residual ones on the right.

    Args:
      metrics: dict of the lines of metrics by name, such as plain-20 or residual-56.
      split_name: what the images of the evaluations are called.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
    """
    kinds = list(dict.fromkeys(name.partition("-")[0] for name in metrics))
    figure = Figure(figsize=(5.5 * len(kinds), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    highest = 0.0
    for axes, kind in zip(grid, kinds, strict=True):
        names = [name for name in metrics if name.startswith(f"{kind}-")]
        for number, name in enumerate(names):
            for split, style in (("train", "--"), ("validation", "-")):
                rows = [row for row in metrics[name] if row["split"] == split]
                errors = [100 * (1 - row["top1"]) for row in rows]
                highest = max(highest, *errors[len(errors) // 4 :][:1])
                label = f"{name}, {'training' if split == 'train' else split_name}"
                axes.plot(
                    [row["step"] for row in rows],
                    errors,
                    style,
                    marker="." if len(rows) < 40 else None,
                    color=f"C{number}",
                    label=label,
                )
        axes.set(xlabel="step", title=kind)
        axes.grid(alpha=0.3)
        axes.legend()
    # The first steps, at 90%, would leave no room for the rest.
    grid[0].set(ylabel="error (%)", ylim=(0, min(100, 1.3 * highest)))
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)


def draw_ablation(top1: Mapping[str, float], path: str | os.PathLike[str]) -> None:
    """Writes a picture of the top-1 of several trainings.

    Args:
      top1: dict of top-1 in % by training.
      path: of the picture to write (.png, .jpg, ...); it is replaced whole.
    """
    figure = Figure(figsize=(8, 1.2 + 0.35 * len(top1)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    bars = axes.barh(list(top1), list(top1.values()))
    axes.bar_label(bars, fmt=" %.2f")
    axes.invert_yaxis()
    # Differences of a percent shall be seen.
    axes.set(xlabel="top-1 (%)", xlim=(max(0, min(top1.values(), default=0) - 5), 100))
    with files.replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=100)
