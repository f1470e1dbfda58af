import dataclasses
import os
import pathlib
import resource
import shutil

import numpy as np
import pytest
from record_files import WRITERS, Shard, write_array_record

from keras_resnet.data import records


@pytest.fixture(params=WRITERS)
def file_format(request):
    return request.param


def write(directory, file_format, rng, sizes=(5, 1, 7)):
    """Shards of random records; returns them and a list of the records of each."""
    contents = [[rng.bytes(rng.integers(0, 3000)) for _ in range(size)] for size in sizes]
    shards = []
    for number, shard_contents in enumerate(contents):
        path = directory / f"data-{number}"
        WRITERS[file_format](path, shard_contents)
        shards.append(Shard(str(path), 0, len(shard_contents), len(shard_contents)))
    return shards, contents


def test_records_come_by_index_in_any_order(tmp_path, rng, file_format):
    shards, contents = write(tmp_path, file_format, rng)
    opened = records.FORMATS[file_format](shards)
    everything = sum(contents, [])
    assert len(opened) == 13
    order = rng.permutation(13)
    assert opened.read(order) == [everything[index] for index in order]
    assert opened.locate(5) == (shards[1].filename, 0)
    assert opened.locate(12) == (shards[2].filename, 6)


def test_a_split_may_use_parts_of_files(tmp_path, rng, file_format):
    shards, contents = write(tmp_path, file_format, rng)
    parts = [
        dataclasses.replace(shards[0], skip=2, take=2),
        dataclasses.replace(shards[2], skip=3, take=4),
    ]
    opened = records.FORMATS[file_format](parts)
    assert opened.read(range(len(opened))) == contents[0][2:4] + contents[2][3:]
    assert opened.locate(2) == (shards[2].filename, 3)
    whole = records.FORMATS[file_format](shards)
    assert opened.fingerprint() != whole.fingerprint()
    assert whole.fingerprint() == records.FORMATS[file_format](shards).fingerprint()


def test_a_missing_file_is_named(tmp_path, rng, file_format):
    shards, _ = write(tmp_path, file_format, rng)
    os.remove(shards[1].filename)
    with pytest.raises(ValueError, match="data-1 is missing"):
        records.FORMATS[file_format](shards)


@pytest.mark.parametrize("damage", ["truncated", "empty", "other", "junk"])
def test_a_damaged_file_is_named_at_once(tmp_path, rng, file_format, damage):
    shards, _ = write(tmp_path, file_format, rng)
    path = pathlib.Path(shards[2].filename)
    data = path.read_bytes()
    if damage == "other":
        WRITERS[file_format](path, [b"one", b"two"])
    else:
        path.write_bytes({"truncated": data[:-9], "empty": b"", "junk": rng.bytes(500)}[damage])
    with pytest.raises(ValueError, match="data-2 is damaged or of another data set: it holds"):
        records.FORMATS[file_format](shards)


def test_a_flipped_bit_is_an_error(tmp_path, rng, file_format):
    path = tmp_path / "data"
    contents = [rng.bytes(4000) for _ in range(3)]
    WRITERS[file_format](path, contents)
    data = bytearray(path.read_bytes())
    data[bytes(data).index(contents[1][100:200])] ^= 1
    path.write_bytes(bytes(data))
    opened = records.FORMATS[file_format]([Shard(str(path), 0, 3, 3)])
    assert opened.read([0, 2]) == [contents[0], contents[2]]
    with pytest.raises(OSError, match="mismatch|checksum of a record is wrong"):
        opened.read([1])


@pytest.mark.parametrize(("damage", "left"), [("truncated", 6), ("length", 2), ("zeros", 2)])
def test_a_damaged_tfrecord_gives_the_records_before_the_damage(tmp_path, rng, damage, left):
    shards, contents = write(tmp_path, "tfrecord", rng)
    path = pathlib.Path(shards[2].filename)
    data = bytearray(path.read_bytes())
    third = sum(16 + len(content) for content in contents[2][:2])
    if damage == "truncated":
        del data[-9:]
    elif damage == "length":
        data[third] ^= 1
    else:
        # As after a crash: the file has its length, and nothing was written.
        data[third:] = bytes(len(data) - third)
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=f"holds {left} intact records instead of 7.*skip_corrupt"):
        records.TFRecords(shards)
    opened = records.TFRecords(shards, partial=True)
    assert len(opened) == 13
    assert opened.read(range(6 + left)) == sum(contents, [])[: 6 + left]
    for index in range(6 + left, 13):
        with pytest.raises(OSError, match=f"lost: the file holds {left} intact records instead"):
            opened.read([index])


def test_a_truncated_array_record_loses_all_its_records(tmp_path, rng):
    shards, contents = write(tmp_path, "array_record", rng)
    os.truncate(shards[2].filename, 2000)
    opened = records.ArrayRecords(shards, partial=True)
    assert opened.read(range(6)) == contents[0] + contents[1]
    for index in range(6, 13):
        with pytest.raises(OSError, match="lost: the file holds 0 intact records instead of 7"):
            opened.read([index])


