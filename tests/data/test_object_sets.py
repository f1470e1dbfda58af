import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from object_files import voc_text, write_coco, write_pictures, write_voc
from pictures import saved
from tfds_sets import write_tfds_objects

from keras_resnet.checks import UserError
from keras_resnet.data import scenes
from keras_resnet.data.annotated_sets import IN_BOTH
from keras_resnet.data.annotations import TURNED, WITHOUT_PICTURE
from keras_resnet.data.object_sets import opened
from keras_resnet.data.sources import SubsetSource


def write_coco_folder(root, train, validation, categories=((1, "cat"), (5, "dog"))):
    """A folder as COCO's, of names of pictures."""
    for split, names in (("train", train), ("val", validation)):
        write_coco(root / "annotations" / f"instances_{split}2017.json", names, categories)
        write_pictures(root / f"{split}2017", names)
    return root


def test_a_picture_is_opened_with_its_objects(tmp_path):
    data = opened(str(write_coco_folder(tmp_path, ["a.png", "b.png"], ["c.png"])))
    assert data.class_names == ("cat", "dog")
    for split, names in (("train", ["a.png", "b.png"]), ("validation", ["c.png"])):
        source = data.source(split)
        assert [source.describe(i).rpartition("/")[2] for i in range(len(source))] == names
        assert source.table.boxes.tolist() == [[1, 2, 11, 22]] * len(names)
        assert source.table.labels.tolist() == [1] * len(names)
        image, row = source.example(len(names) - 1)
        assert tf.io.decode_image(image).shape == (40, 60, 1) and row == len(names) - 1
    assert data.split("train").image_ids == (0, 10) and data.split("train").class_ids == (1, 5)
    assert data.notes == {"train": {}, "validation": {}}
    with pytest.raises(UserError, match="`split` must be one of 'train', 'validation'"):
        data.source("test")


def test_of_classes_the_names_count(tmp_path):
    write_coco_folder(tmp_path, ["a.png"], ["b.png"])
    file = tmp_path / "annotations" / "instances_val2017.json"
    write_coco(file, ["b.png"], [(3, "dog"), (90, "cat")])
    found = opened(str(tmp_path)).split("validation")
    assert found.source.table.labels.tolist() == [0] and found.class_ids == (90, 3)
    assert found.source.class_names == ("cat", "dog")
    write_coco(file, ["b.png"], [(1, "cat"), (3, "cow")])
    with pytest.raises(UserError, match="only in validation: cow; only in train: dog. Rename"):
        opened(str(tmp_path))


def test_of_voc_not_every_class_need_be_validated_on(tmp_path):
    lists = {"train": ["a", "b"], "val": ["c"]}
    folder = write_voc(tmp_path, "abc", lists)
    (folder / "Annotations" / "a.xml").write_text(voc_text(("cat", 1, 1, 9, 9)))
    data = opened(str(folder))
    assert data.class_names == ("cat", "dog")
    assert data.source("validation").table.labels.tolist() == [1]
    (folder / "Annotations" / "c.xml").write_text(voc_text(("cow", 1, 1, 9, 9)))
    with pytest.raises(UserError, match="only in validation: cow"):
        opened(str(folder))


def test_some_are_kept_for_validation_by_their_number(tmp_path):
    names = [f"{number}.png" for number in range(10)]
    write_coco(tmp_path / "mine.json", names)
    write_pictures(tmp_path, names)
    data = opened(str(tmp_path / "mine.json"), kept=0.3)
    kept = sorted(np.random.default_rng(0).permutation(10)[:3])
    found = data.split("validation")
    assert found.image_ids == tuple(10 * number for number in kept)
    assert [found.source.describe(i).rpartition("/")[2] for i in range(3)] == [
        f"{number}.png" for number in kept
    ]
    assert sorted(found.image_ids + data.split("train").image_ids) == list(range(0, 100, 10))
    assert found.source.survey.shapes.tolist() == [[40, 60]] * 3
    assert len(opened(str(tmp_path), kept=4).source("validation")) == 4
    with pytest.raises(UserError, match="of its 10 to train on 10 cannot be kept"):
        opened(str(tmp_path), kept=10)


def test_a_picture_on_both_sides_is_counted(tmp_path):
    root = write_coco_folder(tmp_path, ["a.png", "b.png"], ["c.png", "d.png"])
    (root / "val2017" / "c.png").write_bytes((root / "train2017" / "b.png").read_bytes())
    data = opened(str(root))
    assert data.split("validation").notes == {IN_BOTH: 1}


