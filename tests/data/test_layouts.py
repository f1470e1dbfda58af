import pathlib
from collections import Counter

import pytest

from keras_resnet.data.layouts import is_data_set, layout


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder of empty files."""

    def folder(*names, texts=()):
        root = tmp_path / "folder"
        for name, text in (*((name, "") for name in names), *texts):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return folder


def content(root):
    """Names of pictures, by split and class."""
    return {
        split: {
            name: [path.name for path in found.pictures] for name, found in part.found().items()
        }
        for split, part in layout(root).splits.items()
    }


CLASSES = {"ant": ["a.jpg"], "bee": ["b.jpg"]}
LIST = ("labels.csv", "path,label\na.jpg,ant\nb.jpg,bee\n")


@pytest.mark.parametrize(
    ("train", "validation"),
    [("train", "val"), ("Training", "valid"), ("TRAIN", "Validation"), ("train", "Val")],
)
def test_splits_are_directories_of_several_names(folder, train, validation):
    names = [
        f"{split}/{name}" for split in (train, validation) for name in ("ant/a.jpg", "bee/b.jpg")
    ]
    root = folder(*names, "README.md", "extra/x.jpg", ".git/config")
    assert content(root) == {"train": CLASSES, "validation": CLASSES}
    assert layout(root).unused == ("README.md", "extra")


def test_directories_of_earlier_versions_win(folder):
    names = [f"{split}/ant/a.jpg" for split in ("train", "training", "val", "valid")]
    root = folder(*names)
    assert [part.path.name for part in layout(root).splits.values()] == ["train", "val"]
    assert layout(root).unused == ("training", "valid")
    (root / "val").rename(root / "validation")
    with pytest.raises(ValueError, match="holds valid and validation: one of them"):
        layout(root)


def test_training_and_test_pictures_alone(folder):
    assert content(folder("train/ant/a.jpg", "test/ant/b.jpg")).keys() == {"train", "test"}
    # Pictures without classes, as those of a competition.
    assert layout(folder("train/ant/a.jpg")).splits.keys() == {"train", "test"}


def test_pictures_to_test_on_without_classes_are_left(folder):
    found = layout(folder("train/ant/a.jpg", "train/bee/b.jpg", "test/1.jpg"))
    assert (set(found.splits), found.unused) == ({"train"}, ("test",))


def test_classes_lie_at_the_top(folder):
    root = folder(
        *("ant/a.jpg", "bee/2020/b.jpg", "notes/x.txt", "LICENSE", "other.jpg"),
        *("runs/mine/curves.png", "runs/mine/config.json", "runs/mine/data.json"),
    )
    assert content(root) == {"train": CLASSES}
    found = layout(root)
    assert found.unused == ("notes", "runs")
    assert found.splits["train"].beside() == {"no suffix": 1, ".jpg in no class": 1}


def test_a_class_may_hold_a_file_named_as_those_of_a_run(folder):
    root = folder("ant/a.jpg", "ant/data.json", "bee/b.jpg", "bee/deep/config.json")
    assert content(root) == {"train": CLASSES}


def test_a_train_is_a_class_beside_a_bus(folder):
    root = folder("bus/a.jpg", "car/b.jpg", "train/c.jpg")
    assert content(root) == {"train": {"bus": ["a.jpg"], "car": ["b.jpg"], "train": ["c.jpg"]}}


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        (["a.jpg", "b.jpg"], [LIST]),
        (["a.jpg", "b.jpg"], [("anything.csv", LIST[1])]),
        (["x/a.jpg", "x/b.jpg"], [("metadata.csv", "path,label\nx/a.jpg,ant\nx/b.jpg,bee\n")]),
        (["train/a.jpg", "train/b.jpg"], [("train/labels.csv", LIST[1])]),
        (["train/a.jpg", "train/b.jpg"], [("l.csv", "train/a.jpg,ant\ntrain/b.jpg,bee\n")]),
        (["a.jpg", "b.jpg"], [("x.jsonl", '{"img":"a.jpg","y":"ant"}\n{"img":"b.jpg","y":"bee"}')]),
    ],
)  # fmt: skip
def test_classes_stand_in_a_list(folder, names, texts):
    root = folder(*names, "unlisted.png", texts=texts)
    assert content(root) == {"train": CLASSES}
    (part,) = layout(root).splits.values()
    if "train/labels.csv" not in texts[0]:
        assert part.beside() == {".png not listed": 1}
    # The list itself.
    assert content(part.path) == {"train": CLASSES}


def test_a_list_says_the_splits_or_there_is_one_for_each(folder):
    rows = "path,label,split\na.jpg,ant,train\nb.jpg,bee,train\na2.jpg,ant,val\nb2.jpg,bee,test\n"
    root = folder("a.jpg", "b.jpg", "a2.jpg", "b2.jpg", texts=[("labels.csv", rows)])
    expected = {"train": CLASSES, "validation": {"ant": ["a2.jpg"]}, "test": {"bee": ["b2.jpg"]}}
    assert content(root) == expected
    (root / "labels.csv").unlink()
    folder(
        texts=[
            ("train.csv", LIST[1]),
            ("val.csv", "a2.jpg,ant\n"),
            ("test.csv", "b2.jpg,bee\n"),
        ]
    )
    assert content(root) == expected
    assert all(not part.beside() for part in layout(root).splits.values())
    # Of a competition that keeps the classes to itself, and tells how to answer.
    (root / "test.csv").write_text("path\nb2.jpg\n")
    (root / "submission.csv").write_text("path,label\nb2.jpg,ant\n")
    assert content(root).keys() == {"train", "validation"}
    assert layout(root).splits["train"].beside() == {".jpg not listed": 1}


def test_what_no_list_names_is_counted_once_of_all_splits(folder):
    rows = "path,label,split\na.jpg,ant,train\nb.jpg,bee,val\nc.jpg,ant,test\n"
    root = folder("a.jpg", "b.jpg", "c.jpg", "x.png", "notes.txt", texts=[("labels.csv", rows)])
    expected = {".png not listed": 1, ".txt": 1}
    assert sum((part.beside() for part in layout(root).splits.values()), Counter()) == expected
    (root / "labels.csv").unlink()
    lists = {"train.csv": "a.jpg,ant\n", "val.csv": "b.jpg,ant\n", "test.csv": "c.jpg,ant\n"}
    folder(texts=lists.items())
    assert sum((part.beside() for part in layout(root).splits.values()), Counter()) == expected


def test_directories_of_two_classes_in_a_split_win_over_any_list(folder):
    """Earlier versions knew no lists."""
    names = ("train/ant/a.jpg", "train/bee/b.jpg")
    assert content(folder(*names, "train/labels.csv", "train/x.csv")) == {"train": CLASSES}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["1.jpg", "2.jpg", "x.txt"],
            r"2 pictures, 1 other file \(\.txt 1\), no directories\. Put",
        ),
        (["a/x.txt"], "no pictures, 1 other file .*the directories a"),
        (["train/1.jpg"], "train holds no class directory: 1 picture, no directories"),
        (["train/ant/1.jpg", "val/1.jpg"], "val holds no class directory: 1 picture"),
        (["train/1.jpg", "val/1.jpg"], "train holds no class directory"),
        (["1.jpg", "a.csv", "b.csv"], "Of several lists, a.csv, b.csv, name one"),
    ],
)
def test_what_is_there_instead_is_said(folder, names, message):
    with pytest.raises(ValueError, match=message):
        layout(folder(*names))


def test_a_path_of_something_else_is_explained(folder):
    root = folder("a.jpg", "b.zip")
    with pytest.raises(ValueError, match=r"a\.jpg is one picture, no folder"):
        layout(root / "a.jpg")
    with pytest.raises(ValueError, match=r"b\.zip is a file, no folder"):
        layout(root / "b.zip")
    with pytest.raises(ValueError, match="No directory absent"):
        layout(pathlib.Path("absent"))


@pytest.mark.parametrize(
    ("names", "is_one"),
    [
        (["Training/ant/a.jpg"], True),
        (["ant/a.jpg", "bee/b.jpg"], True),
        (["1.jpg", "labels.csv"], True),
        (["1.jpg", "x.csv"], True),
        (["x.csv"], False),
        (["3.0.2/data.tfrecord-0", "3.0.2/features.json"], False),
        (["plots/loss.png", "results.csv.gz"], False),
        (["1.jpg"], False),
    ],
)
def test_only_what_has_classes_is_a_data_set(folder, names, is_one):
    assert is_data_set(folder(*names)) is is_one
