import pytest

from keras_resnet.data import datasets, shapes
from keras_resnet.data.names import GIVEN
from keras_resnet.data.sources import FileSource, MemorySource


def test_shapes_have_their_labels():
    source = datasets.load("shapes", "validation")
    assert isinstance(source, MemorySource)
    assert len(source) == 400
    assert source.class_names == shapes.CLASS_NAMES
    jpeg, label = shapes.draw("validation", 17)
    image, label_again = source.example(17)
    assert (image.numpy(), int(label_again)) == (jpeg, label)


def test_a_folder_is_named_by_its_path(picture_folder):
    source = datasets.load(f"folder:{picture_folder}", "validation")
    assert isinstance(source, FileSource)
    assert len(source) == 10


def test_a_home_directory_is_found(picture_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(picture_folder.parent))
    assert len(datasets.load(f"folder:~/{picture_folder.name}", "validation")) == 10


def test_of_images_that_were_given_nothing_else_is_taken():
    with pytest.raises(ValueError, match="given to keras_resnet.train.* --dataset=NAME"):
        datasets.load(GIVEN, "validation")
