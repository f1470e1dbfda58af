"""Tables over several starts, each of which is killed, as `keras-resnet predict` makes them."""

import collections
import csv
import json
import random
import signal
import time

import numpy as np
import pyarrow.parquet
import pytest
from pictures import encoded
from processes import LAUNCH, ROOT, Process, run_program
from record_files import WRITERS, example

from keras_resnet.data.named_pictures import pictures_of
from keras_resnet.data.pictures import found_below
from keras_resnet.serving.batches import predictions
from keras_resnet.serving.batches.options import Shard
from keras_resnet.serving.clients import connect
from keras_resnet.texts import original

# An export that loads in a second.
MODEL = str(ROOT / "tests/of_format_1/export")


@pytest.fixture(scope="module")
def client():
    return connect(MODEL)


def write_pictures(directory, files, records):
    """Some pictures in files, among them one of a strange name, and many in files of records."""
    rng = np.random.default_rng(0)
    contents = [encoded(rng, 16, 16, "PNG") for _ in range(20)]
    (directory / "photos").mkdir()
    for number in range(files):
        (directory / "photos" / f"{number:05}.png").write_bytes(contents[number % 20])
    strange = directory / "photos" / b'\xff\n,"\\.png'.decode(errors="surrogateescape")
    strange.write_bytes(contents[0])
    for kind, write in WRITERS.items():
        numbers = range(0 if kind == "tfrecord" else 1, records, 2)
        examples = (
            example(image=contents[n % 20], filename=b"%d" % n) if n % 50 else b"no example"
            for n in numbers
        )
        write(directory / f"data.{kind}-00000-of-00001", examples)
    return [directory / "photos", f"{directory}/data*", directory / "missing.jpg"]


