import collections

import disk
import pytest

from keras_resnet.checks import UserError
from keras_resnet.serving.batches import tables
from keras_resnet.serving.batches.options import FORMATS, Shard
from keras_resnet.serving.batches.parts import Parts
from keras_resnet.serving.batches.pictures import Picture

SHARD = Shard(1, 3)


def row(name, status="OK"):
    return (name, None, None, status, [], [], [])


@pytest.mark.parametrize("file_format", FORMATS)
def test_parts_are_numbered_and_taken_up(tmp_path, file_format):
    parts = Parts(tmp_path, SHARD, "classes", file_format)
    assert (parts.number, parts.last, parts.statuses) == (0, None, {})
    paths = [parts.add([row("a"), row("b", "damaged")]), parts.add([row(r"c\\")])]
    assert [path.name for path in paths] == [
        f"predictions-00001-of-00003-{number:06}.{file_format}" for number in range(2)
    ]
    expected = collections.Counter({"OK": 2, "damaged": 1})
    again = Parts(tmp_path, SHARD, "classes", file_format)
    for each in (parts, again):
        assert (each.number, each.statuses) == (2, expected)
    assert again.last == Picture("c\\")
    # Those of another shard are none of this one's.
    assert Parts(tmp_path, Shard(1, 30), "classes", file_format).number == 0


def test_what_a_killed_process_left_is_removed_but_not_what_another_shard_writes(tmp_path):
    left, others = (
        tmp_path / f".predictions-0000{index}-of-00003-000000-123.csv" for index in (1, 2)
    )
    for path in (left, others):
        path.write_text("file,rec")
    assert Parts(tmp_path, SHARD, "classes", "csv").number == 0
    assert list(tmp_path.iterdir()) == [others]


def test_a_part_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(path, *_):
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    parts = Parts(tmp_path, SHARD, "classes", "csv")
    monkeypatch.setattr(tables, "write", fail)
    with pytest.raises(OSError, match="No space left on device, .* bytes are free"):
        parts.add([row("a")])
    assert list(tmp_path.iterdir()) == []


def test_a_part_survives_a_power_cut(tmp_path, monkeypatch):
    """It is on the disk before it has its name, and then the name is: the next one counts on it."""
    parts = Parts(tmp_path, SHARD, "classes", "csv")
    calls = disk.recorded(monkeypatch)
    path = parts.add([row("a")])
    (_, unfinished, size), renamed, of_directory = calls
    assert size == path.stat().st_size
    assert renamed == ("rename", unfinished, str(path))
    assert of_directory == ("fsync", str(tmp_path), None)


def test_a_missing_part_is_named(tmp_path):
    parts = Parts(tmp_path, SHARD, "classes", "csv")
    paths = [parts.add([row(name)]) for name in "abc"]
    paths[1].unlink()
    with pytest.raises(UserError, match="-000001.csv is missing, of 3 parts or more"):
        Parts(tmp_path, SHARD, "classes", "csv")
    paths[2].unlink()
    assert Parts(tmp_path, SHARD, "classes", "csv").last == Picture("a")
