import xml.etree.ElementTree

import drawings
import matplotlib.colors
import PIL.Image
import pytest
from drawings import curves, markers, number_of_colors, training_row, validation_row

from keras_resnet import charts
from keras_resnet.runs.curves import draw_curves
from keras_resnet.runs.figures import Figure

TOP1 = Figure("top1", "top-1", "%", higher_is_better=True)


@pytest.fixture
def drawn(monkeypatch):
    """Draws rows, and gives the axes of the errors, of the losses and of the rates."""
    # What is written is asked of one test.
    monkeypatch.setattr(charts, "save", lambda *_: None)
    figures = drawings.recorded(monkeypatch, charts, "Figure")

    def draw(rows, figure=TOP1, **options):
        draw_curves(rows, [], "title", figure, **options)
        return figures[-1].axes

    return draw


def line(axes):
    (only,) = axes.get_lines()
    return list(only.get_xdata()), list(only.get_ydata()), only.get_drawstyle()


def test_a_picture_is_written_in_each_format(tmp_path):
    rows = [training_row(10), training_row(20, 0.75), validation_row(20)]
    paths = [tmp_path / "curves.png", tmp_path / "curves.svg"]
    draw_curves([], paths[:1], "title", TOP1)
    empty = number_of_colors(paths[0])
    draw_curves(rows, paths, "title", TOP1)
    # Without metrics the axes stay, and no colored curve.
    assert number_of_colors(paths[0]) > empty
    assert sorted(tmp_path.iterdir()) == paths
    with PIL.Image.open(paths[0]) as picture:
        assert picture.size == (900, 960)
    root = xml.etree.ElementTree.parse(paths[1]).getroot()
    # In points: as large as the PNG.
    assert root.get("viewBox") == "0 0 540 576"


def test_curves_are_drawn_from_metrics(drawn):
    rows = [training_row(10, 0.25, 2.0, 0.1), validation_row(20, 0.6, 0.9)]
    rows.insert(1, training_row(20, 0.5, 0.0, 0.01))
    errors, losses, rates = drawn(rows)
    shown = curves(errors)
    assert shown["train"] == ([10, 20], [75, 50], "--")
    assert shown["validation"] == ([20], [40], "-")
    # A logarithmic axis has no place for 0.
    assert curves(losses) == {
        "train": ([10, 20], [2, 1e-6], "--"),
        "validation": ([20], [0.9], "-"),
    }
    assert [axes.get_yscale() for axes in (errors, losses, rates)] == ["linear", "log", "log"]
    labels = [axes.get_ylabel() for axes in (errors, losses, rates)]
    assert labels == ["top-1 error (%)", "loss", "learning rate"]
    # One axis of steps for all of them, from the beginning.
    assert rates.get_xlabel() == "step"
    assert {axes.get_xlim() for axes in (errors, losses, rates)} == {rates.get_xlim()}
    assert rates.get_xlim()[0] == 0
    assert errors.figure.get_suptitle() == "title"


def test_a_rate_is_drawn_over_the_steps_that_it_was_that_of(drawn):
    rows = [training_row(100 * n, rate=0.1) for n in range(1, 47)]
    rows += [training_row(4687, rate=0.1), training_row(4700, rate=0.01)]
    steps, rates, style = line(drawn(rows)[2])
    # Matplotlib's name for: each value from the step before up to its own.
    assert style == "steps-pre"
    assert (steps[0], rates[0]) == (0, 0.1)
    assert (steps[-2:], rates[-2:]) == ([4687, 4700], [0.1, 0.01])
    # A logarithmic axis has no place for 0.
    assert line(drawn([training_row(1, rate=0.0)])[2])[1] == [1e-6, 1e-6]


def test_a_smooth_rate_is_a_line_above_zero(drawn):
    axes = drawn([training_row(1, rate=0.0), training_row(5, rate=0.1)], is_smooth=True)[2]
    assert line(axes) == ([1, 5], [0.0, 0.1], "default")
    assert axes.get_yscale() == "linear" and axes.get_ylim()[0] == 0


def test_epochs_stand_above_the_steps(drawn):
    rows = [{**training_row(step), "epoch": step / 40} for step in (100, 200)]
    errors = drawn(rows)[0]
    (top,) = errors.child_axes
    assert top.get_xlabel() == "epoch"
    errors.figure.canvas.draw()
    assert top.get_xlim() == pytest.approx([end / 40 for end in errors.get_xlim()])
    # Earlier runs do not know them.
    assert drawn([training_row(100)])[0].child_axes == []


def test_the_best_evaluation_of_equals_the_first_has_a_star(drawn):
    rows = [
        validation_row(step, top1) for step, top1 in ((1000, 0.5), (2000, 0.625), (3000, 0.625))
    ]
    errors = drawn([training_row(1500, top1=0.99), *rows])[0]
    (star,) = [each for each in errors.get_lines() if each.get_marker() == "*"]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([2000], [37.5])
    texts = [text.get_text() for text in errors.get_legend().get_texts()]
    assert texts == ["train", "validation", "best: 37.50% at step 2,000"]


def test_errors_begin_at_zero_unless_that_hides_how_they_differ(drawn):
    def lowest(*top1):
        rows = [validation_row(step, value) for step, value in enumerate(top1, 1)]
        return drawn(rows)[0].get_ylim()[0]

    assert lowest(0.1, 0.9) == lowest(0.5) == lowest(1.0) == lowest() == 0
    # Errors of 24% to 25%.
    assert 20 < lowest(0.75, 0.76) < 24


def test_lines_can_be_told_apart_in_gray(drawn):
    rows = [training_row(1), training_row(2), validation_row(2), validation_row(3)]
    train, validation = drawn(rows)[1].get_lines()
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_linewidth() < validation.get_linewidth()
    assert train.get_marker() != validation.get_marker()

    def gray(line):
        red, green, blue = matplotlib.colors.to_rgb(line.get_color())
        return 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601.

    assert gray(train) - gray(validation) > 0.2


def test_few_points_of_a_curve_have_markers(drawn):
    rows = [training_row(step) for step in range(40)] + [validation_row(step) for step in range(39)]
    assert markers(drawn(rows)[1]) == ["None", "s"]


def test_a_figure_that_falls_is_drawn_as_it_is(drawn):
    rows = [training_row(10, loss=2.0), {**validation_row(20), "error": 3.5}]
    errors = drawn(rows, Figure("error", "median error", "gray levels"))[0]
    shown = curves(errors)
    assert shown["validation"] == ([20], [3.5], "-")
    # Training does not know it.
    assert shown["train"] == ([], [], "--")
    assert "best: 3.5 gray levels at step 20" in shown
    assert errors.get_ylabel() == "median error (gray levels)"
