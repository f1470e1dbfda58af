import pytest

from keras_resnet.data.datasets import load
from keras_resnet.data.names import canonical, paths_of, same_data, short_name


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
        ("/a/folder/,./b", "folder:/a/folder,b"),
        ("a,b", "a,b"),
        ("a,./b", "folder:a,b"),
    ],
)
def test_paths_are_folders_and_names_stay(given, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert canonical(given) == name


def test_a_directory_of_pictures_is_a_folder_by_its_name(picture_folder, monkeypatch):
    monkeypatch.chdir(picture_folder.parent)
    assert canonical(picture_folder.name) == f"folder:{picture_folder.name}"
    assert canonical("pictures/val") == "folder:pictures/val"
    assert canonical("pictures/train/,pictures/val") == "folder:pictures/train,pictures/val"
    (picture_folder / "x.jsonl").touch()
    assert canonical("pictures/x.jsonl") == "folder:pictures/x.jsonl"
    # No set is called so, whether it is there or not.
    assert canonical("pictures/x.jpg") == "folder:pictures/x.jpg"
    assert canonical("pictures/x.y") == "pictures/x.y"
    # Where TensorFlow Datasets keeps a set there is no train/.
    (picture_folder.parent / "cifar10" / "3.0.2").mkdir(parents=True)
    assert canonical("cifar10") == "cifar10"


def test_a_path_loads_what_its_folder_does(picture_folder):
    paths, folder = load(str(picture_folder), "train"), load(f"folder:{picture_folder}", "train")
    assert paths.fingerprint() == folder.fingerprint()


def test_several_paths_are_there_and_differ(tmp_path):
    for name in ("a", "b", "c,d"):
        (tmp_path / name).mkdir()
    assert paths_of(f"folder:{tmp_path}/a,{tmp_path}/b") == [tmp_path / "a", tmp_path / "b"]
    assert paths_of(f"folder:{tmp_path}/c,d") == [tmp_path / "c,d"]
    with pytest.raises(ValueError, match="No directory .*/e"):
        paths_of(f"folder:{tmp_path}/a,{tmp_path}/e")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(ValueError, match="names .*/a twice"):
        paths_of(f"folder:{tmp_path}/a,{tmp_path}/link")
    (tmp_path / "a" / "train").mkdir()
    with pytest.raises(ValueError, match="names .*/a/train and a folder that holds it"):
        paths_of(f"folder:{tmp_path}/a,{tmp_path}/a/train")


def test_runs_are_named_after_the_last_part_of_each_path():
    names = {
        "folder:/x/pets": "pets",
        "folder:pets": "folder-pets",
        "folder:/x/pets,y/more": "pets-more",
        "imagenet2012_subset/1pct": "1pct",
        "ns:set": "ns-set",
    }
    assert {name: short_name(name) for name in names} == names


def test_paths_of_folders_are_no_other_data():
    assert same_data("folder:/a/x", "./y/")
    assert not same_data("folder:/a/x", "cifar10")
    assert not same_data("mnist", "cifar10")


@pytest.mark.parametrize(
    "file",
    [
        *("Annotations/a.xml", "VOC2007/Annotations/a.xml", "a.xml", "annotations/a.json"),
        *("train/_annotations.coco.json", "data.yaml", "classes.txt"),
    ],
)
def test_a_directory_of_boxes_is_a_folder(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pets" / file
    assert canonical("pets", "boxes") == "pets"
    path.parent.mkdir(parents=True)
    path.touch()
    assert canonical("pets", "boxes") == canonical("./pets/", "boxes") == "folder:pets"
    assert canonical("pets,./more", "boxes") == "folder:pets,more"
    assert same_data("pets", "/other/pets") and not same_data("pets", "coco/2017")


def test_where_tfds_keeps_a_set_there_are_no_boxes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coco" / "2017" / "1.1.0").mkdir(parents=True)
    (tmp_path / "coco" / "2017" / "1.1.0" / "features.json").touch()
    assert canonical("coco", "boxes") == "coco"


@pytest.mark.parametrize("place", ["images", "train/images", "SegmentationClass", "masks"])
def test_a_directory_of_masks_is_a_folder(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert canonical("pets", "masks") == "pets"
    (tmp_path / "pets" / place).mkdir(parents=True)
    assert canonical("pets", "masks") == "folder:pets" and same_data("pets", "/other/pets")
