"""The networks, drawn: blocks of Figures 2 and 5, columns of Figure 3 and of Table 1."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.transforms import Bbox

from keras_resnet import constructors, files
from keras_resnet.networks import layers, resnet
from keras_resnet.networks.families import IMAGENET_TABLE

# A color for each stage, as in Figure 3.
_COLORS = ("#d9d9d9", "#c5b0d5", "#98df8a", "#f7a8a3", "#aec7e8", "#d9d9d9")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with weights, or a pooling.

    Attributes:
      text: what it is, such as "3x3 conv, 64".
      stage: 1 to 5 of conv1 to conv5, 6 for what follows.
    """

    text: str
    stage: int


@dataclasses.dataclass(frozen=True)
class Shortcut:
    """A shortcut around layers.

    Attributes:
      first: position of the first layer that it goes around.
      last: that of the last one.
      changes_shape: whether it is no identity.
    """

    first: int
    last: int
    changes_shape: bool


def column(model: resnet.ResNet) -> tuple[list[Layer], list[Shortcut]]:
    """The layers of a network from the image down, and its shortcuts, read from the network.

    Args:
      model: `ResNet`, not stacked.
    """
    rows = [Layer(_conv(model.get_layer("conv1")), 1)]
    if "pool1" in [layer.name for layer in model.layers]:
        rows.append(Layer("3x3 max pool, /2", 2))
    shortcuts = []
    for block in model.layers:
        if isinstance(block, layers.Block):
            first = len(rows)
            stage = int(block.name[len("conv")])
            rows += [Layer(_conv(convolution), stage) for convolution in block.convolutions]
            if block.shortcut is not None:
                projects = block.shortcut_layer is not None
                shortcuts.append(Shortcut(first, len(rows) - 1, projects))
    rows += [Layer("avg pool", 6), Layer(f"fc {model.classes}", 6)]
    return rows, shortcuts


def _conv(convolution: layers.Convolution) -> str:
    size, stride = convolution.kernel_size[0], convolution.strides[0]
    return f"{size}x{size} conv, {convolution.filters}" + (f", /{stride}" if stride > 1 else "")


def draw_networks(path: str | os.PathLike[str]) -> None:
    """Writes a picture of the networks.

    Args:
      path: of the picture to write (.png, .svg, ...); it is replaced whole.

    Source: He et al., 2016, Figures 2, 3 and 5 and Table 1.
    """
    figure = Figure(figsize=(12, 13), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 3, width_ratios=(1, 1, 1.6), height_ratios=(1, 1, 1.5))
    columns = {
        "34-layer plain": constructors.PlainNet34(),
        "34-layer residual": constructors.ResNet34(shortcut="A"),
    }
    for place, (title, model) in enumerate(columns.items()):
        _draw_column(figure.add_subplot(grid[:, place]), title, *column(model))
    for place, depth in enumerate((34, 50)):
        _draw_block(figure.add_subplot(grid[place, 2]), depth)
    _draw_table(figure.add_subplot(grid[2, 2]))
    # Text stays text: it can be searched.
    with files.replacing(path) as unfinished, matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(unfinished, dpi=100, format=pathlib.Path(path).suffix[1:])


def _box(axes: Axes, y: float, text: str, color: str) -> None:
    axes.text(
        0,
        y,
        text,
        ha="center",
        va="center",
        fontsize=8,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": color, "edgecolor": "black"},
    )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    settings: dict[str, Any] = {"arrowstyle": "->", "mutation_scale": 8, "linewidth": 0.9}
    axes.add_patch(FancyArrowPatch(start, end, **{**settings, **style}))


def _draw_column(
    axes: Axes, title: str, rows: Sequence[Layer], shortcuts: Sequence[Shortcut]
) -> None:
    axes.set(xlim=(-1, 1.4), ylim=(len(rows) + 0.5, -1), title=title)
    axes.set_axis_off()
    axes.text(0, -0.7, "image", ha="center", fontsize=8)
    for y, row in enumerate(rows):
        _arrow(axes, (0, y - 0.7), (0, y - 0.25))
        _box(axes, y, row.text, _COLORS[row.stage - 1])
    for shortcut in shortcuts:
        # Dotted where the shape changes, as in the paper.
        _arrow(
            axes,
            (0.05, shortcut.first - 0.6),
            (0.05, shortcut.last + 0.55),
            connectionstyle="arc3,rad=-2.4",
            linestyle=":" if shortcut.changes_shape else "-",
        )


def _draw_block(axes: Axes, depth: int) -> None:
    """The first block of conv2_x of 34 layers, Figure 2, and a later one of 50, Figure 5."""
    kind, _ = IMAGENET_TABLE[depth]
    convolutions = _convolutions(kind, constructors.IMAGENET_WIDTH)
    width = convolutions[-1][1]
    axes.set(xlim=(-1, 1.4), ylim=(3.6, -1.4), title=f"Block of {depth} layers: {kind}")
    axes.set_axis_off()
    axes.text(0, -1.1, f"x, {width} channels", ha="center", fontsize=9)
    step = 2.4 / (len(convolutions) - 1)
    for number, (size, channels) in enumerate(convolutions):
        y = number * step
        _arrow(axes, (0, y - (step - 0.2 if number else 0.9)), (0, y - 0.2))
        _box(axes, y, f"{size}x{size} conv, {channels}; BN", _COLORS[1])
        if number < len(convolutions) - 1:
            axes.text(0.08, y + 0.45, "ReLU", fontsize=8, va="center")
    _arrow(axes, (0, 2.6), (0, 2.95))
    axes.text(0, 3.1, "F(x) + x, ReLU", ha="center", va="center", fontsize=9)
    _arrow(axes, (0.1, -0.75), (0.35, 3.1), connectionstyle="arc3,rad=-0.8")
    axes.text(1.05, 1.2, "x\nidentity", ha="center", va="center", fontsize=9)


def _convolutions(kind: str, filters: int) -> tuple[tuple[int, int], ...]:
    """Kernel size and channels of each convolution of a block."""
    if kind == "bottleneck":
        return ((1, filters), (3, filters), (1, 4 * filters))
    return ((3, filters), (3, filters))


def _draw_table(axes: Axes) -> None:
    """Table 1: what each stage repeats."""
    axes.set(title="Table 1: blocks of each stage")
    axes.set_axis_off()
    cells = [
        [
            "\n".join(
                f"{size}x{size}, {channels}" for size, channels in _convolutions(kind, filters)
            )
            + f"\nx{blocks[stage]}"
            for kind, blocks in IMAGENET_TABLE.values()
        ]
        for stage, filters in enumerate(constructors.filters(constructors.IMAGENET_WIDTH, 4))
    ]
    table = axes.table(
        cells,
        rowLabels=[f"conv{stage}_x" for stage in range(2, 6)],
        colLabels=[f"{depth} layers" for depth in IMAGENET_TABLE],
        rowColours=_COLORS[1:5],
        cellLoc="center",
        bbox=Bbox.from_bounds(0.08, 0, 0.92, 1),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
