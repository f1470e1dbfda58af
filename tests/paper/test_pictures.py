import drawings
import numpy as np
import pytest
from drawings import curves, number_of_colors, training_row, validation_row

from keras_resnet import charts
from keras_resnet.paper import pictures
from keras_resnet.paper.outcomes import Outcome


@pytest.fixture
def figures(monkeypatch):
    return drawings.recorded(monkeypatch, charts, "Figure")


@pytest.fixture
def path(tmp_path):
    """Of a picture; after the test there are both of its files."""
    yield tmp_path / "picture"
    assert {each.name for each in tmp_path.iterdir()} == {"picture.png", "picture.svg"}
    assert number_of_colors(tmp_path / "picture.png") > 3


def titles(axes):
    return [each.get_title() for each in axes]


def bars(axes, label):
    """The length of each bar, from the first to the last, and where its middle is."""
    (container,) = (each for each in axes.containers if each.get_label() == label)
    return [bar.get_width() for bar in container], [
        bar.get_y() + bar.get_height() / 2 for bar in container
    ]


def test_agreement_shows_the_logits_of_200_images(figures, rng, path):
    pairs = {name: rng.normal(size=(2, 300, 3)) for name in ("first", "second")}
    pictures.draw_agreement(pairs, path)
    assert titles(figures[0].axes) == ["first", "second"]
    for axes, (shallower, deeper) in zip(figures[0].axes, pairs.values(), strict=True):
        diagonal, points = axes.get_lines()
        assert (diagonal.get_xy1(), diagonal.get_slope()) == ((0, 0), 1)
        np.testing.assert_array_equal(points.get_xdata(), shallower[:200].ravel())
        np.testing.assert_array_equal(points.get_ydata(), deeper[:200].ravel())
        assert points.get_linestyle() == "None"
        assert axes.get_xlabel() == "logits, shallower" and axes.get_ylabel() == "logits, deeper"


def test_costs_stand_beside_the_published_ones(figures, path):
    rows = [
        {"network": "a", "multiply-adds": 3_000_000_000, "published": 2_900_000_000},
        {"network": "b", "multiply-adds": 5_000_000_000, "published": None},
        {"network": "c", "multiply-adds": 7_000_000_000, "published": 7_600_000_000},
    ]
    pictures.draw_costs(rows, path)
    (axes,) = figures[0].axes
    assert bars(axes, "published") == ([2.9, 7.6], [-0.2, 0.8])
    assert bars(axes, "counted") == ([3.0, 7.0], [0.2, 1.2])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "c"]
    # The first is above.
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "billion multiply-adds for an image of 224x224"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["published", "counted"]


def test_numbers_of_layers_are_drawn_in_order_and_sorted(figures, path):
    values = {
        "CifarPlainNet-8": {"conv1": 1.0, "conv2_1/conv1": 3.0, "conv2_1/conv2": 2.0},
        "CifarResNet-8": {"conv1": 0.5, "conv2_1/conv1": 0.25},
    }
    pictures.draw_by_layer(values, path, "std", "Figure 7")
    in_order, by_size = figures[0].axes
    assert curves(in_order) == {
        "CifarPlainNet-8": ([1, 2, 3], [1, 3, 2], "--"),
        "CifarResNet-8": ([1, 2], [0.5, 0.25], "-"),
    }
    assert curves(by_size) == {
        "CifarPlainNet-8": ([1, 2, 3], [3, 2, 1], "--"),
        "CifarResNet-8": ([1, 2], [0.5, 0.25], "-"),
    }
    # From 0 on, with all of the largest one.
    for axes in (in_order, by_size):
        assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 3
        assert axes.get_ylabel() == "std"
        assert len(set(drawings.markers(axes))) == 2
    assert figures[0].get_suptitle() == "Figure 7"


def test_ratios_of_layers_are_drawn_on_a_logarithmic_axis(figures, path):
    pictures.draw_by_layer({"a": {"x": 0.001, "y": 10.0}}, path, "norm", "", is_logarithmic=True)
    assert [axes.get_yscale() for axes in figures[0].axes] == ["log", "log"]


def run(errors, test_error=35.0):
    """Lines of metrics: training errors in % every 10 steps, and one evaluation at step 99."""
    rows = [training_row(10 * n, 1 - error / 100) for n, error in enumerate(errors)]
    return [*rows, validation_row(99, 1 - test_error / 100)]


def outcome(*runs):
    return Outcome(tuple(range(len(runs))), runs, 10, (35.0,) * len(runs), ())


def test_training_is_thin_and_dashed_and_the_evaluation_bold(figures, path):
    outcomes = {
        "plain-8": outcome(run([90, 60, 50, 40])),
        "plain-14": outcome(run([90, 70])),
        "residual-8": outcome(run([90, 40, 30])),
    }
    panels = {"plain": ["plain-8", "plain-14"], "residual": ["residual-8"]}
    pictures.draw_comparison(outcomes, panels, path, "Figure 6 on ...", "validation", (20, 40))
    left, right = figures[0].axes
    assert titles(figures[0].axes) == ["plain", "residual"]
    assert figures[0].get_suptitle() == "Figure 6 on ..."
    steps, values, dashes = curves(left)["plain-8, training"]
    assert (steps, dashes) == ([0, 10, 20, 30], "--")
    np.testing.assert_allclose(values, [90, 60, 50, 40])
    steps, values, dashes = curves(right)["residual-8, validation"]
    assert (steps, dashes) == ([99], "-")
    np.testing.assert_allclose(values, [35])
    training, evaluation = left.get_lines()[:2]
    assert evaluation.get_linewidth() > 2 * training.get_linewidth()
    # Told apart without color, from the first on in each half.
    assert [line.get_marker() for line in left.get_lines()[:4]] == ["o", "o", "s", "s"]
    assert right.get_lines()[0].get_color() == left.get_lines()[0].get_color()
    # The rate's drops.
    for axes in (left, right):
        assert [line.get_xdata()[0] for line in axes.get_lines()[-2:]] == [20, 40]
    # Room for all that comes after a quarter of the lines, of which plain-14 has too few.
    np.testing.assert_allclose([axes.get_ylim() for axes in (left, right)], [[0, 100]] * 2)


