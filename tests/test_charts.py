import xml.etree.ElementTree

import PIL.Image
import pytest

from keras_resnet import charts

SVG = "{http://www.w3.org/2000/svg}"


def labels(axis):
    """The texts beside the ticks that are within the axis."""
    low, high = axis.get_view_interval()
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in ticks if low <= place <= high]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.15, 2.2, ["0.2", "0.5", "1", "2"]),
        (0.27, 1.45, ["0.3", "0.4", "0.5", "0.7", "1"]),
        (0.31, 0.39, ["0.32", "0.34", "0.36", "0.38"]),
        (3e-5, 0.2, ["0.0001", "0.001", "0.01", "0.1"]),
        (2e-9, 2, ["1e\N{MINUS SIGN}08", "1e\N{MINUS SIGN}06", "0.0001", "0.01", "1"]),
    ],
)
def test_logarithms_are_labelled_with_plain_numbers(low, high, expected):
    axes = charts.blank(4, 3).subplots()
    axes.set(yscale="log", ylim=(low, high))
    charts.label_logarithms(axes.yaxis)
    assert labels(axes.yaxis) == expected
    assert {label.get_text() for label in axes.yaxis.get_minorticklabels()} <= {""}


def test_few_labels_are_those_of_decades():
    axes = charts.blank(4, 1).subplots()
    axes.set(yscale="log", ylim=(0.0008, 0.12))
    charts.label_logarithms(axes.yaxis, at_most=4)
    assert labels(axes.yaxis) == ["0.001", "0.01", "0.1"]


@pytest.mark.parametrize(
    ("last", "expected"),
    [(9380, ["0", "2,000", "4,000", "6,000", "8,000"]), (2, ["0", "1", "2"]), (0.5, ["0"])],
)
def test_counts_are_whole_and_in_thousands(last, expected):
    axes = charts.blank(5, 3).subplots()
    axes.set_xlim(0, last)
    charts.label_counts(axes.xaxis)
    assert labels(axes.xaxis) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [(20, ["0", "5", "10", "15", "20"]), (0.9, ["0", "0.2", "0.4", "0.6", "0.8"])],
)
def test_numbers_are_round_and_without_needless_zeros(last, expected):
    axes = charts.blank(4, 3).subplots()
    axes.set_xlim(0, last)
    charts.label_numbers(axes.xaxis)
    assert labels(axes.xaxis) == expected


def test_a_figure_has_the_same_bytes_each_time_and_replaces_files_whole(tmp_path):
    for directory in ("first", "second"):
        figure = charts.blank(4, 3)
        figure.subplots().plot([1, 2], [3, 5], marker="o", label="a line")
        (tmp_path / directory).mkdir()
        for name in ("figure.svg", "figure.png"):
            (tmp_path / directory / name).write_text("an earlier one")
        charts.save(figure, *sorted((tmp_path / directory).iterdir()))
    for name in ("figure.svg", "figure.png"):
        first, second = ((tmp_path / each / name).read_bytes() for each in ("first", "second"))
        assert first == second
    with PIL.Image.open(tmp_path / "first" / "figure.png") as picture:
        assert picture.size == (480, 360)
    drawing = xml.etree.ElementTree.parse(tmp_path / "first" / "figure.svg").getroot()
    assert drawing.tag == f"{SVG}svg" and drawing.find(f".//{SVG}path") is not None
    assert b"<dc:date>" not in first
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == [
        "figure.png",
        "figure.svg",
    ]


def test_texts_are_no_formulas_and_control_nothing(tmp_path):
    figure = charts.blank(4, 3)
    axes = figure.subplots()
    axes.plot([1, 2], label="a$\\frac$")
    axes.set(title="of $a$", xlabel="two\nlines, \x1b[31m\udcff")
    axes.legend()
    charts.save(figure, tmp_path / "figure.svg")
    # As comments, beside the shapes of the letters.
    drawing = (tmp_path / "figure.svg").read_text()
    for line in ("a$\\frac$", "of $a$", "two", "lines, \\x1b[31m\\udcff"):
        assert f"<!-- {line} -->" in drawing