def test_boxes_are_turned_as_their_picture_is(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(saved(PIL.Image.new("RGB", (60, 40)), "JPEG", exif=exif))
    write_pictures(tmp_path, ["b.png"])
    write_coco(tmp_path / "mine.json", ["a.jpg", "b.png"])
    data = opened(str(tmp_path), kept=1)
    tables = {data.source(s).describe(0)[-5:]: data.source(s) for s in ("train", "validation")}
    assert tables["a.jpg"].table.boxes.tolist() == [[18, 1, 38, 11]]
    assert tables["b.png"].table.boxes.tolist() == [[1, 2, 11, 22]]
    assert data.notes["train"] == {TURNED: 1}


def test_pictures_of_extreme_shape_and_of_many_objects_are_read(tmp_path):
    write_pictures(tmp_path, ["a.png", "b.png"], size=(20, 3000))
    (tmp_path / "classes.txt").write_text("cat\n")
    for name, lines in (("a", 10_000), ("b", 1)):
        (tmp_path / f"{name}.txt").write_text("0 0.5 0.999 0.5 0.002\n" * lines)
    data = opened(str(tmp_path), kept=1)
    assert sorted(len(data.source(s).table.labels) for s in ("train", "validation")) == [
        1,
        10_000,
    ]
    np.testing.assert_allclose(data.source("train").table.boxes[0], [5, 2994, 15, 3000], rtol=1e-6)


def test_annotations_without_their_picture_are_counted(tmp_path):
    root = write_coco_folder(tmp_path, ["a.png", "b.png", "c.png"], ["d.png"])
    for name in ("a.png", "c.png"):
        (root / "train2017" / name).unlink()
    data = opened(str(root))
    found = data.split("train")
    assert found.notes == {WITHOUT_PICTURE: 2} and found.image_ids == (10,)
    assert found.source.describe(0).endswith("b.png")
    (root / "train2017" / "b.png").unlink()
    with pytest.raises(UserError, match="No picture of .*train2017.json is there"):
        opened(str(root))


def test_pictures_that_do_not_decode_are_named_or_left_out(tmp_path, capsys):
    root = write_coco_folder(tmp_path, ["a.png", "b.png"], ["d.png"])
    (root / "train2017" / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of 2 pictures do not decode:\n  .*/a.png"):
        opened(str(root))
    found = opened(str(root), skip_corrupt=True).split("train")
    assert "1 of 2 pictures cannot be used" in capsys.readouterr().out
    assert (found.image_ids, len(found.source), len(found.source.table)) == ((10,), 1, 1)
    assert found.source.describe(0).endswith("b.png")
    (root / "train2017" / "b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="2 of 2 pictures cannot be used"):
        opened(str(root), skip_corrupt=True)


def test_classes_can_be_told_apart_and_exported(tmp_path):
    for number, (names, message) in enumerate(
        ((("e\u0301", "\u00e9"), "Two classes look the same"), (("a\nb", "c"), "texts of one line"))
    ):
        categories = tuple(enumerate(names, 1))
        root = write_coco_folder(tmp_path / str(number), ["a.png"], ["d.png"], categories)
        with pytest.raises(UserError, match=message):
            opened(str(root))


def test_without_an_object_there_is_nothing_to_train_on(tmp_path):
    folder = write_voc(tmp_path, "ab", {"train": ["a"], "val": ["b"]})
    (folder / "Annotations" / "a.xml").write_text(
        voc_text(("dog", 1, 1, 9, 9)).replace("<bndbox>", "<difficult>1</difficult><bndbox>")
    )
    data = opened(str(folder))
    assert len(data.source("validation")) == 1
    with pytest.raises(UserError, match="no object to train on in 1 pictures, .*a.png.*: 1"):
        data.source("train")
    (folder / "Annotations" / "b.xml").write_text(voc_text())
    with pytest.raises(UserError, match="no object to validate on in 1 pictures, .*b.png.*: 1"):
        opened(str(folder)).source("validation")


def test_scenes_are_embedded(monkeypatch):
    monkeypatch.setattr(scenes, "NUM_EXAMPLES", {"train": 2, "validation": 3})
    scenes.scenes.cache_clear()
    data = opened("mixed_scenes")
    source = data.source("validation")
    jpeg, boxes, labels, _ = scenes.draw("mixed_scenes", "validation", 1)
    part = source.table.part(np.array([1]))
    np.testing.assert_array_equal(part.boxes, boxes)
    np.testing.assert_array_equal(part.labels, labels)
    assert source.example(1)[0] == jpeg and len(source) == 3 and len(data.source("train")) == 2
    assert source.class_names == data.class_names
    scenes.scenes.cache_clear()


def test_other_names_are_those_of_tfds(tmp_path, monkeypatch):
    pixels = np.zeros((8, 10, 3), np.uint8)
    example = (pixels, [(0.25, 0.1, 1, 0.5)], [1], [False])
    write_tfds_objects(tmp_path, {"train": [example] * 2, "test": [example]})
    data = opened("boxes", tmp_path)
    assert data.class_names == ("cat", "dog") and len(data.source("train")) == 2
    found = data.split("validation")
    np.testing.assert_allclose(found.source.table.boxes, [[1, 2, 5, 8]])
    assert tf.io.decode_image(found.source.example(0)[0]).shape == (8, 10, 3)
    assert found.image_ids == ("test0.jpg",)
    # A part of it, as for a training on fewer pictures, knows the same objects.
    assert SubsetSource(data.source("train"), [1]).example(0)[1] == 1
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="`dataset` must be 'scenes' or 'mixed_scenes', the path"):
        opened("no_such_set", tmp_path)
    with pytest.raises(UserError, match="No directory none. Boxes come as VOC"):
        opened("./none")
