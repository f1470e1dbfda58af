import json

from command_line.printed_masks import as_json, as_table, as_text
from keras_resnet.serving.answers import Answer

ROWS = [
    ("a.jpg", Answer("OK", (2, 0), ("d,og", "ground"), (0.75, 0.25), mask=b"png")),
    ("b.jpg", Answer("damaged")),
]


def test_text_has_a_line_for_each_class():
    assert list(as_text(ROWS)) == [
        *("a.jpg", "   75.00%  d,og", "   25.00%  ground", "b.jpg", "  damaged")
    ]


def test_json_has_a_line_for_each_picture():
    first, second = map(json.loads, as_json(ROWS))
    assert first["pixels"][0] == {"label": "d,og", "class": 2, "share": 0.75}
    assert second == {"file": "b.jpg", "status": "damaged", "pixels": []}


def test_a_table_has_a_row_for_each_class():
    assert list(as_table(ROWS)) == [
        "file,status,label,share",
        'a.jpg,OK,"d,og",0.750000',
        "a.jpg,OK,ground,0.250000",
        "b.jpg,damaged,,",
    ]
