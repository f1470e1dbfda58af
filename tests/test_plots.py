import drawings
import numpy as np
import PIL.Image
import pytest
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
