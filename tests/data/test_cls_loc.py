import collections
import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from object_files import voc_text
from tfds_sets import write_tfds_names

from keras_resnet.checks import UserError
from keras_resnet.data import cls_loc, tfds_objects
from keras_resnet.data.annotations import TURNED
from keras_resnet.data.cls_loc import (
    OF_ANOTHER_CLASS,
    OF_ANOTHER_SIZE,
    WITHOUT_BOX,
    WITHOUT_FILE,
    ClsLocBuilder,
)

# Names, sizes, labels and orientations by EXIF: of cats and dogs.
TRAIN = [
    ("cat_1.JPEG", (60, 40), 0, 1),
    ("cat_2.JPEG", (60, 40), 0, 1),
    ("dog_1.JPEG", (30, 20), 1, 6),
    ("dog_2.JPEG", (30, 20), 1, 1),
    ("dog_3.JPEG", (30, 20), 1, 1),
]
VALIDATION = [("val_1.JPEG", (50, 50), 1, 1)]


def jpeg(size, orientation):
    content, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.new("RGB", size, "red").save(content, "JPEG", exif=exif)
    return content.getvalue()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("named")
    splits = {
        split: [(name, jpeg(size, turn), label) for name, size, label, turn in rows]
        for split, rows in {"train": TRAIN, "validation": VALIDATION}.items()
    }
    write_tfds_names(directory, splits)
    return directory


@pytest.fixture
def folder(tmp_path):
    """Directories as those of CLS-LOC; the second dog is of another size, the third has none."""
    texts = {
        "train/n1/cat_1": voc_text(("cat", 1, 1, 20, 10), ("cat", 0, 5, 60, 40)),
        "train/n1/cat_2": voc_text(("cat", 11, 11, 20, 20), ("dog", 1, 1, 5, 5)),
        "train/n2/dog_1": voc_text(("dog", 1, 1, 10, 20), size=(30, 20)),
        "train/n2/dog_2": voc_text(("dog", 1, 1, 10, 20), size=(300, 200)),
        "val/val_1": voc_text(("hound", 1, 1, 50, 50), size=(50, 50)),
    }
    for name, text in texts.items():
        path = tmp_path / "boxes" / f"{name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "boxes"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


def opened(written, folder, skip_corrupt=False):
    return ClsLocBuilder("named", written, folder, "a name", skip_corrupt)


def test_boxes_are_those_of_the_file_with_the_pictures_name(written, folder):
    source, found = opened(written, folder).read("train")
    assert found.class_names == ("cat", "dog") and len(source) == len(found.objects) == 3
    assert found.notes == collections.Counter(
        {WITHOUT_FILE: 1, OF_ANOTHER_SIZE: 1, OF_ANOTHER_CLASS: 1, TURNED: 1}
    )
    expected = {
        "cat_1": ([[0, 0, 20, 10], [0, 4, 60, 40]], 0),
        "cat_2": ([[10, 10, 20, 20]], 0),
        # Made before the picture was turned: 30x20 became 20x30.
        "dog_1": ([[0, 0, 20, 10]], 1),
    }
    # TFDS shuffles when it writes.
    assert set(found.image_ids) == set(expected)
    for row, name in enumerate(found.image_ids):
        boxes, label = expected[name]
        part = found.objects.part(np.array([row]))
        np.testing.assert_allclose(part.boxes, boxes)
        assert set(part.labels) == {label}
        size = next(size for file, size, *_ in TRAIN if file.startswith(name))
        assert tf.io.decode_image(source.example(row)[0]).shape == (size[1], size[0], 3)


def test_what_a_set_does_not_know_may_be_another_word(written, folder):
    _, found = opened(written, folder).read("validation")
    assert found.objects.boxes.tolist() == [[0, 0, 50, 50]] and found.objects.labels.tolist() == [1]


def test_the_second_start_reads_no_record(written, folder, monkeypatch):
    first = opened(written, folder).read("train")[1]
    monkeypatch.setattr(tfds_objects, "rows", None)
    again = opened(written, folder).read("train")[1]
    assert again.image_ids == first.image_ids
    np.testing.assert_array_equal(again.objects.boxes, first.objects.boxes)


