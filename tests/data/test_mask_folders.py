import numpy as np
import PIL.Image
import pytest

from keras_resnet.checks import UserError
from keras_resnet.data.mask_folders import WITHOUT_MASK, WITHOUT_PICTURE, opened


def write(path, color=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.full((4, 6), color, np.uint8)).save(path)


def names(pairs):
    return [
        (picture.name, mask.name) for picture, mask in zip(pairs.pictures, pairs.masks, strict=True)
    ]


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [
        ("images/{split}", "masks/{split}"),
        ("{split}/images", "{split}/masks"),
        ("images/{split}", "annotations/{split}"),
        ("{split}/img", "{split}/labels"),
    ],
)
def test_splits_lie_as_people_have_them(tmp_path, pictures, masks):
    for split, name in (("train", "a"), ("val", "b")):
        write(tmp_path / pictures.format(split=split) / f"{name}.jpg")
        write(tmp_path / masks.format(split=split) / f"{name}.png")
    found = opened(tmp_path)
    assert names(found.pairs["train"]) == [("a.jpg", "a.png")]
    assert names(found.pairs["validation"]) == [("b.jpg", "b.png")]
    assert found.class_names is None and found.colors == ()


def test_without_splits_all_is_to_train_on_and_what_has_no_pair_is_counted(tmp_path):
    for name in ("images/x/a.jpg", "images/b.jpg", "images/alone.jpg"):
        write(tmp_path / name)
    for name in ("masks/x/a_mask.png", "masks/b.png", "masks/c.png", "masks/d.png"):
        write(tmp_path / name)
    found = opened(tmp_path)
    assert list(found.pairs) == ["train"]
    assert names(found.pairs["train"]) == [("b.jpg", "b.png"), ("a.jpg", "a_mask.png")]
    assert found.pairs["train"].notes == {WITHOUT_MASK: 1, WITHOUT_PICTURE: 2}


@pytest.mark.parametrize("inside", ["", "VOC2012/"])
def test_lists_of_voc_are_its_splits(tmp_path, inside):
    place = tmp_path / inside
    for name in "abcd":
        write(place / "JPEGImages" / f"{name}.jpg")
    for name in "abc":
        write(place / "SegmentationClass" / f"{name}.png")
    lists = place / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("c\na\n")
    (lists / "val.txt").write_text("b\n")
    found = opened(tmp_path)
    assert names(found.pairs["train"]) == [("c.jpg", "c.png"), ("a.jpg", "a.png")]
    assert names(found.pairs["validation"]) == [("b.jpg", "b.png")]
    (lists / "val.txt").write_text("d\n")
    with pytest.raises(UserError, match="val.txt names d, which has no picture, or no mask"):
        opened(tmp_path)


def test_names_and_colors_of_classes_are_read(tmp_path):
    write(tmp_path / "images" / "a.jpg")
    write(tmp_path / "masks" / "a.png")
    (tmp_path / "classes.txt").write_text("ground\n cat \n\n")
    assert opened(tmp_path).class_names == ("ground", "cat")
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\ncat:255,0,8::\n")
    found = opened(tmp_path)
    assert found.class_names == ("cat",) and found.colors == ((255, 0, 8),)
    for content in ("cat:255,0::\n", "cat:1,2,300::\n"):
        (tmp_path / "labelmap.txt").write_text(content)
        with pytest.raises(UserError, match="must have lines such as cat:255,0,128::"):
            opened(tmp_path)
    (tmp_path / "labelmap.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match="names no class"):
        opened(tmp_path)


def test_what_is_no_such_folder_is_told(tmp_path):
    with pytest.raises(UserError, match="no.* known in .*Masks lie beside the pictures"):
        opened(tmp_path)
    write(tmp_path / "images" / "a.jpg")
    write(tmp_path / "masks" / "b.png")
    with pytest.raises(UserError, match="No picture of the train set .*images/a.jpg and .*b.png"):
        opened(tmp_path)
    write(tmp_path / "images" / "b.png")
    write(tmp_path / "images" / "b.jpg")
    with pytest.raises(UserError, match="have one name"):
        opened(tmp_path)
