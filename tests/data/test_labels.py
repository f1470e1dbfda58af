import json
import unicodedata

import pytest

from keras_resnet.data.labels import read_labels, split_called


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "sub/c d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def rows_of(folder, text, name="labels.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return [
        (str(row.path.relative_to(folder)), row.class_name, row.split)
        for row in read_labels(folder / name)
    ]


EXPECTED = [("a.jpg", "ant", None), ("b.jpg", "bee", None), ("sub/c d.png", "ant", None)]


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        ("path,label\na.jpg,ant\nb.jpg,bee\nsub/c d.png,ant\n", "labels.csv", "utf-8"),
        ("a.jpg,ant\nb.jpg,bee\nsub/c d.png,ant", "labels.csv", "utf-8"),
        ("Category;File Name;size\r\nant;a.jpg;1\r\nbee;b.jpg;2\r\nant;sub\\c d.png;3\r\n",)
        + ("of_excel.CSV", "utf-8-sig"),
        ("id\tbreed\na.jpg\tant\n\nb.jpg\tbee\nsub/c d.png\tant\n", "x.tsv", "utf-8"),
        ("path\tlabel\na.jpg\tant\nb.jpg\tbee\nsub/c d.png\tant\n", "tabs.csv", "utf-8"),
        # Of two columns the one that is not of paths is of classes, whatever it is named.
        ("insect,file\nant,a.jpg\nbee,b.jpg\nant,sub/c d.png\n", "labels.csv", "utf-8"),
        ('image,class\n"a.jpg","ant"\n b.jpg , bee\n"sub/c d.png",ant\na.jpg,ant\n',)
        + ("labels.csv", "utf-8"),
        (
            '{"file_name": "a.jpg", "label": "ant"}\n{"label": "bee", "file_name": "b.jpg"}\n\n'
            '{"file_name": "sub/c d.png", "label": "ant", "boxes": [1]}',
            "metadata.jsonl",
            "utf-8",
        ),
    ],
)
def test_lists_as_people_write_them(folder, text, name, encoding):
    assert rows_of(folder, text, name, encoding) == EXPECTED


def test_a_column_says_the_split_and_numbers_are_names(folder):
    lines = [
        {"image": "a.jpg", "label": 0, "split": "Training"},
        {"image": "b.jpg", "label": 10, "split": "valid"},
        {"image": "sub/c d.png", "label": 2, "split": "TEST"},
    ]
    found = rows_of(folder, "\n".join(map(json.dumps, lines)), "x.jsonl")
    assert [row[1:] for row in found] == [("0", "train"), ("10", "validation"), ("2", "test")]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (
            "path,label\nz.jpg,ant\na.jpg,ant\n",
            "l.csv",
            r"1 of 2 pictures .*(?s:.*)line 2: .*z\.jpg",
        ),
        ("id,label\na,ant\n", "l.csv", r"There is .*/a\.jpg: paths .* have their suffix"),
        ("id,label\nc d,ant\n", "l.csv", r"There is .*/sub/c d\.png: paths .* must be relative"),
        ("when,where\n1,2\n", "l.csv", "must have a column of paths .* 'when', 'where'"),
        ("a.jpg,ant,9\n", "l.csv", "must have a column of paths"),
        ("path,label,size\na.jpg\n", "l.csv", "Line 2 of .* has too few columns"),
        ("path,label\na.jpg,\n", "l.csv", "Line 2 of .* has no class"),
        ("path,label\n,ant\n", "l.csv", "Line 2 of .* has no path"),
        ("path,label\n", "l.csv", "lists no pictures"),
        ("", "l.csv", "lists no pictures"),
        ('path,label\na.jpg,"ant\n', "l.csv", "Line 2 of .*unexpected end"),
        ("path,label,split\na.jpg,ant,hold\n", "l.csv", "a split is train, val or test.*'hold'"),
        ("path,label\na.jpg,ant\na.jpg,bee\n", "l.csv", "Lines 2 and 3 .* say otherwise"),
        ("path,label,split\na.jpg,x,val\na.jpg,x,train\n", "l.csv", "Lines 2 and 3"),
        ('{"path": "a.jpg"', "l.jsonl", "Line 1 of .* is no JSON object"),
        ("[]", "l.jsonl", "must have a column"),
        ('{"path": "a.jpg", "label": ["x", "y"]}', "l.jsonl", "each picture has one class"),
        ('{"path": "a.jpg", "label": true}', "l.jsonl", "each picture has one class"),
        ('{"path": "a.jpg", "label": null}', "l.jsonl", "Line 1 of .* has no class"),
    ],
)
def test_what_is_wrong_with_a_list_is_said(folder, text, name, message):
    with pytest.raises(ValueError, match=message):
        rows_of(folder, text, name)


def test_a_list_must_be_utf8_and_its_names_do_no_harm(folder):
    with pytest.raises(ValueError, match="must be UTF-8"):
        rows_of(folder, "path,label\na.jpg,café\n", encoding="latin-1")
    with pytest.raises(ValueError, match="not there") as error:
        rows_of(folder, "path,label\n\x1b[31m.jpg,ant\n")
    assert "\x1b" not in str(error.value)


def test_splits_are_called_so_in_any_case():
    names = ("Train", "TRAINING", "val", "Valid", "validation", "test", "testing", "tests", "")
    splits = ["train"] * 2 + ["validation"] * 3 + ["test"] * 2 + [None] * 2
    assert list(map(split_called, names)) == splits


def test_paths_are_found_in_either_form_of_their_accents(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, f"\u00e9t\u00e9 {form}.jpg")).touch()
    text = "".join(
        f"{unicodedata.normalize(form, name)},ant\n"
        for form, name in (("NFD", "\u00e9t\u00e9 NFC.jpg"), ("NFC", "\u00e9t\u00e9 NFD.jpg"))
    )
    (tmp_path / "labels.csv").write_text(text)
    rows = read_labels(tmp_path / "labels.csv")
    assert {row.path for row in rows} == set(tmp_path.glob("*.jpg"))


def test_one_file_by_two_paths_is_one_picture(folder):
    with pytest.raises(ValueError, match="Lines 1 and 2 .* say otherwise of the same picture"):
        rows_of(folder, "a.jpg,ant\nsub/../a.jpg,bee\n")


def test_only_line_feeds_end_lines_and_nothing_else_is_too_much(folder):
    (folder / "a\u2028b.jpg").touch()
    assert rows_of(folder, "a\u2028b.jpg,ant\n") == [("a\u2028b.jpg", "ant", None)]
    with pytest.raises(ValueError, match="Line 1 of .* is no JSON object"):
        rows_of(folder, "[" * 100_000, "x.jsonl")
    with pytest.raises(ValueError, match="1 of 1 pictures that .* lists are not there"):
        rows_of(folder, f"{'n' * 300}.jpg,ant\n")