def test_directories_that_do_not_fit_are_named(written, folder, tmp_path):
    with pytest.raises(UserError, match="`boxes` must be a directory .* which is there.*absent'"):
        opened(written, tmp_path / "absent")
    with pytest.raises(UserError, match="`boxes` must be a directory .*boxes='~nobody/xml'"):
        opened(written, "~nobody/xml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="`boxes` must be .*, without any"):
        opened(written, tmp_path / "empty")
    for path in folder.glob("val/*"):
        path.unlink()
    with pytest.raises(UserError, match="No picture of the validation split of 'named' has"):
        opened(written, folder).read("validation")
    other = folder / "val" / "cat_1.xml"
    other.write_text("")
    with pytest.raises(UserError, match="`boxes` has two files of one name: .*cat_1.xml and"):
        opened(written, folder)


def test_pictures_without_names_are_refused(written, folder, monkeypatch):
    monkeypatch.setattr(cls_loc, "_NAMES", ("other_name",))
    with pytest.raises(UserError, match="`boxes` is for sets that name the files .*file_name"):
        opened(written, folder)


def test_files_of_other_pictures_are_refused(written, folder):
    for path in (folder / "train").rglob("*.xml"):
        path.write_text(voc_text(("cat", 1, 1, 5, 5), size=(7, 7)))
    with pytest.raises(UserError, match="Of no picture of the train split .* left out: 4"):
        opened(written, folder).read("train")


def test_pictures_without_a_box_of_theirs_are_left_out(written, folder):
    (folder / "train/n1/cat_1.xml").write_text(voc_text())
    (folder / "train/n2/dog_1.xml").write_text(voc_text(("cat", 1, 1, 10, 20), size=(30, 20)))
    _, found = opened(written, folder).read("train")
    assert found.image_ids == ("cat_2",) and found.notes[WITHOUT_BOX] == 2
    assert found.notes[OF_ANOTHER_CLASS] == 2


def test_boxes_that_cannot_be_are_refused_with_their_file(written, folder):
    (folder / "train/n1/cat_1.xml").write_text(voc_text(("cat", 20, 1, 5, 10)))
    with pytest.raises(UserError, match="Box 0 of .*cat_1.xml is inverted"):
        opened(written, folder).read("train")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a/0.jpg", (60, 40), 0, 1), ("b/0.jpg", (60, 40), 1, 1)],
            "0.xml has the name of 2 pict",
        ),
        ([("0.jpg", (60, 40), -1, 1)], "record 0 of .* has the label -1; there are 2 classes"),
    ],
)
def test_records_that_cannot_be_told_are_refused(tmp_path, rows, message):
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "0.xml").write_text(voc_text(("cat", 1, 1, 5, 5)))
    rows = [(name, jpeg(size, turn), label) for name, size, label, turn in rows]
    write_tfds_names(tmp_path / "data", {"train": rows, "validation": rows[:1]})
    with pytest.raises(UserError, match=message):
        opened(tmp_path / "data", tmp_path / "boxes").read("train")


def test_a_damaged_record_is_named_or_left_out(folder, tmp_path, capsys):
    rows = [(name, jpeg(size, turn), label) for name, size, label, turn in TRAIN]
    write_tfds_names(tmp_path / "data", {"train": rows, "validation": rows[:1]})
    (path,) = (tmp_path / "data").rglob("named-train*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"(?s)record . of .* cannot be used: .*--skip_corrupt"):
        opened(tmp_path / "data", folder).read("train")
    source, found = opened(tmp_path / "data", folder, skip_corrupt=True).read("train")
    assert "Skipped: 1 of 5 pictures cannot be used" in capsys.readouterr().out
    assert len(source) == len(found.objects) >= 2
    for row, name in enumerate(found.image_ids):
        size = next(size for file, size, *_ in TRAIN if file.startswith(name))
        assert tf.io.decode_image(source.example(row)[0]).shape == (size[1], size[0], 3)


def test_names_are_compared_as_they_are_seen(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    rows = [(f"{composed}.jpg", jpeg((60, 40), 1), 0)]
    write_tfds_names(tmp_path / "data", {"train": rows, "validation": rows})
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / f"{decomposed}.xml").write_text(voc_text(("cat", 1, 1, 5, 5)))
    _, found = opened(tmp_path / "data", tmp_path / "boxes").read("train")
    assert len(found.objects) == 1
