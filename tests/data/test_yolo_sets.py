import pytest
from pictures import png_of

from keras_resnet.checks import UserError
from keras_resnet.data.yolo_sets import described, description


def with_pictures(tmp_path, *names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png_of(6, 4))
    return tmp_path


def of_yaml(tmp_path, text):
    path = tmp_path / "data.yaml"
    path.write_text(text)
    return described(path)


def names_of(found, folder):
    return {
        split: [str(path.resolve().relative_to(folder.resolve())) for path in paths]
        for split, paths in found.pictures.items()
    }


PICTURES = ("images/train/a.png", "images/train/deep/b.png", "images/val/c.png")
BY_SPLIT = {"train": list(PICTURES[:2]), "validation": [PICTURES[2]]}


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n",
        # It was moved.
        "path: ../datasets/pets\ntrain: images/train\nvalid: images/val\nnc: 2\nnames: [cat, dog]",
        # As Roboflow has them.
        "train: ../images/train\nval: ../images/val\ntest:\nnames: [cat, dog]",
        "train: [images/train, images/train/deep]\nval: images/val\nnames: [cat, dog]",
    ],
)
def test_a_file_names_pictures_and_classes(tmp_path, text):
    found = of_yaml(with_pictures(tmp_path, *PICTURES), text)
    assert names_of(found, tmp_path) == BY_SPLIT
    assert found.class_names == ("cat", "dog")


def test_a_split_may_be_a_list_of_pictures(tmp_path):
    with_pictures(tmp_path, *PICTURES)
    (tmp_path / "train.txt").write_text("./images/train/a.png\nimages/val/c.png\n")
    found = of_yaml(tmp_path, "train: train.txt\nnames: [1, 2]")
    assert names_of(found, tmp_path) == {"train": ["images/train/a.png", "images/val/c.png"]}
    assert found.class_names == ("1", "2")


@pytest.mark.parametrize("place", [".", "labels"])
def test_classes_may_stand_in_a_list(tmp_path, place):
    with_pictures(tmp_path, *PICTURES)
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "classes.txt").write_text("cat\ndog\n\n")
    found = described(description(tmp_path))
    assert names_of(found, tmp_path) == BY_SPLIT and found.class_names == ("cat", "dog")
    # Without directories of splits all are to train on.
    (tmp_path / "images" / "val").rename(tmp_path / "images" / "others")
    (tmp_path / "images" / "train").rename(tmp_path / "images" / "some")
    assert len(described(description(tmp_path)).pictures["train"]) == 3


def test_of_several_files_data_yaml_counts(tmp_path):
    assert description(tmp_path) is None
    (tmp_path / "coco8.yaml").touch()
    assert description(tmp_path).name == "coco8.yaml"
    (tmp_path / "a.yml").touch()
    assert description(tmp_path) is None
    (tmp_path / "data.yaml").touch()
    assert description(tmp_path).name == "data.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "data.yaml is no YAML"),
        ("", "must have `train`, `val` and `names`"),
        ("!!python/object:os.system x", "is no YAML"),
        ("train: images/train", "must have `train`, `val` and `names`"),
        ("names: [a]", "must have `train`"),
        ("train: images/none\nnames: [a]", "`train` in .* is not there. Looked for .*images/none"),
        ("train: 3\nnames: [a]", "must be the path of a folder"),
        ("train: empty\nnames: [a]", "names no pictures for train"),
        ("train: images/train\nnames: {0: a, 2: b}", "of the classes 0 to 1. Received: .0, 2."),
        ("train: images/train\nnames: a", "must be a list of texts"),
        ("train: images/train\nnames: [a, a]", "the class 'a' twice"),
        ("train: images/train\nnames: [yes, no]", "a text, in quotes if need be. Received: True"),
        ("train: images/train\nnames: []", "names no classes"),
        ("train: images/train\nnames: [a]\nnc: 2", "has 1 `names` .* that they are 2"),
        ("train: images/train\nnames: [a]\nkpt_shape: [17, 3]", "is of key points"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, text, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        of_yaml(with_pictures(tmp_path, *PICTURES), text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [x, x]\ntrain: .\nnames: *a", "it has references"),
        ("train: .\nnames: !!timestamp x", "is no YAML"),
        ("train: .\nnames: !!bool x", "is no YAML"),
        ("train: .\nnames: !!int ''", "is no YAML"),
    ],
)
def test_yaml_is_read_as_plain_data(tmp_path, text, message):
    with pytest.raises(UserError, match=rf"data.yaml is no YAML.*{message}|data.yaml {message}"):
        of_yaml(tmp_path, text)
