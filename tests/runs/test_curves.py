import drawings
import pytest
from drawings import curves, markers, number_of_colors, training_row, validation_row

from keras_resnet.runs import curves as curves_lib
from keras_resnet.runs.figures import Figure

TOP1 = Figure("top1", "top-1", "%", higher_is_better=True)


@pytest.fixture
def figures(monkeypatch):
    return drawings.recorded(monkeypatch, curves_lib, "Canvas")


def test_curves_are_drawn_from_metrics(figures, tmp_path):
    rows = [training_row(10, 0.25, 2.0, 0.1), validation_row(20, 0.6, 0.9)]
    rows.insert(1, training_row(20, 0.5, 0.0, 0.01))
    curves_lib.draw_curves(rows, tmp_path / "curves.png", "title", TOP1)
    few = number_of_colors(tmp_path / "curves.png")
    curves_lib.draw_curves([], tmp_path / "curves.png", "title", TOP1)
    # Without metrics the axes stay, and no colored curve.
    assert number_of_colors(tmp_path / "curves.png") < few
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    errors, losses, rates = figures[0].axes
    assert curves(errors) == {
        "train": ([10, 20], [75, 50], "--"),
        "validation": ([20], [40], "-"),
    }
    # A logarithmic axis has no place for 0.
    assert curves(losses) == {
        "train": ([10, 20], [2, 1e-6], "--"),
        "validation": ([20], [0.9], "-"),
    }
    (rate,) = rates.get_lines()
    assert (list(rate.get_xdata()), list(rate.get_ydata())) == ([10, 20], [0.1, 0.01])
    # Up to its step a row's rate was in use.
    assert rate.get_drawstyle() == "steps-pre"
    assert [axes.get_yscale() for axes in (errors, losses, rates)] == ["linear", "log", "log"]
    assert errors.get_ylim()[0] == 0
    assert [axes.get_ylabel() for axes in (errors, losses, rates)] == [
        "top-1 error (%)",
        "loss",
        "learning rate (gray)",
    ]
    assert [axes.get_xlabel() for axes in (errors, losses)] == ["step", "step"]
    assert figures[0].get_suptitle() == "title"


def test_few_points_of_a_curve_have_markers(figures, tmp_path):
    rows = [training_row(step) for step in range(40)] + [validation_row(step) for step in range(39)]
    curves_lib.draw_curves(rows, tmp_path / "curves.png", "title", TOP1)
    curves_lib.draw_curves([training_row(1)], tmp_path / "curves.png", "title", TOP1)
    many, one = figures
    assert [markers(axes) for axes in many.axes] == [["None", "."], ["None", "."], ["None"]]
    # Hundreds of points hide nothing: their line is thinner.
    (train, validation) = many.axes[0].get_lines()
    assert train.get_linewidth() < validation.get_linewidth()
    # A line of one point could not be seen.
    assert markers(one.axes[2]) == ["."]


def test_a_figure_that_falls_is_drawn_as_it_is(figures, tmp_path):
    rows = [training_row(10, loss=2.0), {**validation_row(20), "error": 3.5}]
    figure = Figure("error", "median error", "gray levels")
    curves_lib.draw_curves(rows, tmp_path / "curves.png", "title", figure)
    errors = figures[0].axes[0]
    assert curves(errors)["validation"] == ([20], [3.5], "-")
    # Training does not know it.
    assert curves(errors)["train"] == ([], [], "--")
    assert errors.get_ylabel() == "median error (gray levels)"
