import csv

from command_line import printed_classes
from keras_resnet.serving.answers import DAMAGED, OK, Answer

ROWS = [
    ("c.jpg", Answer(DAMAGED)),
    ("a.jpg", Answer(OK, (3, 0), ("star", "disk"), (0.975, 0.025))),
]


def test_lines_of_text():
    lines = ["c.jpg", "  damaged", "a.jpg", "   97.50%  star", "    2.50%  disk"]
    assert list(printed_classes.as_text(ROWS)) == lines


def test_a_table_waits_for_the_first_answer():
    table = list(csv.reader(printed_classes.as_table(ROWS)))
    assert table[0] == ["file", "status", "label1", "probability1", "label2", "probability2"]
    assert table[1] == ["c.jpg", "damaged", *[""] * 4]
    assert table[2] == ["a.jpg", "OK", "star", "0.975000", "disk", "0.025000"]
