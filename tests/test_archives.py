import hashlib
import os
import pathlib
import shutil
import tarfile

import pytest
from ilsvrc import SYNSETS, add, write_archives

from keras_resnet import archives, datasets
from keras_resnet.preprocessing import decode

TRAIN, VALIDATION = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    import numpy as np

    return write_archives(tmp_path_factory.mktemp("ilsvrc") / "source", np.random.default_rng(0))


@pytest.fixture
def source(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "source")


def assert_refused(source, tmp_path, message, verify=False):
    with pytest.raises(ValueError, match=message):
        archives.prepare(source, tmp_path / "data", verify)
    assert not (tmp_path / "data").exists()


def test_every_image_gets_its_label(source, tmp_path):
    info = archives.prepare(source, tmp_path / "data", verify=False)
    prepared = pathlib.Path(info.data_dir)
    assert any(
        path.name.startswith("imagenet2012-train.array_record") for path in prepared.iterdir()
    )
    train, validation = (
        datasets.load("imagenet2012", split, data_dir=tmp_path / "data")
        for split in ("train", "validation")
    )
    assert (len(train), len(validation)) == (44, 12)
    assert len(train.class_names) == 1000
    labels = [train.class_names[int(train.example(index)[1])] for index in range(44)]
    assert {synset: labels.count(synset) for synset in SYNSETS} == dict(
        zip(SYNSETS, (14, 15, 15), strict=True)
    )
    # Those that were CMYK or PNG are RGB JPEGs now.
    for index in range(44):
        image = train.example(index)[0]
        assert image.numpy().startswith(b"\xff\xd8")
        assert decode(image, 3).shape[-1] == 3


def test_what_is_prepared_is_left_alone(source, tmp_path):
    info = archives.prepare(source, tmp_path / "data", verify=False)
    prepared = pathlib.Path(info.data_dir)
    before = {path: path.stat().st_mtime_ns for path in prepared.iterdir()}
    again = archives.prepare(tmp_path / "nowhere", tmp_path / "data")
    assert pathlib.Path(again.data_dir) == prepared
    assert before == {path: path.stat().st_mtime_ns for path in prepared.iterdir()}


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


def test_the_published_hash_is_compared(source, tmp_path, monkeypatch, pristine):
    # The real archives' sizes and hashes are not to be had in a test; these stand for them.
    for name, archive in archives.ARCHIVES.items():
        content = (pristine / name).read_bytes()
        md5 = hashlib.md5(content).hexdigest()
        published = archives.Archive(len(content), md5, archive.member)
        monkeypatch.setitem(archives.ARCHIVES, name, published)
    content = bytearray((source / VALIDATION).read_bytes())
    content[len(content) // 2] ^= 1
    (source / VALIDATION).write_bytes(content)
    assert_refused(source, tmp_path, f"{VALIDATION} is damaged: its MD5 is", verify=True)
    shutil.copy(pristine / VALIDATION, source)
    info = archives.prepare(source, tmp_path / "data")
    assert info.splits["validation"].num_examples == 12


@pytest.mark.parametrize("name", [TRAIN, VALIDATION])
def test_truncated_archives_are_refused(source, tmp_path, name):
    os.truncate(source / name, (source / name).stat().st_size * 2 // 3)
    assert_refused(source, tmp_path, f"{name} is truncated or no archive: .* intact members")


def test_other_contents_are_refused(source, tmp_path):
    shutil.copy(source / VALIDATION, source / TRAIN)
    assert_refused(source, tmp_path, f"{TRAIN} in the official layout: it holds 'ILSVRC2012_val")
    (source / TRAIN).write_bytes(b"no archive" * 1000)
    assert_refused(source, tmp_path, f"{TRAIN} is truncated or no archive")
    with tarfile.open(source / TRAIN, "w"):
        pass
    assert_refused(source, tmp_path, f"{TRAIN} is empty")


def test_a_class_that_is_no_archive_is_explained(source, tmp_path):
    with tarfile.open(source / TRAIN, "w") as tar:
        add(tar, "n01440764.tar", b"not an archive" * 100)
    with pytest.raises(ValueError, match="holds something else than pictures"):
        archives.prepare(source, tmp_path / "data", verify=False)


def test_too_little_disk_is_said_before_work_starts(source, tmp_path):
    # A file with a hole: long, but nothing of it is stored.
    os.truncate(source / TRAIN, 2 * shutil.disk_usage(tmp_path).free)
    assert_refused(source, tmp_path, "GB free and the records need .* GB. .*--data_dir")


def test_a_class_that_imagenet_does_not_have_is_explained(source, tmp_path):
    with tarfile.open(source / TRAIN, "a") as tar:
        add(tar, "n99999999.tar", (source / VALIDATION).read_bytes())
    with pytest.raises(ValueError, match="(?s)could not write .*n99999999"):
        archives.prepare(source, tmp_path / "data", verify=False)


def test_a_part_of_prepared_data_is_not_taken_for_the_whole(source, tmp_path):
    info = archives.prepare(source, tmp_path / "data", verify=False)
    os.remove(pathlib.Path(info.data_dir) / "dataset_info.json")
    with pytest.raises(ValueError, match="imagenet2012/.* exists but is not complete"):
        archives.prepare(source, tmp_path / "data", verify=False)


def test_a_place_that_is_no_directory_is_refused(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`data_dir` must be a place to write to; .*file is not"):
        archives.prepare(source, tmp_path / "file", verify=False)
    with pytest.raises(ValueError, match="`source` must be a directory. Received: .*file"):
        archives.prepare(tmp_path / "file", tmp_path / "data")
