import collections

import pytest
from record_files import WRITERS, example

from keras_resnet.serving.batches.options import Shard
from keras_resnet.serving.batches.pictures import Picture, pictures_of_shard


@pytest.fixture
def listing(tmp_path):
    """Of pictures, files of 0, 1 and 7 records, one that is damaged, and two that are not there."""
    for kind, write in WRITERS.items():
        for number in (0, 1, 7):
            records = [example(image=b"%d" % n, filename=b"n%d" % n) for n in range(number)]
            write(tmp_path / f"{number}.{kind}", records)
    damaged = tmp_path / "damaged.tfrecord"
    WRITERS["tfrecord"](damaged, [b"no example", example(image=b"x"), example(image=b"y")])
    damaged.write_bytes(damaged.read_bytes()[:-3])
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(b"picture %d" % number)
    files = {str(path): None for path in sorted(tmp_path.iterdir())}
    return {**files, "missing.tfrecord": None, "*.x": "nothing matches"}


def identity(picture):
    return picture.file, picture.record


def read(listing, shard, last=None):
    return [picture.read() for picture in pictures_of_shard(listing, shard, last)]


def test_each_picture_is_there_with_its_content_or_its_fault(listing, tmp_path):
    pictures = {identity(picture): picture for picture in read(listing, Shard())}
    for kind in WRITERS:
        for number in range(7):
            file = str(tmp_path / f"7.{kind}")
            content, name = b"%d" % number, f"n{number}"
            assert pictures[file, number] == Picture(file, number, name, content)
        empty = str(tmp_path / f"0.{kind}")
        assert pictures[empty, 0] == Picture(empty, 0, fault="a file without records")
    file = str(tmp_path / "3.jpg")
    assert pictures[file, None] == Picture(file, content=b"picture 3")
    file = str(tmp_path / "damaged.tfrecord")
    faults = [pictures[file, number].fault for number in range(3)]
    assert faults == ["the record is no tf.train.Example", None, "a damaged record"]
    assert pictures["missing.tfrecord", None].fault == "No such file or directory"
    assert pictures["*.x", None].fault == "nothing matches"
    assert len(pictures) == 5 + 2 * (1 + 1 + 7) + 3 + 2


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 40])
def test_shards_are_disjoint_and_together_complete(listing, number):
    whole = read(listing, Shard())
    shares = [read(listing, Shard(index, number)) for index in range(number)]
    assert collections.Counter(map(identity, sum(shares, []))) == {identity(p): 1 for p in whole}
    assert {identity(p): p for p in sum(shares, [])} == {identity(p): p for p in whole}
    sizes = list(map(len, shares))
    assert max(sizes) - min(sizes) <= len(listing)  # By one a file at most.


def test_files_of_one_picture_are_of_all_shards_in_turn():
    """So that none has more work than the others."""
    listing = {f"{number}.jpg": None for number in range(10)}
    for index in range(3):
        files = [picture.file for picture in pictures_of_shard(listing, Shard(index, 3))]
        assert files == [f"{number}.jpg" for number in range(index, 10, 3)]


@pytest.mark.parametrize("shard", [Shard(), Shard(0, 3), Shard(2, 3)])
def test_a_share_goes_on_behind_any_of_its_pictures(listing, shard):
    whole = read(listing, shard)
    for place, picture in enumerate(whole):
        last = Picture(picture.file, picture.record)  # All that a table knows.
        assert read(listing, shard, last) == whole[place + 1 :]


def test_a_file_of_records_that_is_gone_when_a_share_goes_on_is_said(tmp_path):
    path = tmp_path / "x.tfrecord"
    WRITERS["tfrecord"](path, [example(image=b"x")] * 4)
    listing = {str(path): None}
    first = next(pictures_of_shard(listing, Shard(1, 2)))
    path.unlink()
    (rest,) = pictures_of_shard(listing, Shard(1, 2), first)
    assert rest == Picture(str(path), fault="No such file or directory")
