import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
from record_files import WRITERS, example

from keras_resnet.data import named_pictures
from keras_resnet.data.named_pictures import UnreadableError
from keras_resnet.data.record_files import is_record_file, picture_of, records_of

CONTENTS = [bytes([65 + number]) * (50 + number) for number in range(10)]


@pytest.fixture(params=WRITERS)
def path(request, tmp_path):
    """A file of ten records."""
    path = tmp_path / f"data.{request.param}-00000-of-00002"
    WRITERS[request.param](path, CONTENTS)
    return str(path)


def told(records):
    """Records, and of errors what they say."""
    return [(n, r if isinstance(r, bytes) else str(r)) for n, r in records]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("a.tfrecord", "a.tfrecords", "a.tfrec", "a.array_record")),
        *((name, True) for name in ("a-train.tfrecord-00003-of-00008", "train-00000-of-01024")),
        *((name, False) for name in ("a.jpg", "tfrecord", "a.tfrecord.gz", "3-of-8.png", "a.csv")),
    ],
)
def test_record_files_are_known_by_their_names(name, expected):
    assert is_record_file(f"/some.tfrecord/{name}") == expected


@pytest.mark.parametrize(("first", "step"), [(0, 1), (2, 1), (0, 3), (2, 3), (5, 4), (10, 1)])
def test_every_so_manieth_record_comes_with_its_number(path, first, step):
    expected = list(itertools.islice(enumerate(CONTENTS), first, None, step))
    assert list(records_of(path, first, step)) == expected


def test_a_damaged_record_leaves_the_others_alone(tmp_path):
    """By flipped bytes, in whichever record each falls."""
    for kind, write in WRITERS.items():
        path = tmp_path / f"x.{kind}"
        write(path, [np.random.default_rng(n).bytes(20_000) for n in range(4)])
        intact = dict(records_of(str(path)))
        content = bytearray(path.read_bytes())
        content[content.find(intact[2][100:120]) + 5] ^= 1
        path.write_bytes(content)
        read = dict(records_of(str(path)))
        assert str(read.pop(2)) == "a damaged record"
        del intact[2]
        assert read == intact


def test_behind_a_damaged_length_nothing_is_found(tmp_path):
    """Whoever reads other records says nothing of it, so that it is said once."""
    path = str(tmp_path / "x.tfrecord")
    WRITERS["tfrecord"](path, CONTENTS)
    start = sum(16 + len(content) for content in CONTENTS[:4])
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\xff")
    fault = "no record begins here: the rest of the file is lost"
    assert told(records_of(path)) == [*enumerate(CONTENTS[:4]), (4, fault)]
    assert told(records_of(path, 1, 3)) == [(1, CONTENTS[1]), (4, fault)]
    assert told(records_of(path, 0, 3)) == [(0, CONTENTS[0]), (3, CONTENTS[3])]
    assert told(records_of(path, 7, 3)) == []


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_of_a_file_that_is_cut_short_the_last_record_is_an_error(tmp_path, cut):
    path = tmp_path / "x.tfrecord"
    WRITERS["tfrecord"](path, CONTENTS)
    path.write_bytes(path.read_bytes()[:-cut])
    *before, (number, fault) = told(records_of(str(path)))
    assert before == list(enumerate(CONTENTS[:9]))
    assert number == 9 and fault == "a damaged record"
    assert told(records_of(str(path), 1, 2))[-1] == (number, fault)
    assert told(records_of(str(path), 0, 2)) == list(enumerate(CONTENTS))[:9:2]


def test_records_beyond_the_limit_are_not_read(tmp_path, monkeypatch):
    path = str(tmp_path / "x.tfrecord")
    WRITERS["tfrecord"](path, CONTENTS)
    monkeypatch.setattr(named_pictures, "MAX_FILE_BYTES", 58)
    assert told(records_of(path)) == [*enumerate(CONTENTS[:9]), (9, "too many bytes")]


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_no_file_of_records_is_said(tmp_path, kind):
    path = str(tmp_path / f"x.{kind}")
    faults = {
        "tfrecord": ("no record begins here", "a file without records"),
        "array_record": ("no ArrayRecord file", "no ArrayRecord file"),
    }
    for content, fault in zip((b"x" * 1000, b""), faults[kind], strict=True):
        with open(path, "wb") as file:
            file.write(content)
        ((number, said),) = told(records_of(path))
        assert number == 0 and said.startswith(fault)
        assert told(records_of(path, 1, 2)) == []
    WRITERS[kind](path, [])
    assert told(records_of(path)) == [(0, "a file without records")]
    os.remove(path)
    with pytest.raises(UnreadableError, match="No such file"):
        next(records_of(path))
    os.mkfifo(path)
    with pytest.raises(UnreadableError, match="not a regular file"):
        next(records_of(path))


@pytest.mark.parametrize("key", ["image", "image/encoded"])
@pytest.mark.parametrize("name_key", ["image/filename", "file_name", "filename"])
def test_a_record_has_a_picture_and_its_name(key, name_key):
    record = example(**{key: b"\xff\xd8", name_key: b"caf\xe9.jpg"})
    assert picture_of(record) == (b"\xff\xd8", "caf\udce9.jpg")
    assert picture_of(example(**{key: b"x"})) == (b"x", None)


def test_a_record_without_a_picture_is_said():
    several = tf.train.BytesList(value=[b"1", b"2"])
    several = tf.train.Features(feature={"image": tf.train.Feature(bytes_list=several)})
    for record in (example(text=b"x"), tf.train.Example(features=several).SerializeToString()):
        with pytest.raises(UnreadableError, match="no picture called image/encoded or image"):
            picture_of(record)
    with pytest.raises(UnreadableError, match=r"no tf\.train\.Example"):
        picture_of(b"\xff\xd8\xff")
