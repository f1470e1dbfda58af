"""What was drawn: figures of Matplotlib as they were before they became files."""

import matplotlib.figure
import PIL.Image


def recorded(monkeypatch, module, name):
    """The figures that a module draws from now on, in order, beside their files.

    Args:
      name: by which the module knows Matplotlib's class of figures.
    """
    drawn = []

    class Recorded(matplotlib.figure.Figure):
        def __init__(self, **options):
            super().__init__(**options)
            drawn.append(self)

    monkeypatch.setattr(module, name, Recorded)
    return drawn


def curves(axes):
    """Steps, values and dashes of each line of some axes, by its label."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()), line.get_linestyle())
        for line in axes.get_lines()
    }


def markers(axes):
    return [line.get_marker() for line in axes.get_lines()]


def number_of_colors(path):
    with PIL.Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 24))


def training_row(step, top1=0.5, loss=1.0, rate=0.1):
    return {"split": "train", "step": step, "top1": top1, "loss": loss, "learning_rate": rate}


def validation_row(step, top1=0.6, loss=0.9):
    return {"split": "validation", "step": step, "top1": top1, "loss": loss}
