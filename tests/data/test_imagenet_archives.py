import hashlib
import json
import os
import pathlib
import shutil
import tarfile

import numpy as np
import pytest
from ilsvrc import SYNSETS, add, write_archives

from keras_resnet.checks import UserError
from keras_resnet.data import datasets, imagenet_archives
from keras_resnet.images.preprocessing import decode

TRAIN, VALIDATION = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"


# Of image-net.org; torchvision compares with the same MD5.
PUBLISHED = {
    TRAIN: (147_897_477_120, "1d675b47d978889d74fa0da5fadfb00e"),
    VALIDATION: (6_744_924_160, "29b22e2961454d5413ddabcf34fc5622"),
}


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """Archives, which are not to be changed."""
    return write_archives(tmp_path_factory.mktemp("ilsvrc") / "source", np.random.default_rng(0))


@pytest.fixture(scope="session")
def data(pristine, tmp_path_factory):
    """The `data_dir` that they are prepared in, which is not to be changed."""
    data = tmp_path_factory.mktemp("prepared") / "data"
    with pytest.MonkeyPatch.context() as monkeypatch:
        publish(pristine, monkeypatch)
        imagenet_archives.prepare(pristine, data)
    return data


def publish(source, monkeypatch):
    """Has these archives stand for the real ones, which are not to be had in a test."""
    for name, archive in imagenet_archives.ARCHIVES.items():
        content = (source / name).read_bytes()
        published = imagenet_archives.Archive(
            len(content), hashlib.md5(content).hexdigest(), archive.member
        )
        monkeypatch.setitem(imagenet_archives.ARCHIVES, name, published)


@pytest.fixture
def source(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "source")


def assert_refused(source, tmp_path, message, verify=False):
    with pytest.raises(UserError, match=message):
        imagenet_archives.prepare(source, tmp_path / "data", verify)
    assert not (tmp_path / "data").exists()


def test_the_published_sizes_and_hashes_are_imagenets():
    found = {
        name: (archive.size, archive.md5) for name, archive in imagenet_archives.ARCHIVES.items()
    }
    assert found == PUBLISHED


def test_every_image_gets_its_label(data):
    (prepared,) = (data / "imagenet2012").iterdir()
    assert any(
        path.name.startswith("imagenet2012-train.array_record") for path in prepared.iterdir()
    )
    train, validation = (
        datasets.load("imagenet2012", split, data_dir=data) for split in ("train", "validation")
    )
    assert (len(train), len(validation)) == (44, 12)
    assert len(train.class_names) == 1000
    images, labels = zip(*map(train.example, range(44)), strict=True)
    names = [train.class_names[int(label)] for label in labels]
    assert {synset: names.count(synset) for synset in SYNSETS} == dict(
        zip(SYNSETS, (14, 15, 15), strict=True)
    )
    # Those that were CMYK or PNG are RGB JPEGs now.
    for image in images:
        assert image.numpy().startswith(b"\xff\xd8")
        assert decode(image, 3).shape[-1] == 3


def test_what_is_prepared_is_left_alone(data, tmp_path):
    (prepared,) = (data / "imagenet2012").iterdir()
    before = {path: path.stat().st_mtime_ns for path in prepared.iterdir()}
    again = imagenet_archives.prepare(tmp_path / "nowhere", data)
    assert pathlib.Path(again.data_dir) == prepared
    assert before == {path: path.stat().st_mtime_ns for path in prepared.iterdir()}


def test_a_home_directory_is_found(data, source, monkeypatch):
    monkeypatch.setenv("HOME", str(data.parent))
    assert imagenet_archives.prepare("nowhere", "~/data").splits["train"].num_examples == 44
    monkeypatch.setenv("HOME", str(source.parent))
    assert_refused("~/source", source.parent, f"{TRAIN} is truncated: ", verify=True)


def test_missing_archives_are_named(source, tmp_path):
    (source / VALIDATION).unlink()
    assert_refused(source, tmp_path, f"Not in .*: {VALIDATION}. There: {TRAIN}")
    (source / TRAIN).unlink()
    assert_refused(source, tmp_path, f"{TRAIN} and {VALIDATION}. There: nothing")
    assert_refused(tmp_path / "nowhere", tmp_path, "must be a directory. Received: .*nowhere")


