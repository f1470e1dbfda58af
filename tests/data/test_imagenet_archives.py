import hashlib
import io
import os
import shutil
import tarfile

import numpy as np
import pytest
from ilsvrc import TRAIN, VALIDATION, add, publish, write_archives

from keras_resnet.checks import UserError
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.data import imagenet_archives

# Of image-net.org; torchvision compares with the same MD5, and the paper gives the numbers.
PUBLISHED = [
    (TRAIN, 147_897_477_120, "1d675b47d978889d74fa0da5fadfb00e", 1_281_167, 1000),
    (VALIDATION, 6_744_924_160, "29b22e2961454d5413ddabcf34fc5622", 50_000, 1000),
]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Archives, which are not to be changed."""
    return write_archives(tmp_path_factory.mktemp("ilsvrc") / "source", np.random.default_rng(0))


@pytest.fixture
def source(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "source")


def look(source, verify=False):
    return imagenet_archives.checked_pictures(*imagenet_archives.checked_paths(source), verify)


def assert_refused(source, message, verify=False):
    with pytest.raises(UserError, match=message):
        look(source, verify)


def class_archive(class_name, numbers=(0, 1)):
    """An archive of a class, whose pictures are not looked at."""
    return tar_of(f"{class_name}_{number}.JPEG" for number in numbers)


def tar_of(names):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in names:
            add(tar, name, b"picture")
    return file.getvalue()


def write_train(source, members):
    """Writes the archive to train on, of these names and contents."""
    with tarfile.open(source / TRAIN, "w") as tar:
        for name, content in members:
            add(tar, name, content)


def write_validation(source, numbers):
    (source / VALIDATION).write_bytes(tar_of(f"ILSVRC2012_val_{n:08}.JPEG" for n in numbers))


def test_the_published_figures_are_imagenets():
    found = [
        (each.name, each.size, each.md5, each.pictures, each.classes)
        for each in (imagenet_archives.TRAIN, imagenet_archives.VALIDATION)
    ]
    assert found == PUBLISHED


def test_pictures_are_counted(source, capsys):
    assert look(source) == {"train": 44, "validation": 12}
    shown = capsys.readouterr()
    classes = "n01440764 14, n02105855 15, n13037406 15"
    assert shown.out == f"train: 44 pictures of 3 classes ({classes})\nvalidation: 12 pictures\n"
    assert "Headers of ILSVRC2012_img_train.tar: 100%" in shown.err


def test_of_many_classes_the_least_and_the_most_are_said(source, capsys):
    least, most, *others = imagenet_synsets()
    classes = {least: 1, most: 3} | dict.fromkeys(others, 2)
    members = [(f"{name}.tar", class_archive(name, range(n))) for name, n in classes.items()]
    write_train(source, members)
    assert look(source)["train"] == 2000
    line = f"train: 2,000 pictures of 1,000 classes (from 1 ({least}) to 3 ({most}))\n"
    assert line in capsys.readouterr().out


def test_missing_archives_are_named(source, tmp_path):
    (source / VALIDATION).unlink()
    assert_refused(source, f"Not in .*: {VALIDATION}. There: {TRAIN}")
    (source / TRAIN).unlink()
    assert_refused(source, f"{TRAIN} and {VALIDATION}. There: nothing")
    assert_refused(tmp_path / "nowhere", "must be a directory. Received: .*nowhere")
    (tmp_path / "file").touch()
    assert_refused(tmp_path / "file", "must be a directory. Received: .*file")


def test_pictures_without_labels_are_refused(source):
    (source / "ILSVRC2012_img_test.tar").touch()
    assert_refused(source, "must not hold ILSVRC2012_img_test.tar")


def test_the_published_sizes_and_hashes_are_compared(source, monkeypatch):
    assert_refused(source, f"{TRAIN} is truncated: it has .* 147,897,477,120", verify=True)
    publish(source, monkeypatch)
    assert look(source, verify=True) == {"train": 44, "validation": 12}
    path = source / VALIDATION
    content = path.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    path.write_bytes(changed)
    assert_refused(source, f"{VALIDATION} is damaged: its MD5 is", verify=True)
    path.write_bytes(content + bytes(512))
    assert_refused(source, f"{VALIDATION} is not the published archive", verify=True)


@pytest.mark.parametrize(
    "published, message",
    [
        ({"pictures": 45}, f"{TRAIN} holds 44 pictures instead of ImageNet's 45"),
        ({"classes": 1000}, f"{TRAIN} holds 3 classes instead of ImageNet's 1,000"),
        ({"validation": 13}, f"{VALIDATION} holds 12 pictures instead of ImageNet's 13"),
    ],
)
def test_the_whole_of_imagenet_is_demanded(source, monkeypatch, published, message):
    publish(source, monkeypatch, **published)
    assert_refused(source, message, verify=True)


def test_the_hash_is_that_of_the_whole_archive(tmp_path):
    path = tmp_path / "archive"
    path.touch()
    # More than is read at once.
    os.truncate(path, 2**24 + 1)
    md5 = hashlib.md5(bytes(2**24 + 1)).hexdigest()
    published = imagenet_archives.Published("archive", 2**24 + 1, md5, 0)
    imagenet_archives._check_published(path, published)


@pytest.mark.parametrize("name", [TRAIN, VALIDATION])
def test_truncated_archives_are_refused(source, name):
    os.truncate(source / name, (source / name).stat().st_size * 2 // 3)
    assert_refused(source, f"{name} is truncated or damaged: .* whole members")


def test_other_contents_are_refused(source):
    shutil.copy(source / VALIDATION, source / TRAIN)
    assert_refused(source, f"{TRAIN} is not in the official layout: it holds 'ILSVRC2012_val")
    write_train(source, [("n01440764.tar.old", b"old")])
    assert_refused(source, f"{TRAIN} is not in the official layout: it holds 'n01440764.tar.old'")
    (source / TRAIN).write_bytes(b"no archive" * 1000)
    assert_refused(source, f"{TRAIN} is truncated or no archive")
    write_train(source, [])
    assert_refused(source, f"{TRAIN} is empty")


@pytest.mark.parametrize(
    "members, message",
    [
        ([("n99999999.tar", b"x")], "holds n99999999.tar, and ImageNet has no class n99999999"),
        ([("n01440764.tar", class_archive("n01440764"))] * 2, "holds 'n01440764.tar' twice"),
        ([("n01440764.tar", b"not an archive" * 100)], "n01440764.tar in .* or no archive"),
        ([("n01440764.tar", class_archive("n01440764")[:-9000])], "n01440764.tar in .* damaged"),
        ([("n01440764.tar", class_archive("n01440764", []))], "n01440764.tar in .* is empty"),
        ([("n01440764.tar", class_archive("n01440764", [7, 7]))], "'n01440764_7.JPEG' twice"),
        ([("n01440764.tar", class_archive("n01443537"))], "in .* holds 'n01443537_0.JPEG'"),
        ([("n01440764.tar", tar_of(["n01440764_1.JPEG.part"]))], "'n01440764_1.JPEG.part'"),
        ([("n01440764.tar", tar_of(["./n01440764_1.JPEG"]))], "'./n01440764_1.JPEG'"),
        # A digit, but none of those that the original has.
        ([("n01440764.tar", tar_of(["n01440764_\N{THAI DIGIT ONE}.JPEG"]))], "official layout"),
    ],
)
def test_classes_that_are_not_whole_are_named(source, members, message):
    write_train(source, members)
    assert_refused(source, message)


def test_the_names_of_the_original_are_taken(source):
    # One of each kind, as Caffe's list of the training pictures has them.
    names = ("n01440764_10026.JPEG", "n01440764_2.JPEG")
    write_train(source, [("n01440764.tar", tar_of(names))])
    assert look(source)["train"] == 2


@pytest.mark.parametrize(
    "numbers, message",
    [
        ([], "is empty"),
        ([1, 2, 4], "lacks ILSVRC2012_val_00000003.JPEG"),
        ([2, 3], "lacks ILSVRC2012_val_00000001.JPEG"),
        ([0, 1], "holds ILSVRC2012_val_00000000.JPEG"),
        ([1, 1], "holds 'ILSVRC2012_val_00000001.JPEG' twice"),
    ],
)
def test_pictures_that_would_get_the_labels_of_others_are_refused(source, numbers, message):
    write_validation(source, numbers)
    assert_refused(source, f"{VALIDATION} {message}")


def test_pictures_that_have_no_label_are_refused(source, monkeypatch):
    """Of the true number an archive would take seconds to write."""
    monkeypatch.setattr(imagenet_archives, "_LABELED", 3)
    write_validation(source, [3, 1, 2])
    assert look(source)["validation"] == 3
    write_validation(source, [3, 1, 2, 4])
    assert_refused(source, f"{VALIDATION} holds ILSVRC2012_val_00000004.JPEG")
