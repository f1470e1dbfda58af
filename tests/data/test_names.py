import pytest

from keras_resnet.data.datasets import load
from keras_resnet.data.names import canonical


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("/a/folder", "folder:/a/folder"),
        ("/a/folder/", "folder:/a/folder"),
        ("./pets", "folder:pets"),
        ("../pets", "folder:../pets"),
        (".", "folder:."),
        ("~/pets", "folder:~/pets"),
        ("folder:pets", "folder:pets"),
        ("shapes", "shapes"),
        ("cifar10", "cifar10"),
        ("imagenet2012_subset/1pct", "imagenet2012_subset/1pct"),
    ],
)
def test_paths_are_folders_and_names_stay(given, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert canonical(given) == name


def test_a_directory_of_pictures_is_a_folder_by_its_name(picture_folder, monkeypatch):
    monkeypatch.chdir(picture_folder.parent)
    assert canonical(picture_folder.name) == f"folder:{picture_folder.name}"
    # Where TensorFlow Datasets keeps a set there is no train/.
    (picture_folder.parent / "cifar10" / "3.0.2").mkdir(parents=True)
    assert canonical("cifar10") == "cifar10"


def test_a_path_loads_what_its_folder_does(picture_folder):
    paths, folder = load(str(picture_folder), "train"), load(f"folder:{picture_folder}", "train")
    assert paths.fingerprint() == folder.fingerprint()
