import drawings
import numpy as np
import PIL.Image
import pytest
from drawings import curves, number_of_colors, training_row, validation_row
from matplotlib import font_manager

from keras_resnet import plots


@pytest.fixture
def figures(monkeypatch):
    return drawings.recorded(monkeypatch, plots, "Figure")


def bars(axes, label=None):
    """The length of each bar, from the first to the last, and where its middle is."""
    containers = {container.get_label(): container for container in axes.containers}
    (container,) = containers.values() if label is None else (containers[label],)
    return [bar.get_width() for bar in container], [
        bar.get_y() + bar.get_height() / 2 for bar in container
    ]


def titles(axes):
    return [each.get_title() for each in axes]


def test_agreement_shows_the_logits_of_200_images(figures, rng, tmp_path):
    pairs = {name: rng.normal(size=(2, 300, 3)) for name in ("first", "second")}
    plots.draw_agreement(pairs, tmp_path / "agreement.png")
    assert titles(figures[0].axes) == ["first", "second"]
    for axes, (shallower, deeper) in zip(figures[0].axes, pairs.values(), strict=True):
        diagonal, points = axes.get_lines()
        assert (diagonal.get_xy1(), diagonal.get_slope()) == ((0, 0), 1)
        np.testing.assert_array_equal(points.get_xdata(), shallower[:200].ravel())
        np.testing.assert_array_equal(points.get_ydata(), deeper[:200].ravel())
        assert points.get_linestyle() == "None"
        assert axes.get_xlabel() == "logits, shallower" and axes.get_ylabel() == "logits, deeper"
    assert number_of_colors(tmp_path / "agreement.png") > 10


def test_a_contact_sheet_holds_every_image(figures, tmp_path):
    # Each image has its own gray, which the sheet must show.
    grays = np.arange(2 * 4, dtype=np.uint8).reshape(2, 4) * 25 + 20
    images = np.broadcast_to(grays[..., None, None, None], (2, 4, 8, 8, 3))
    path = tmp_path / "sheet.png"
    plots.draw_contact_sheet(images[:, 0], images[:, 1:], ["cat", "$\n$"], path, "title")
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        colors = {color: count for count, color in picture.convert("RGB").getcolors(1 << 24)}
    for gray in grays.ravel():
        assert colors[(gray,) * 3] > 2000
    # As evaluation sees them on the left.
    shown = [axes.get_images()[0].get_array()[0, 0, 0] for axes in figures[0].axes]
    assert shown == list(grays.ravel())
    assert titles(figures[0].axes) == ["evaluation", "training"] + 6 * [""]
    names = [[text.get_text() for text in axes.texts] for axes in figures[0].axes]
    assert names == [["cat"], [], [], [], ["$\\n$"], [], [], []]
    assert figures[0].get_suptitle() == "title"


def test_a_contact_sheet_shows_gray_images_as_they_are(tmp_path):
    images = np.full((1, 2, 8, 8, 1), 100, np.uint8)
    path = tmp_path / "sheet.png"
    plots.draw_contact_sheet(images[:, 0], images[:, 1:], ["cat"], path, "title")
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        colors = {color: count for count, color in picture.convert("RGB").getcolors(1 << 24)}
    assert colors[(100, 100, 100)] > 4000


# Drawn by another font than the first: a circle around the letter before it.
OF_ANOTHER_FONT = "q\u20dd"


def test_labelled_pictures_stand_above_their_captions(figures, tmp_path):
    grays = [np.full((8, 4 + index, 1), 20 * index, np.uint8) for index in range(9)]
    color = np.full((5, 20, 3), (250, 0, 7), np.uint8)
    pictures = [*grays, color, None]
    captions = [f"class {place}\n{place}.jpg" for place in range(11)]
    plots.draw_labelled_pictures(pictures, captions, tmp_path / "sheet.png", "title")
    (axes,) = figures[0].axes
    title, *texts = axes.texts
    assert title.get_text() == "title"
    lines = [text.get_text() for text in texts]
    assert lines == [line for caption in captions for line in caption.split("\n")]
    boxes = [image.get_extent() for image in axes.get_images()]
    for place, (left, right, bottom, top) in enumerate(boxes):
        upper, lower = texts[2 * place : 2 * place + 2]
        # Inches from the top left, in the middle below the picture, in rows of eight.
        assert (
            upper.get_position()[0] == lower.get_position()[0] == pytest.approx((left + right) / 2)
        )
        assert top < bottom < upper.get_position()[1] < lower.get_position()[1]
        assert (top > boxes[7][2]) == (place >= 8)
        height, width = (1, 1) if pictures[place] is None else pictures[place].shape[:2]
        assert (right - left) / (bottom - top) == pytest.approx(width / height)
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        colors = {value: count for count, value in picture.convert("RGB").getcolors(1 << 24)}
    for gray in range(0, 180, 20):
        assert colors[(gray,) * 3] > 4000
    assert colors[(250, 0, 7)] > 4000
    # The empty cell.
    assert colors[(235,) * 3] > 20000