def test_other_archives_than_the_published_are_refused(source, tmp_path):
    assert_refused(
        source, tmp_path, f"{TRAIN} is truncated: it has .* 147,897,477,120", verify=True
    )


def test_the_published_sizes_and_hashes_are_compared(source, tmp_path, monkeypatch, data):
    publish(source, monkeypatch)
    path = source / VALIDATION
    content = path.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    path.write_bytes(changed)
    assert_refused(source, tmp_path, f"{VALIDATION} is damaged: its MD5 is", verify=True)
    path.write_bytes(content + bytes(512))
    assert_refused(source, tmp_path, f"{VALIDATION} is not the published archive", verify=True)
    # Undamaged they were prepared.
    (info,) = data.rglob("dataset_info.json")
    splits = {split["name"]: split for split in json.loads(info.read_text())["splits"]}
    assert splits["validation"]["shardLengths"] == ["12"]


def test_the_hash_is_that_of_the_whole_archive(tmp_path):
    path = tmp_path / "archive"
    path.touch()
    # More than is read at once.
    os.truncate(path, 2**24 + 1)
    md5 = hashlib.md5(bytes(2**24 + 1)).hexdigest()
    imagenet_archives._check_published(path, imagenet_archives.Archive(2**24 + 1, md5, ""))


@pytest.mark.parametrize("name", [TRAIN, VALIDATION])
def test_truncated_archives_are_refused(source, tmp_path, name):
    os.truncate(source / name, (source / name).stat().st_size * 2 // 3)
    assert_refused(source, tmp_path, f"{name} is truncated or no archive: .* intact members")


def test_other_contents_are_refused(source, tmp_path):
    shutil.copy(source / VALIDATION, source / TRAIN)
    assert_refused(source, tmp_path, f"{TRAIN} in the official layout: it holds 'ILSVRC2012_val")
    with tarfile.open(source / TRAIN, "w") as tar:
        add(tar, "n01440764.tar.old", b"")
    assert_refused(source, tmp_path, f"{TRAIN} in the official layout: it holds 'n01440764.tar.o")
    (source / TRAIN).write_bytes(b"no archive" * 1000)
    assert_refused(source, tmp_path, f"{TRAIN} is truncated or no archive")
    with tarfile.open(source / TRAIN, "w"):
        pass
    assert_refused(source, tmp_path, f"{TRAIN} is empty")


def test_a_class_that_is_no_archive_is_explained(source, tmp_path):
    with tarfile.open(source / TRAIN, "w") as tar:
        add(tar, "n01440764.tar", b"not an archive" * 100)
    with pytest.raises(UserError, match="holds something else than pictures"):
        imagenet_archives.prepare(source, tmp_path / "data", verify=False)


def test_too_little_disk_is_said_before_work_starts(source, tmp_path):
    # A file with a hole: long, but nothing of it is stored.
    os.truncate(source / TRAIN, 2 * shutil.disk_usage(tmp_path).free)
    assert_refused(source, tmp_path, "GB free and the records need .* GB. .*--data_dir")
    leftover = tmp_path / "data" / "imagenet2012" / "incomplete.ABC_5.1.0"
    leftover.mkdir(parents=True)
    with pytest.raises(UserError, match=f"An unfinished preparation left {leftover}\\."):
        imagenet_archives.prepare(source, tmp_path / "data", verify=False)


def test_a_class_that_imagenet_does_not_have_is_explained(source, tmp_path):
    with tarfile.open(source / TRAIN, "a") as tar:
        add(tar, "n99999999.tar", (source / VALIDATION).read_bytes())
    with pytest.raises(UserError, match="(?s)could not write .*n99999999"):
        imagenet_archives.prepare(source, tmp_path / "data", verify=False)


def test_a_part_of_prepared_data_is_not_taken_for_the_whole(source, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    (info,) = (tmp_path / "data").rglob("dataset_info.json")
    info.unlink()
    with pytest.raises(UserError, match="imagenet2012/.* exists but is not complete"):
        imagenet_archives.prepare(source, tmp_path / "data", verify=False)


def test_a_place_that_is_no_directory_is_refused(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="`data_dir` must be a place to write to; .*file is not"):
        imagenet_archives.prepare(source, tmp_path / "file", verify=False)
    with pytest.raises(UserError, match="`source` must be a directory. Received: .*file"):
        imagenet_archives.prepare(tmp_path / "file", tmp_path / "data")
