import csv
import json

from command_line import printed_objects
from keras_resnet.serving.answers import DAMAGED, OK, Answer

BOXES = ((1.0, 2.25, 30.04, 4.0), (0.0, 0.0, 5.0, 6.0))
ROWS = [
    ("a.jpg", Answer(OK, (3, 0), ("star", "a,\x1bb"), (0.975, 0.5), BOXES)),
    ("b.jpg", Answer(OK, boxes=())),
    ("c.jpg", Answer(DAMAGED)),
]


def test_lines_of_text():
    assert list(printed_objects.as_text(ROWS)) == [
        "a.jpg",
        "   97.50%  star  from (1.0, 2.2) to (30.0, 4.0)",
        "   50.00%  a,\\x1bb  from (0.0, 0.0) to (5.0, 6.0)",
        "b.jpg",
        "  nothing found of at least --least_score",
        "c.jpg",
        "  damaged",
    ]


def test_lines_of_json():
    first, *others = map(json.loads, printed_objects.as_json(ROWS))
    assert first["objects"][0] == {
        "label": "star",
        "class": 3,
        "score": 0.975,
        "box": [1.0, 2.25, 30.04, 4.0],
    }
    assert [other["objects"] for other in others] == [[], []]
    assert [other["status"] for other in others] == ["OK", "damaged"]


def test_a_table_has_a_row_for_each_object():
    table = list(csv.reader(printed_objects.as_table(ROWS)))
    assert {len(row) for row in table} == {8}
    assert [row[0] for row in table] == ["file", "a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    assert table[2] == ["a.jpg", "OK", "a,\\x1bb", "0.500000", "0.00", "0.00", "5.00", "6.00"]
    assert table[3][1:] == ["OK", *[""] * 6]
