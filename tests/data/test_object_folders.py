import numpy as np
import pytest
from object_files import voc_text, write_coco, write_pictures, write_voc

from keras_resnet.checks import UserError
from keras_resnet.data.object_folders import parts


def names_of(found):
    """The names of the pictures, by split."""
    return {split: sorted(path.name for path in part.paths) for split, part in found.items()}


def places_of(found, root):
    """Where the pictures are, by split."""
    return {
        split: [path.parent.relative_to(root).as_posix() for path in part.paths]
        for split, part in found.items()
    }


# --- VOC

LISTS = {"train": ["a"], "val": ["b"], "trainval": ["a", "b"]}


def test_lists_say_what_to_train_on(tmp_path):
    write_voc(tmp_path / "VOC2007", "abcd", {**LISTS, "test": ["c"]})
    write_voc(tmp_path / "VOC2012", ["2012_a", "2012_b"], {"trainval": ["2012_a", "2012_b"]}, "cat")
    # It has no annotations.
    (tmp_path / "VOC2012" / "ImageSets" / "Main" / "test.txt").write_text("2012_c")
    both = {"train": ["2012_a.png", "2012_b.png", "a.png", "b.png"], "validation": ["c.png"]}
    assert names_of(parts([tmp_path])) == both
    assert names_of(parts([tmp_path / "VOC2012", tmp_path / "VOC2007"])) == both
    found = parts([tmp_path])
    assert found["train"].given.class_names == ("cat", "dog")
    # Without the pictures to test on train and val are.
    (tmp_path / "VOC2007" / "Annotations" / "c.xml").unlink()
    assert names_of(parts([tmp_path / "VOC2007"])) == {"train": ["a.png"], "validation": ["b.png"]}
    assert names_of(parts([tmp_path / "VOC2012"])) == {"train": ["2012_a.png", "2012_b.png"]}


def test_train_and_val_are_trained_on_where_there_is_a_test(tmp_path):
    write_voc(tmp_path / "x", "abc", {"train": ["a"], "val": ["b"], "test": ["c"]})
    assert names_of(parts([tmp_path / "x"])) == {
        "train": ["a.png", "b.png"],
        "validation": ["c.png"],
    }


def test_a_folder_to_test_on_alone_needs_another_one(tmp_path):
    test = write_voc(tmp_path / "test", "c", {"test": ["c"]})
    with pytest.raises(UserError, match="has pictures to test on alone"):
        parts([test])
    train = write_voc(tmp_path / "train", "ab", LISTS)
    assert names_of(parts([train, test])) == {"train": ["a.png", "b.png"], "validation": ["c.png"]}
    other = write_voc(tmp_path / "other", "ab", {"aeroplane_train": ["a"]})
    with pytest.raises(UserError, match="Main has none of train.txt, trainval.txt"):
        parts([other])


def test_without_lists_all_is_to_train_on(tmp_path):
    write_pictures(tmp_path, ["a.png", "b.png"])
    for name in "ab":
        (tmp_path / f"{name}.xml").write_text(voc_text())
    assert names_of(parts([tmp_path])) == {"train": ["a.png", "b.png"]}


# --- COCO


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        (
            ("annotations/instances_train2017.json", "train2017"),
            ("annotations/instances_val2017.json", "val2017"),
        ),
        (("annotations/train.json", "images/train"), ("annotations/val.json", "images/val")),
        (("train/_annotations.coco.json", "train"), ("valid/_annotations.coco.json", "valid")),
        (("annotations/instances_default.json", "images"), None),
        (("result.json", "images"), None),
    ],
)
def test_files_and_pictures_of_coco_lie_as_tools_leave_them(tmp_path, train, validation):
    expected = {}
    for split, each in (("train", train), ("validation", validation)):
        if each is not None:
            file, folder = each
            write_coco(tmp_path / file, [f"{split}.png"])
            write_pictures(tmp_path / folder, [f"{split}.png"])
            expected[split] = [folder]
    # Other annotations of the same pictures, as COCO has.
    (tmp_path / "annotations").mkdir(exist_ok=True)
    if validation:
        (tmp_path / "annotations" / "captions_train2017.json").touch()
    assert places_of(parts([tmp_path]), tmp_path) == expected


def test_files_of_coco_may_be_named(tmp_path):
    train = write_coco(tmp_path / "a" / "mine.json", ["x.png"])
    validation = write_coco(tmp_path / "labels" / "others.json", ["y.png"])
    write_pictures(tmp_path / "a", ["x.png"])
    write_pictures(tmp_path / "images", ["y.png"])
    found = parts([train, validation])
    assert places_of(found, tmp_path) == {"train": ["a"], "validation": ["images"]}
    assert list(parts([validation])) == ["train"]


def test_what_is_not_there_is_said_with_where_it_was_looked_for(tmp_path):
    file = write_coco(tmp_path / "annotations" / "instances_val2017.json", ["x.png"])
    with pytest.raises(UserError, match="to validate on alone, .*val2017.json, and none to train"):
        parts([tmp_path])
    with pytest.raises(UserError, match=r"Looked for x.png in .*/annotations, .*/val2017, "):
        parts([file])
    for year in (2014, 2017):
        write_coco(tmp_path / "annotations" / f"instances_train{year}.json", ["x.png"])
    with pytest.raises(UserError, match="Both .*train2014.json and .*train2017.json may be of"):
        parts([tmp_path])


# --- YOLO, and others


def test_boxes_of_yolo_wait_for_the_shapes_of_their_pictures(tmp_path):
    write_pictures(tmp_path / "images", ["a.png"])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5")
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cat]")
    for path in (tmp_path, tmp_path / "data.yaml"):
        found = parts([path])["train"].upright(np.array([[40, 60]]), np.array([1]))
        assert found.objects.boxes.tolist() == [[15, 10, 45, 30]]


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="no annotations are known in .* Boxes come as VOC"):
        parts([tmp_path])
    (tmp_path / "data.yaml").touch()
    with pytest.raises(UserError, match="With commas between them several folders of VOC"):
        parts([tmp_path, tmp_path])
