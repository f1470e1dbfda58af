"""A run as a picture: how error, loss and learning rate went."""

import pathlib
from collections.abc import Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from keras_resnet import files
from keras_resnet.runs.figures import Figure


def draw_curves(
    metrics: Sequence[dict[str, Any]], path: pathlib.Path, title: str, figure: Figure
) -> None:
    """Writes a picture of a figure, loss and learning rate by step, in training and validation.

    Args:
      metrics: dicts as in metrics.jsonl: `step`, `split` ("train" or "validation"), `loss`, the
        figure where the split has it, and, for train, `learning_rate`.
      path: of the PNG to write; it is replaced whole.
      title: of the picture.
      figure: to draw on the left; its error where higher is better.
    """
    canvas = Canvas(figsize=(9, 4.5), layout="constrained")
    FigureCanvasAgg(canvas)
    canvas.suptitle(title)
    error_axes, loss_axes = canvas.subplots(1, 2)
    scale = 100 if figure.unit == "%" else 1
    train = [row for row in metrics if row["split"] == "train"]
    validation = [row for row in metrics if row["split"] == "validation"]
    for split, rows, style in (("train", train, "--"), ("validation", validation, "-")):
        marker, width = (".", 1.5) if len(rows) < 40 else (None, 0.8)
        lines = {"marker": marker, "linewidth": width, "label": split}
        shown = [row for row in rows if figure.name in row]
        errors = [scale * figure.error(row[figure.name]) for row in shown]
        steps = [row["step"] for row in shown]
        error_axes.plot(steps, errors, style, **lines)
        # A loss of 0 has no place on a logarithmic axis.
        losses = {row["step"]: max(row["loss"], 1e-6) for row in rows if "loss" in row}
        loss_axes.plot(list(losses), list(losses.values()), style, **lines)
    kind = "error" if figure.higher_is_better else ""
    label = " ".join(filter(None, [figure.label, kind, figure.unit and f"({figure.unit})"]))
    error_axes.set(xlabel="step", ylabel=label, ylim=(0, None))
    loss_axes.set(xlabel="step", ylabel="loss", yscale="log")
    rate_axes = loss_axes.twinx()
    rate_axes.plot(
        [row["step"] for row in train],
        [row["learning_rate"] for row in train],
        color="gray",
        linewidth=0.8,
        drawstyle="steps-pre",
        marker="." if len(train) == 1 else None,
    )
    rate_axes.set(ylabel="learning rate (gray)", yscale="log")
    for axes in (error_axes, loss_axes):
        axes.legend()
        axes.grid(alpha=0.3)
    with files.replacing(path) as unfinished:
        canvas.savefig(unfinished, format="png", dpi=120)