@pytest.mark.filterwarnings("error")  # Of glyphs that a font has not.
def test_any_text_is_drawn_as_it_is(figures, tmp_path):
    """Neither as a formula nor as boxes, and nothing in it turns the text around."""
    captions = ["$a_b$ \\alpha\n\x1b[1m\u202e", f"{OF_ANOTHER_FONT}\n\ue1234中\U0010ffff"]
    plots.draw_labelled_pictures([None, None], captions, tmp_path / "sheet.png", "$x$ 100%")
    texts = figures[0].axes[0].texts
    assert [text.get_text() for text in texts][:4] == [
        *("$x$ 100%", "$a_b$ \\alpha", r"\x1b[1m\u202e", OF_ANOTHER_FONT)
    ]
    assert not any(text.get_parse_math() for text in texts)
    # A font of the machine may have the second one.
    assert texts[4].get_text().endswith(r"\U0010ffff")
    assert texts[4].get_fontfamily()[0] == "DejaVu Sans"


def test_a_long_line_loses_its_middle(figures, tmp_path):
    captions = [f"first/{'i' * 30}{'W' * 10_000}/last.jpg", "W" * 10]
    plots.draw_labelled_pictures([None, None], captions, tmp_path / "sheet.png", "W" * 300)
    (axes,) = figures[0].axes
    renderer = figures[0].canvas.get_renderer()
    title, long, short = axes.texts
    for text, room in ((title, 6.4), (long, 1.45)):
        extent = text.get_window_extent(renderer)
        assert 0.9 * room < extent.width / figures[0].dpi <= room
        assert text.get_text().count("…") == 1
    assert long.get_text().startswith("first/") and long.get_text().endswith("/last.jpg")
    assert short.get_text() == "W" * 10


def test_costs_stand_beside_the_published_ones(figures, tmp_path):
    rows = [
        {"network": "a", "multiply-adds": 3_000_000_000, "published": 2_900_000_000},
        {"network": "b", "multiply-adds": 5_000_000_000, "published": None},
        {"network": "c", "multiply-adds": 7_000_000_000, "published": 7_600_000_000},
    ]
    plots.draw_costs(rows, tmp_path / "costs.png")
    (axes,) = figures[0].axes
    assert bars(axes, "published") == ([2.9, 7.6], [-0.2, 0.8])
    assert bars(axes, "counted") == ([3.0, 7.0], [0.2, 1.2])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "c"]
    # The first is above.
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "billion multiply-adds for an image of 224x224"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["published", "counted"]


def test_responses_are_drawn_in_order_and_sorted(figures, tmp_path):
    deviations = {
        "CifarPlainNet-8": {"conv1": 1.0, "conv2_1/conv1": 3.0, "conv2_1/conv2": 2.0},
        "CifarResNet-8": {"conv1": 0.5, "conv2_1/conv1": 0.25},
    }
    plots.draw_responses(deviations, tmp_path / "responses.png")
    in_order, by_size = figures[0].axes
    assert curves(in_order) == {
        "CifarPlainNet-8": ([1, 2, 3], [1, 3, 2], "--"),
        "CifarResNet-8": ([1, 2], [0.5, 0.25], "-"),
    }
    assert curves(by_size) == {
        "CifarPlainNet-8": ([1, 2, 3], [3, 2, 1], "--"),
        "CifarResNet-8": ([1, 2], [0.5, 0.25], "-"),
    }
    assert [axes.get_ylim()[0] for axes in (in_order, by_size)] == [0, 0]
    assert [axes.get_xlabel() for axes in (in_order, by_size)] == [
        "layer",
        "layer, sorted by magnitude",
    ]