def expected_places(directory, files, records):
    """File and record of each of these pictures, counted once."""
    photos = [directory / "photos" / f"{number:05}.png" for number in range(files)]
    photos.append(directory / "photos" / b'\xff\n,"\\.png'.decode(errors="surrogateescape"))
    places = [(str(path), None) for path in (*photos, directory / "missing.jpg")]
    for kind, number in (("tfrecord", -(-records // 2)), ("array_record", records // 2)):
        places += [(f"{directory}/data.{kind}-00000-of-00001", n) for n in range(number)]
    return collections.Counter(places)


def rows_in(directory):
    """The rows of all tables in a directory, as dicts, lists in Python's own types."""
    rows = []
    for path in sorted(directory.glob("predictions-*.csv")):
        with open(path, encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    for row in rows:
        row["record"] = int(row["record"]) if row["record"] else None
        row["name"] = row["name"] or None
        row.update({name: json.loads(row[name]) for name in ("labels", "classes", "probabilities")})
    for path in sorted(directory.glob("predictions-*.parquet")):
        rows += pyarrow.parquet.read_table(path).to_pylist()
    return rows


def places_in(directory):
    return collections.Counter((original(row["file"]), row["record"]) for row in rows_in(directory))


def assert_same_rows(rows, others):
    """But for rounding, and in any order."""
    order = [(row["file"], row["record"] or 0) for row in rows]
    rows = [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]
    others = sorted(others, key=lambda row: (row["file"], row["record"] or 0))
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        np.testing.assert_allclose(row["probabilities"], other["probabilities"], atol=1e-5)
        assert {**row, "probabilities": 0} == {**other, "probabilities": 0}


class Prediction:
    """A process of `predict` for a shard."""

    def __init__(self, directory, *arguments):
        self._process = Process(
            LAUNCH / "predict.py",
            arguments,
            stdout=directory / "stdout",
            stderr=directory / "stderr",
        )

    def kill_at(self, tables, number, pause=0.0):
        """Kills it once so many parts are there; returns whether it had not ended by itself."""
        while len(list(tables.glob("predictions-*"))) < number and self._process.poll() is None:
            time.sleep(0.001)
        time.sleep(pause)
        self._process.kill()
        return self._process.wait(60) == -signal.SIGKILL

    def wait(self):
        return self._process.wait(300)


def test_a_shard_goes_on_where_it_was_killed(client, tmp_path):
    files, records = 20, 280
    names = write_pictures(tmp_path, files, records)
    tables, whole = tmp_path / "tables", tmp_path / "whole"
    flags = [f"--output={tables}", "--part_rows=8", "--batch_size=8", "--shard=0/2"]
    killed = Prediction(tmp_path, MODEL, *names, *flags).kill_at(tables, 3)
    assert killed and not list(tables.glob("_done-*"))
    begun = {path: path.read_bytes() for path in tables.glob("predictions-*")}
    assert 3 <= len(begun) < 18
    process = run_program("predict", MODEL, *names, *flags)
    assert process.returncode == 2 and process.stdout == "", process.stderr
    # It says what it has seen of both starts.
    assert "4 of 151 pictures cannot be used." in process.stderr
    assert {path: path.read_bytes() for path in begun} == begun
    # The other shard need not wait for it; and all of it, in the other format.
    listing, _ = pictures_of(map(str, names), found_below)
    about = client, MODEL, listing
    predictions.write_predictions(*about, tables, shard=Shard(1, 2))
    predictions.write_predictions(*about, whole, file_format="parquet")
    assert places_in(tables) == expected_places(tmp_path, files, records)
    assert_same_rows(rows_in(whole), rows_in(tables))
    done = [json.loads(path.read_text()) for path in sorted(tables.glob("_done-*"))]
    assert [sum(each["statuses"].values()) for each in done] == [151, 151]
    assert [each["parts"] for each in done] == [19, 1]


@pytest.fixture(scope="module")
def begun(client, tmp_path_factory):
    """What is given to `write_predictions`, and tables that it made."""
    directory = tmp_path_factory.mktemp("begun")
    names = list(map(str, write_pictures(directory, 3, 4)))
    listing, _ = pictures_of(names, found_below)
    predictions.write_predictions(client, MODEL, listing, directory / "tables")
    return client, MODEL, listing, directory / "tables"


def test_the_order_in_which_pictures_are_named_is_of_no_account(begun):
    client, model, listing, tables = begun
    before = rows_in(tables)
    reversed_listing = dict(reversed(listing.items()))
    assert predictions.write_predictions(client, model, reversed_listing, tables).total() == 9
    assert rows_in(tables) == before and len(before) == len(listing) - 2 + 4


def test_what_was_begun_with_something_else_is_refused(begun, tmp_path):
    client, model, listing, tables = begun
    before = {path: path.read_bytes() for path in tables.iterdir()}
    other = tmp_path / "other.keras"
    other.write_bytes(b"another network")
    for change, differs in (
        ({"model": str(other)}, "model"),
        ({"listing": {**listing, "new.jpg": None}}, "files: 7, now 8"),
        ({"listing": dict(list(listing.items())[1:])}, "files: 7, now 6"),
        ({"shard": Shard(1, 2)}, "shards: 1, now 2"),
        ({"file_format": "parquet"}, "format: csv, now parquet"),
    ):
        given = {"model": model, "listing": listing, **change}
        with pytest.raises(ValueError, match=f"begun with other values(.|\n)*  {differs}"):
            predictions.write_predictions(client, directory=tables, **given)
    assert {path: path.read_bytes() for path in tables.iterdir()} == before


def test_two_processes_do_not_write_one_shard(begun, tmp_path, monkeypatch):
    """But two shards."""
    client, model, listing, _ = begun
    tables = tmp_path / "tables"
    given = {"client": client, "model": model, "listing": listing, "directory": tables}

    def meanwhile(*_):
        with pytest.raises(ValueError, match="Another process is at work on shard 0/2"):
            predictions.write_predictions(**given, shard=Shard(0, 2))
        monkeypatch.undo()
        predictions.write_predictions(**given, shard=Shard(1, 2))
        return iter(())

    monkeypatch.setattr(predictions, "pictures_of_shard", meanwhile)
    predictions.write_predictions(**given, shard=Shard(0, 2))
    predictions.write_predictions(**given, shard=Shard(0, 2))
    assert max(places_in(tables).values()) == 1 and len(places_in(tables)) == len(listing) - 2 + 4


def test_a_part_also_ends_after_some_time(begun, tmp_path, monkeypatch):
    client, model, listing, _ = begun
    monkeypatch.setattr(predictions, "PART_SECONDS", 0.0)
    predictions.write_predictions(client, model, listing, tmp_path)
    assert len(list(tmp_path.glob("predictions-*"))) == len(rows_in(tmp_path)) > 5


@pytest.mark.faults
def test_of_twenty_thousand_pictures_each_is_a_row_after_thirty_kills(tmp_path):
    files, records, shards = 200, 20_000, 3
    names = write_pictures(tmp_path, files, records)
    tables, chance = tmp_path / "tables", random.Random(0)
    kills = 0
    for index in range(shards):
        flags = [f"--output={tables}", f"--shard={index}/{shards}", "--part_rows=80"]
        while True:
            prediction = Prediction(tmp_path, MODEL, *names, *flags)
            if kills == 10 * (index + 1):
                assert prediction.wait() == 2
                break
            at_least = len(list(tables.glob("predictions-*"))) + chance.randrange(4)
            if not prediction.kill_at(tables, at_least, chance.uniform(0, 0.5)):
                break
            kills += 1
    print(f"{kills} kills")
    assert kills >= 20
    assert places_in(tables) == expected_places(tmp_path, files, records)
