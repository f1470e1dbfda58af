import numpy as np
import pytest
from object_files import voc_text, write_voc

from keras_resnet.checks import UserError
from keras_resnet.data import scenes
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.localization_sets import check_one_class, of_pictures_classes, opened
from keras_resnet.data.objects import ObjectTable, objects_of
from keras_resnet.data.shapes import CLASS_NAMES
from keras_resnet.data.sources import MemorySource


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(scenes, "NUM_EXAMPLES", {"train": 6, "validation": 4})
    scenes.scenes.cache_clear()
    yield
    scenes.scenes.cache_clear()


def test_hidden_shapes_have_one_box_each(small):
    found = opened("hidden_shapes")
    assert found.class_names == CLASS_NAMES and not found.lacks_validation
    table = objects_of(found.source("validation"))
    assert np.diff(table.splits).tolist() == [1, 1, 1, 1]
    with pytest.raises(UserError, match="of one class. . of 6 have several.*train a detector"):
        opened("scenes").source("train")


def test_folders_are_those_of_detectors(tmp_path):
    folder = write_voc(tmp_path / "voc", ["a", "b", "c"], {"train": "abc"})
    found = opened(str(folder), kept=1)
    assert found.lacks_validation and found.class_names == ("dog",)
    assert {split: len(found.source(split)) for split in ("train", "validation")} == {
        "train": 2,
        "validation": 1,
    }


def test_a_file_without_boxes_is_refused(tmp_path):
    folder = write_voc(tmp_path / "voc", [*"abcef"], {"train": "abcef"})
    for stem in "ef":
        (folder / "Annotations" / f"{stem}.xml").write_text(voc_text())
    with pytest.raises(UserError, match="must have a box .* of 4 have none, such as .*[ef].png"):
        opened(str(folder), kept=1).source("train")


def checked(boxes, labels, ignored):
    table = ObjectTable.of(
        [np.tile([0, 0, 4, 4.0], (number, 1)) for number in boxes],
        [np.array(each, np.int64) for each in labels],
        [np.array(each, bool) for each in ignored],
    )
    pixels = MemorySource(np.zeros((len(boxes), 8, 8, 3), np.uint8), [0] * len(boxes))
    check_one_class(AnnotatedSource(pixels, table, ("cat", "dog")))


def test_each_picture_has_one_class():
    checked([1, 2], [[0], [1, 1]], [[False], [False, True]])
    with pytest.raises(UserError, match="1 of 2 have several, such as image 1 of 2 with cat, dog"):
        checked([1, 2], [[0], [1, 0]], [[False], [False, False]])
    with pytest.raises(UserError, match="1 of 2 have none, such as image 0 of 2"):
        checked([1, 1], [[0], [1]], [[True], [False]])


def test_what_is_ignored_of_other_classes_does_not_count():
    table = ObjectTable.of(
        [np.array([[0, 0, 4, 4.0], [1, 1, 2, 2], [2, 2, 3, 3]]), np.array([[0, 0, 5, 5.0]])],
        [np.array([1, 0, 0]), np.array([1])],
        [np.array([True, False, True]), np.array([True])],
    )
    found = of_pictures_classes(table)
    assert found.boxes[:, 0].tolist() == [1, 2] and found.labels.tolist() == [0, 0]
    assert found.is_ignored.tolist() == [False, True] and found.splits.tolist() == [0, 2, 2]
    assert found.areas.tolist() == [1, 1]


def test_a_difficult_object_of_another_class_is_no_obstacle(tmp_path):
    folder = write_voc(tmp_path / "voc", ["a", "b", "c"], {"train": "abc"})
    two = voc_text(("dog", 1, 1, 20, 10), ("person", 1, 1, 5, 5))
    head, _, last = two.rpartition("<object>")
    difficult = f"{head}<object><difficult>1</difficult>{last}"
    (folder / "Annotations" / "a.xml").write_text(difficult)
    found = opened(str(folder), kept=1)
    table = objects_of(found.source("train"))
    assert {found.class_names[label] for label in table.labels} == {"dog"}


def test_boxes_are_for_sets_of_tfds(tmp_path):
    folder = write_voc(tmp_path / "voc", ["a", "b"], {})
    for dataset in ("hidden_shapes", str(folder)):
        with pytest.raises(UserError, match="`boxes` is for sets of TensorFlow Datasets"):
            opened(dataset, boxes=tmp_path)


def test_of_a_set_without_boxes_it_is_said_where_they_may_be(tmp_path):
    with pytest.raises(UserError, match="one class each, `boxes` names the directory"):
        opened("mnist", data_dir=tmp_path)