def test_a_long_title_stays_within_the_picture(figures, path):
    title = "Table 3 on fashion_mnist, 9,375 steps, seeds 0 1 2, rate divided by 10 after " * 2
    pictures.draw_comparison({"a": outcome(run([50]))}, {"": ["a"]}, path, title, "test")
    (figure,) = figures
    extent = figure._suptitle.get_window_extent(figure.canvas.get_renderer())
    assert 0 < extent.x0 < extent.x1 < figure.bbox.width
    assert figure.get_suptitle().split() == title.split()


def test_of_several_seeds_the_mean_and_the_range_are_drawn(figures, path):
    runs = run([70, 60, 40, 20], 30.0), run([70, 40, 20], 40.0)
    pictures.draw_comparison({"a": outcome(*runs)}, {"": ["a"]}, path, "", "test")
    (axes,) = figures[0].axes
    # At the steps that both have.
    steps, means, _ = curves(axes)["a, training"]
    assert steps == [0, 10, 20]
    np.testing.assert_allclose(means, [70, 50, 30])
    np.testing.assert_allclose(curves(axes)["a, test"][1], [35])
    training, _ = axes.collections
    corners = training.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(20) and corners[:, 1].max() == pytest.approx(70)
    np.testing.assert_allclose(axes.get_ylim(), (0, 1.3 * 70))


def test_a_network_that_diverged_is_named_in_place_of_a_curve(figures, path):
    nothing = Outcome((), (), None, (), (0,))
    outcomes = {"a": nothing, "b": outcome(run([50, 40, 30, 20]))}
    pictures.draw_comparison(outcomes, {"": ["a", "b"]}, path, "", "test")
    (axes,) = figures[0].axes
    assert curves(axes)["a: diverged"][0] == []
    assert len(curves(axes)["b, training"][0]) == 4


def test_all_that_diverged_leave_an_empty_picture(figures, path):
    nothing = Outcome((), (), None, (), (0,))
    pictures.draw_comparison({"a": nothing}, {"": ["a"]}, path, "", "test")
    assert figures[0].axes[0].get_ylim() == (0, 100)


def test_errors_by_depth_have_a_dash_for_each_run(figures, path):
    panels = {
        "left": {"plain, published": {18: [28.0], 34: [28.5]}},
        "right": {"ours": {20: [7.0, 8.0], 56: [6.0]}},
    }
    pictures.draw_errors_by_depth(panels, path)
    left, right = figures[0].axes
    assert titles(figures[0].axes) == ["left", "right"]
    assert curves(left)["plain, published"] == ([18, 34], [28.0, 28.5], "--")
    assert curves(right)["ours"] == ([20, 56], [7.5, 6.0], "-")
    _, *dashes = right.get_lines()
    assert [list(dash.get_ydata()) for dash in dashes] == [[7.0, 8.0], [6.0]]
    assert [label.get_text() for label in right.get_xticklabels()] == ["20", "56"]
    # Where comparison is honest.
    assert left.get_ylim()[0] == right.get_ylim()[0] == 0


def test_points_are_of_each_run_and_their_mean_is_written(figures, path):
    pictures.draw_points({"first": [94.0, 95.0], "second": [93.25]}, path, "top-1 (%)")
    (axes,) = figures[0].axes
    of_first, mean, of_second, _ = axes.get_lines()
    assert list(of_first.get_xdata()) == [94.0, 95.0] and list(of_second.get_xdata()) == [93.25]
    assert list(mean.get_xdata()) == [94.5]
    assert [text.get_text() for text in axes.texts] == ["94.50", "93.25"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    # The first is above.
    assert axes.yaxis_inverted()


def test_learning_curves_share_their_scale(figures, path):
    def lines(*errors):
        return [{**row, "epoch": row["step"] / 10} for row in run(errors)]

    outcomes = {
        "a": outcome(lines(90, 50), lines(80, 40)),
        "b": Outcome((), (), None, (), (0,)),
        "c": outcome(lines(70)),
        "d": outcome(lines(60)),
    }
    pictures.draw_learning_curves(outcomes, path, "title", "test")
    first, second, *_ = figures[0].axes
    assert titles(figures[0].axes) == ["a", "b", "c", "d", "", ""]
    # Training and evaluation of two seeds.
    assert len(first.get_lines()) == 4
    assert list(first.get_lines()[0].get_xdata()) == [0, 1]
    np.testing.assert_allclose(first.get_lines()[0].get_ydata(), [90, 50])
    assert [text.get_text() for text in second.texts] == ["diverged"]
    assert {axes.get_ylim() for axes in figures[0].axes[:4]} == {(0, 100)}
