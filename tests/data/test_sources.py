import os

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import saved, smooth_picture
from record_files import Shard, write_tfrecord

from keras_resnet.data import sources
from keras_resnet.data.records import TFRecords
from keras_resnet.data.sources import (
    FileSource,
    MemorySource,
    RecordSource,
    ReorderedSource,
    SubsetSource,
)
from keras_resnet.data.survey import COLUMNS, Survey, survey


def test_memory_answers_with_pixels_and_labels(rng):
    images = rng.integers(0, 256, (5, 4, 3, 1), np.uint8)
    source = MemorySource(images, [4, 3, 2, 1, 0], tuple("abcde"))
    assert (len(source), source.channels, source.pixel_shape) == (5, 1, (4, 3))
    fetched, labels = source.fetch(tf.constant([2, 0], tf.int64))
    np.testing.assert_array_equal(fetched, images[[2, 0]])
    assert labels.numpy().tolist() == [2, 4]
    image, label = source.example(3)
    np.testing.assert_array_equal(image, images[3])
    assert int(label) == 1


def test_memory_is_the_hosts_whatever_the_device(rng):
    with tf.device("CPU:1"):
        source = MemorySource(rng.integers(0, 256, (2, 3, 3, 1), np.uint8), [0, 1], ("a", "b"))
    assert {x.device[-5:] for x in (source.images, source.labels)} == {"CPU:0"}


def test_files_are_read_when_they_are_asked_for(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "caf\udce9.png")]
    source = FileSource(paths, [1, 0], ("x", "y"))
    for path in paths:
        path.write_bytes(path.name[0].encode() * 3)
    assert [source.example(n)[0].numpy() for n in (0, 1)] == [b"aaa", b"ccc"]
    assert [int(source.example(n)[1]) for n in (0, 1)] == [1, 0]
    assert source.describe(0) == str(paths[0])


def test_a_file_that_is_missing_is_named(tmp_path):
    source = FileSource(np.array([str(tmp_path / "a.jpg")]), [0])
    assert source.class_names == ("0",)
    with pytest.raises(ValueError, match=r"a\.jpg' cannot be read: No such file"):
        source.fingerprint()


def test_fingerprints_follow_images_labels_and_classes():
    images = np.zeros((4, 2, 2, 3), np.uint8)
    labels = [0, 1, 0, 1]
    same = [MemorySource(images, labels, ("a", "b")).fingerprint() for _ in range(2)]
    others = [
        MemorySource(images[:3], labels[:3], ("a", "b")),
        MemorySource(images, labels[::-1], ("a", "b")),
        MemorySource(images, labels, ("a", "c")),
        MemorySource(images + np.uint8(1), labels, ("a", "b")),
    ]
    assert len({*same, *(source.fingerprint() for source in others)}) == 5


def test_fingerprints_of_files_follow_names_sizes_labels_classes_and_contents(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "longer.jpg")]
    for path in paths:
        path.write_bytes(b"content")
    paths[3].write_bytes(b"contents")
    (tmp_path / "elsewhere").mkdir()
    elsewhere = [path.rename(tmp_path / "elsewhere" / path.name) for path in paths[:2]]
    for path in paths[:2]:
        path.write_bytes(b"CONTENT")

    def fingerprint(paths, labels=(0, 1), names=("x", "y"), contents=(5, 6)):
        table = np.zeros((2, len(COLUMNS)), np.int64)
        table[:, COLUMNS.index("content")] = contents
        return FileSource(paths, labels, names, Survey(np.arange(2), table)).fingerprint()

    same = fingerprint(paths[:2])
    assert fingerprint(elsewhere) == same
    paths[1].write_bytes(b"content!")
    others = [
        fingerprint(paths[:2]),
        fingerprint([elsewhere[0], paths[2]]),
        fingerprint(elsewhere[::-1]),
        fingerprint(elsewhere, labels=(1, 1)),
        fingerprint(elsewhere, names=("x", "z")),
        fingerprint(elsewhere, contents=(5, 7)),
    ]
    assert len({same, *others}) == 7


