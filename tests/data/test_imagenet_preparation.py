import contextlib
import io
import os
import pathlib
import shutil
import threading
import time

import disk
import numpy as np
import pytest
from ilsvrc import SYNSETS, TRAIN, publish, write_archives

from keras_resnet import locks
from keras_resnet.checks import UserError
from keras_resnet.data import datasets, imagenet_preparation
from keras_resnet.images.preprocessing import decode


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
        imagenet_preparation.prepare(pristine, data)
    return data


@pytest.fixture
def source(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "source")


def prepare(source, tmp_path):
    return imagenet_preparation.prepare(source, tmp_path / "data", verify=False)


def left_in(tmp_path):
    """What lies where the data should be, but for the file that is locked."""
    names = {path.name for path in (tmp_path / "data" / "imagenet2012").glob("*")}
    return names - {".lock"}


def assert_refused(source, tmp_path, message):
    with pytest.raises(UserError, match=message):
        prepare(source, tmp_path)
    assert not left_in(tmp_path)


def test_every_image_gets_its_label(data):
    (prepared,) = (data / "imagenet2012").glob("[!.]*")
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
    (prepared,) = (data / "imagenet2012").glob("[!.]*")
    before = {path: path.stat().st_mtime_ns for path in prepared.iterdir()}
    again = imagenet_preparation.prepare(tmp_path / "nowhere", data)
    assert pathlib.Path(again.data_dir) == prepared
    assert before == {path: path.stat().st_mtime_ns for path in prepared.iterdir()}


def test_a_home_directory_is_found(data, source, monkeypatch):
    monkeypatch.setenv("HOME", str(data.parent))
    assert imagenet_preparation.prepare("nowhere", "~/data").splits["train"].num_examples == 44
    monkeypatch.setenv("HOME", str(source.parent))
    with pytest.raises(UserError, match=f"{TRAIN} is truncated: "):
        imagenet_preparation.prepare("~/source", source.parent / "data")


def test_archives_are_looked_through_before_anything_is_written(source, tmp_path):
    os.truncate(source / TRAIN, (source / TRAIN).stat().st_size * 2 // 3)
    assert_refused(source, tmp_path, f"{TRAIN} is truncated or damaged")
    (source / TRAIN).unlink()
    assert_refused(source, tmp_path, f"Not in .*: {TRAIN}")


def test_what_an_interrupted_preparation_left_is_removed(source, tmp_path, capsys):
    place = tmp_path / "data" / "imagenet2012"
    left = place / "incomplete.A0BC5F_5.1.0"
    others = {"incomplete.mine", "incomplete.A0BC5F_5.1.0.tar", "4.0.0"}
    for name in (left.name, *others):
        (place / name).mkdir(parents=True)
    (left / "bucket_1.tmp").touch()
    assert prepare(source, tmp_path).splits["train"].num_examples == 44
    assert left_in(tmp_path) == {"5.1.0", *others}
    said = f"Removed what an interrupted preparation has left: {left}\n"
    assert capsys.readouterr().out.startswith(said)


def test_another_may_prepare_where_a_preparation_has_failed(source, tmp_path):
    os.truncate(source / TRAIN, (source / TRAIN).stat().st_size * 2 // 3)
    assert_refused(source, tmp_path, f"{TRAIN} is truncated or damaged")
    # Also while the process of the first one lives, as a notebook's does.
    lock = locks.lock(tmp_path / "data" / "imagenet2012" / ".lock")
    assert lock is not None
    lock.close()


def test_too_little_disk_is_said_before_work_starts(source, tmp_path):
    # A file with a hole: long, but nothing of it is stored.
    os.truncate(source / TRAIN, 2 * shutil.disk_usage(tmp_path).free)
    assert_refused(source, tmp_path, "[0-9] [GM]B free and the records need .* GB. .*--data_dir")


@pytest.mark.parametrize(
    "number, text",
    [
        (0, "0.0 kB"),
        (4096, "4.1 kB"),
        (5_242_880, "5.2 MB"),
        (162_376_000_000, "162.4 GB"),
        (1e15, "1,000,000.0 GB"),
    ],
)
def test_sizes_have_units_that_say_something(number, text):
    assert imagenet_preparation._size(number) == text


def test_pictures_that_cannot_be_converted_end_it_with_one_message(tmp_path, rng):
    # That they are in other formats than JPEG, TFDS knows by their names.
    class Broken:
        def convert(self, mode):
            return self

        def save(self, file, *_, **__):
            file.write(b"no picture")

    source = write_archives(tmp_path / "source", rng, 1, 1, iter([Broken()] * 6))
    with pytest.raises(UserError) as raised:
        prepare(source, tmp_path)
    assert not left_in(tmp_path)
    (message,) = str(raised.value).splitlines()
    assert message.startswith(f"TensorFlow Datasets could not write {tmp_path}/data/imagenet2012/5")
    assert "ExFileObject" not in message


def test_other_numbers_than_the_archives_hold_are_refused(source, tmp_path):
    place = tmp_path / "data" / "imagenet2012" / "5.1.0"
    place.parent.mkdir(parents=True)
    with pytest.raises(UserError, match="wrote {'train': 44, 'validation': 12} pictures and .* 45"):
        imagenet_preparation._write(source, place, {"train": 45, "validation": 12})
    assert not left_in(tmp_path)


def test_what_is_prepared_is_on_the_disk(source, tmp_path, monkeypatch):
    calls = disk.recorded(monkeypatch)
    info = prepare(source, tmp_path)
    place = pathlib.Path(info.data_dir)
    renames = [call for call in calls if call[0] == "rename"]
    assert renames[-1][2] == str(place)
    before = calls[: calls.index(renames[-1])]
    flushed = {pathlib.Path(path).name: size for kind, path, size in before if kind == "fsync"}
    assert flushed == {path.name: path.stat().st_size for path in place.iterdir()}


def test_a_part_of_prepared_data_is_not_taken_for_the_whole(source, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    (info,) = (tmp_path / "data").rglob("dataset_info.json")
    info.unlink()
    with pytest.raises(UserError, match="imagenet2012/.* exists but is not complete"):
        prepare(source, tmp_path)


def test_a_place_that_is_no_directory_is_refused(source, tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(UserError, match="`data_dir` must be a place to write to; .*data is not"):
        prepare(source, tmp_path)


def test_another_process_is_waited_for(data, source, tmp_path):
    place = tmp_path / "data" / "imagenet2012"
    place.mkdir(parents=True)
    lock = locks.lock(place / ".lock")
    said = io.StringIO()

    def prepare_and_end():
        while not said.getvalue():
            time.sleep(0.01)
        shutil.copytree(data / "imagenet2012" / "5.1.0", place / "5.1.0")
        lock.close()

    other = threading.Thread(target=prepare_and_end)
    other.start()
    with contextlib.redirect_stdout(said):
        info = prepare(source, tmp_path)
    other.join()
    assert info.splits["train"].num_examples == 44
    assert said.getvalue() == f"Another process prepares in {place}: waiting for its end.\n"
