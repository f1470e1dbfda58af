import csv
import json

import numpy as np
import pyarrow.parquet
import pytest

from keras_resnet.checks import UserError
from keras_resnet.serving.answers import Answer
from keras_resnet.serving.batches import tables
from keras_resnet.serving.batches.options import FORMATS
from keras_resnet.serving.batches.pictures import Picture
from keras_resnet.texts import original

STRANGE = b'a,"b"\n\xff\\n;\xe2\x80\xa8.jpg'.decode(errors="surrogateescape")
PICTURES = [Picture("a.jpg"), Picture("x.tfrecord", 17, STRANGE), Picture(STRANGE)]
THIRD = float(np.float32(1) / np.float32(3))
ANSWERS = {
    "classes": Answer("OK", (1, 0), ("café\u2028", 'b,"c"'), (1.0, THIRD)),
    "boxes": Answer("OK", (4, 5), ("cat", "dog"), (0.9, 0.2), ((0, 1.5, THIRD, 40),) * 2),
    "masks": Answer("OK", (0, 7), ("sky", "cat"), (0.75, 0.25), mask=b"\x89PNG"),
}


def rows_of(kind):
    answers = [ANSWERS[kind], Answer("no\npicture"), ANSWERS[kind]]
    return [tables.row_of(kind, *each, 0.5) for each in zip(PICTURES, answers, strict=True)]


@pytest.mark.parametrize("kind", ANSWERS)
def test_csv_and_parquet_have_the_same_rows(tmp_path, kind):
    """As the module csv and pyarrow read them."""
    for file_format in FORMATS:
        tables.write(tmp_path / f"x.{file_format}", file_format, kind, rows_of(kind))
    text = (tmp_path / "x.csv").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 4  # Nothing breaks a line.
    of_csv = list(csv.DictReader(text.splitlines()))
    of_parquet = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert list(of_csv[0]) == list(of_parquet[0]) == list(tables.columns_of(kind))
    for one, other in zip(of_csv, of_parquet, strict=True):
        for name, value in other.items():
            if isinstance(value, list):
                assert np.array_equal(
                    np.array(json.loads(one[name]), np.array(value).dtype), np.array(value)
                ) or np.array_equal(np.float32(json.loads(one[name])), np.float32(value))
            else:
                assert one[name] == ("" if value is None else str(value))
    assert [original(row["file"]) for row in of_parquet] == [each.file for each in PICTURES]
    assert original(of_csv[1]["name"]) == STRANGE


def test_what_a_row_holds():
    strange = r'a,"b"\n\udcff\\n;\u2028.jpg'
    good, unusable, _ = rows_of("classes")
    labels, thirds = ["café\u2028", 'b,"c"'], [1.0, 0.33333334]
    assert good == ("a.jpg", None, None, "OK", labels, [1, 0], thirds)
    assert unusable == ("x.tfrecord", 17, strange, r"no\npicture", [], [], [])
    # Of a detector the objects of at least that score, and their boxes.
    box = [0.0, 1.5, 0.33333334, 40.0]
    assert rows_of("boxes")[2] == (strange, None, None, "OK", ["cat"], [4], [0.9], [box])
    assert rows_of("boxes")[1][4:] == ([], [], [], [])
    assert rows_of("masks")[0][4:] == (["sky", "cat"], [0, 7], [0.75, 0.25])


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_table_says_what_it_is_of(tmp_path, file_format):
    path = tmp_path / "x"
    tables.write(path, file_format, "classes", rows_of("classes"))
    statuses = ["OK", r"no\npicture", "OK"]
    pictures = [Picture(each.file, each.record) for each in PICTURES]
    assert tables.seen(path, file_format) == list(zip(pictures, statuses, strict=True))


@pytest.mark.parametrize("file_format", FORMATS)
# Of the first row two cells, half of the fourth, and half of the fifth.
@pytest.mark.parametrize("kept", [0, 60, 62, 80])
def test_a_damaged_table_is_named(tmp_path, file_format, kept):
    path = tmp_path / "x"
    tables.write(path, file_format, "classes", rows_of("classes"))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="x is damaged .*Remove it, and those of the shard"):
        tables.seen(path, file_format)


def test_a_row_of_many_classes_is_read_again(tmp_path):
    """Longer than Python's reader of CSV takes by itself."""
    many = Answer("OK", tuple(range(20000)), ("some class",) * 20000, (0.5,) * 20000)
    row = tables.row_of("classes", Picture("a.jpg"), many, 0.5)
    tables.write(tmp_path / "x", "csv", "classes", [row])
    assert tables.seen(tmp_path / "x", "csv") == [(Picture("a.jpg"), "OK")]