def test_the_labels_of_all_images_are_those_of_each(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_LABELS_AT_ONCE", 2)
    labels = [2, 0, 1, 1, 2]
    write_tfrecord(tmp_path / "data", [record(label) for label in labels])
    records = TFRecords([Shard(tmp_path / "data", 0, 5, 5)])
    names = tuple("abc")
    for source in (
        RecordSource(records, "image", "label", names, 3),
        MemorySource([b""] * 5, labels, names),
        FileSource([b"x"] * 5, labels, names),
    ):
        found = source.all_labels()
        assert (found.dtype, found.tolist()) == (np.int64, labels)
        assert SubsetSource(source, [4, 1, 4]).all_labels().tolist() == [2, 0, 2]


def record(label):
    features = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_of_a_name_that_is_no_utf8_the_fault_is_told(tmp_path):
    write_tfrecord(tmp_path / "data", [b"x" * 99] * 3)
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.rename(tmp_path / "data", path)
    source = RecordSource(TFRecords([Shard(path, 0, 3, 3)]), "image", "label", ("a",), 3)
    os.truncate(path, 20)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"caf\? was truncated while"):
        source.example(1)


def test_a_subset_has_the_images_it_names(rng):
    images = rng.integers(0, 256, (5, 4, 3, 1), np.uint8)
    whole = MemorySource(images, [4, 3, 2, 1, 0], tuple("abcde"))
    subset = SubsetSource(whole, [3, 1, 3])
    assert (len(subset), subset.channels, subset.pixel_shape) == (3, 1, (4, 3))
    fetched, labels = subset.fetch(tf.constant([1, 2], tf.int64))
    np.testing.assert_array_equal(fetched, images[[1, 3]])
    assert labels.numpy().tolist() == [3, 1]
    assert subset.describe(0) == whole.describe(3)
    fingerprints = {SubsetSource(whole, order).fingerprint() for order in ([3, 1], [1, 3], [3, 1])}
    assert len({*fingerprints, whole.fingerprint()}) == 3


def test_a_subset_of_files_reads_them(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "b.jpg")]
    for path in paths:
        path.write_bytes(path.name[0].encode())
    subset = SubsetSource(FileSource(paths, [0, 1], ("x", "y")), [1])
    assert subset.example(0)[0] == b"b"


def test_classes_come_in_another_order(rng):
    images = rng.integers(0, 256, (5, 4, 3, 1), np.uint8)
    whole = MemorySource(images, [2, 0, 1, 0, 2], tuple("abc"))
    # a is the last now, b the first.
    other = ReorderedSource(whole, tuple("bca"), [2, 0, 1])
    assert (len(other), other.channels, other.pixel_shape) == (5, 1, (4, 3))
    fetched, labels = other.fetch(tf.constant([0, 3], tf.int64))
    np.testing.assert_array_equal(fetched, images[[0, 3]])
    assert [other.class_names[label] for label in labels] == ["c", "a"]
    assert other.describe(3) == whole.describe(3)
    assert other.fingerprint() != whole.fingerprint()


def test_plain_images_are_upright_opaque_jpegs_and_pngs(rng):
    """Of others a source says at once that they need more than the small graph."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    picture, clear = smooth_picture(rng), smooth_picture(rng, "RGBA")
    palette = picture.quantize(8)
    plain = [saved(picture, "JPEG"), saved(picture, "PNG"), saved(palette, "PNG")]
    others = [
        saved(picture, "JPEG", exif=exif),
        saved(picture, "PNG", exif=exif),
        saved(clear, "PNG"),
        saved(palette, "PNG", transparency=0),
        saved(picture, "WEBP"),
    ]
    assert MemorySource(plain, [0] * 3, ("a",)).is_plain
    assert MemorySource(np.zeros((1, 2, 2, 3), np.uint8), [0], ("a",)).is_plain
    for data in others:
        source = MemorySource([*plain, data], [0] * 4, ("a",))
        assert not source.is_plain and not source.converts
        assert survey(source, range(4), "Checking").of(np.arange(3)).is_plain
        assert not survey(source, range(4), "Checking").is_plain
        assert not SubsetSource(source, [3]).is_plain