def test_degradation_shows_plain_networks_left_and_residual_ones_right(figures, tmp_path):
    errors = {"plain-8": [90, 60, 50, 40], "plain-14": [90, 70], "residual-8": [90, 40, 30]}
    metrics = {
        name: [
            *(training_row(10 * n, 1 - error / 100) for n, error in enumerate(values)),
            validation_row(99, 0.35),
        ]
        for name, values in errors.items()
    }
    plots.draw_degradation(metrics, tmp_path / "degradation.png", "validation")
    left, right = figures[0].axes
    assert titles(figures[0].axes) == ["plain", "residual"]
    assert list(curves(left)) == [
        f"{name}, {split}"
        for name in ("plain-8", "plain-14")
        for split in ("training", "validation")
    ]
    assert list(curves(right)) == ["residual-8, training", "residual-8, validation"]
    steps, values, dashes = curves(left)["plain-8, training"]
    assert (steps, dashes) == ([0, 10, 20, 30], "--")
    np.testing.assert_allclose(values, errors["plain-8"])
    assert curves(right)["residual-8, validation"] == ([99], [65], "-")
    # A color for each network, from the first on in each half.
    assert [line.get_color() for line in left.get_lines()] == ["C0", "C0", "C1", "C1"]
    assert [line.get_color() for line in right.get_lines()] == ["C0", "C0"]
    # Room for all that comes after a quarter of the lines, of which plain-14 has too few.
    np.testing.assert_allclose([axes.get_ylim() for axes in (left, right)], [[0, 100]] * 2)
    plots.draw_degradation({"plain-8": metrics["plain-8"]}, tmp_path / "degradation.png")
    (axes,) = figures[1].axes
    assert list(curves(axes)) == ["plain-8, training", "plain-8, test"]
    np.testing.assert_allclose(axes.get_ylim(), (0, 1.3 * 65))


def test_an_ablation_shows_differences_of_a_percent(figures, tmp_path):
    plots.draw_ablation({"first": 94.5, "second": 93.25}, tmp_path / "ablation.png")
    plots.draw_ablation({"only": 3.0}, tmp_path / "ablation.png")
    plots.draw_ablation({}, tmp_path / "ablation.png")
    two, one, none = (figure.axes[0] for figure in figures)
    assert bars(two) == ([94.5, 93.25], [0, 1])
    assert [label.get_text() for label in two.get_yticklabels()] == ["first", "second"]
    assert [text.get_text() for text in two.texts] == [" 94.50", " 93.25"]
    assert two.yaxis_inverted()
    assert [axes.get_xlim() for axes in (two, one, none)] == [(88.25, 100), (0, 100), (0, 100)]


def test_class_counts_are_bars_with_names(figures, tmp_path):
    counts = {"training": {"cat": 8, "$dog$": 2}, "validation": {"cat": 3, "$dog$": 0}}
    plots.draw_class_counts(counts, tmp_path / "classes.png")
    (axes,) = figures[0].axes
    lengths, training = bars(axes, "training")
    assert lengths == [8, 2]
    lengths, validation = bars(axes, "validation")
    assert lengths == [3, 0]
    np.testing.assert_allclose([training, validation], [[-0.2, 0.8], [0.2, 1.2]])
    # As they are, and not as formulas.
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "$dog$"]
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    assert axes.yaxis_inverted()


def test_class_counts_of_a_thousand_are_steps_by_size(figures, tmp_path):
    counts = {
        "training": {str(number): number % 500 for number in range(1000)},
        "validation": {str(number): 50 for number in range(1000)},
    }
    plots.draw_class_counts(counts, tmp_path / "classes.png")
    (axes,) = figures[0].axes
    training, validation = axes.get_lines()
    assert list(training.get_ydata()) == sorted([*range(500)] * 2, reverse=True)
    assert list(validation.get_ydata()) == [50] * 1000
    with PIL.Image.open(tmp_path / "classes.png") as picture:
        assert max(picture.size) < 1000


def gray_image(gray, channels=3):
    return np.full((8, 8, channels), gray, np.uint8)


def test_classes_are_rows_of_named_pictures(figures, tmp_path):
    rows = {
        "a\x1b": [(gray_image(gray), f"{gray}.jpg") for gray in (40, 80)],
        "$b$": [(gray_image(200, 1), "a/name/that/is/long.jpg")],
    }
    plots.draw_classes(rows, tmp_path / "sheet.png", "title")
    (axes,) = figures[0].axes
    texts = ["title", "a\\x1b", "40.jpg", "80.jpg", "$b$", "...that/is/long.jpg"]
    assert [text.get_text() for text in axes.texts] == texts
    assert not any(text.get_parse_math() for text in axes.texts)
    with PIL.Image.open(tmp_path / "sheet.png") as picture:
        colors = {color: count for count, color in picture.convert("RGB").getcolors(1 << 24)}
    assert all(colors[(gray,) * 3] > 8000 for gray in (40, 80, 200))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("caf\xe9 \u043a\u043e\u0448\u043a\u0430", None), ("a\U0010fffd", r"a\U0010fffd")],
)
def test_a_font_has_all_characters_of_its_text(text, expected):
    path, drawable = plots.font_for(text)
    assert drawable == (expected or text)
    characters = font_manager.get_font(path).get_charmap()
    assert {ord(each) for each in drawable} <= set(characters)