def test_more_records_than_there_should_be_are_of_another_data_set(tmp_path, rng, file_format):
    shards, _ = write(tmp_path, file_format, rng)
    shards[0] = dataclasses.replace(shards[0], take=4, examples_in_shard=4)
    with pytest.raises(ValueError, match="data-0 is .* it holds 5 intact records instead of 4"):
        records.FORMATS[file_format](shards, partial=True)


def test_the_fingerprint_follows_what_is_in_use(tmp_path, rng, file_format):
    shards, contents = write(tmp_path, file_format, rng)
    part = [dataclasses.replace(shards[2], skip=2, take=3)]

    def fingerprints():
        return [records.FORMATS[file_format](each).fingerprint() for each in (shards, part)]

    before = fingerprints()
    os.utime(shards[2].filename, ns=(1, 1))
    assert fingerprints() == before
    # Other bytes in one record; an ArrayRecord must have another length for it to be noticed.
    changed = list(contents[2])
    changed[3] = bytes(len(changed[3]) + (file_format == "array_record"))
    WRITERS[file_format](shards[2].filename, changed)
    whole_now, part_now = fingerprints()
    assert whole_now != before[0]
    assert part_now != before[1]
    if file_format == "tfrecord":
        changed = [*contents[2][:-1], bytes(len(contents[2][-1]))]
        WRITERS[file_format](shards[2].filename, changed)
        assert fingerprints()[0] not in (before[0], whole_now)
        assert fingerprints()[1] == before[1]


def test_the_fingerprint_follows_the_part_and_not_the_place(tmp_path, rng, file_format):
    shards, _ = write(tmp_path, file_format, rng, sizes=(9,))

    def fingerprint(**changes):
        return records.FORMATS[file_format](
            [dataclasses.replace(shards[0], **changes)]
        ).fingerprint()

    parts = [{"skip": skip, "take": take} for skip, take in ((0, 4), (2, 4), (4, 4), (4, 5))]
    assert len({fingerprint(**part) for part in parts}) == 4
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(shards[0].filename, tmp_path / "elsewhere")
    assert fingerprint(filename=copy) == fingerprint()
    renamed = shutil.copy(shards[0].filename, tmp_path / "another")
    assert fingerprint(filename=renamed) != fingerprint()


def test_lengths_make_another_fingerprint_in_a_file_of_the_same_size(tmp_path, rng):
    path = tmp_path / "data"
    first, second, last = (rng.bytes(length) for length in (500, 3000, 400_000))
    found = []
    for contents in ([first, second, last], [second, first, last]):
        write_array_record(path, contents)
        reader = records.ArrayRecords([Shard(str(path), 0, 3, 3)])
        found.append((path.stat().st_size, reader.fingerprint()))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


@pytest.mark.parametrize(("before", "after"), [(200, 259), (300, 300)])
def test_more_open_files_are_allowed_where_there_are_more_shards(tmp_path, rng, before, after):
    shards, _ = write(tmp_path, "tfrecord", rng)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, limits[1]))
    try:
        records.TFRecords(shards)
        # 256 for what else is open.
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (after, limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_no_more_open_files_are_asked_for_than_are_allowed(monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (200, 230))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    records._allow_open_files(300)
    assert asked == [(230, 230)]


def test_offsets_are_scanned_once(tmp_path, rng, keras_home):
    shards, contents = write(tmp_path, "tfrecord", rng)
    first = records.TFRecords(shards)
    (cache,) = (keras_home / "keras_resnet").iterdir()
    written = cache.stat().st_mtime_ns
    second = records.TFRecords(shards)
    assert cache.stat().st_mtime_ns == written
    assert first.read(range(13)) == second.read(range(13)) == sum(contents, [])
    assert first.fingerprint() == second.fingerprint()
    os.utime(shards[0].filename, ns=(1, 1))
    records.TFRecords(shards)
    assert len(list((keras_home / "keras_resnet").iterdir())) == 2


def test_damage_is_not_remembered(tmp_path, rng):
    shards, contents = write(tmp_path, "tfrecord", rng)
    path = pathlib.Path(shards[0].filename)
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    records.TFRecords(shards, partial=True)
    with pytest.raises(ValueError, match="data-0 is damaged"):
        records.TFRecords(shards)
    # A copy that is restored may have the same size and time.
    damaged = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(damaged.st_atime_ns, damaged.st_mtime_ns))
    assert len(data) == damaged.st_size
    assert records.TFRecords(shards).read(range(13)) == sum(contents, [])


def test_offsets_need_not_be_remembered(tmp_path, rng, keras_home):
    keras_home.write_text("no directory")
    shards, contents = write(tmp_path, "tfrecord", rng)
    assert records.TFRecords(shards).read(range(13)) == sum(contents, [])


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path, rng):
    shards, _ = write(tmp_path, "tfrecord", rng)
    opened = records.TFRecords(shards)
    os.truncate(shards[0].filename, 20)
    with pytest.raises(OSError, match="data-0 was truncated"):
        opened.read(np.arange(5))
