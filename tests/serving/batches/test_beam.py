"""In an environment of its own (`make beam`): what Beam needs is older than what is tested."""

import json

import numpy as np
import pytest
from letters import make_network
from pictures import encoded
from record_files import WRITERS, example

from keras_resnet.serving.batches.asking import rows_of
from keras_resnet.serving.batches.options import Shard
from keras_resnet.serving.batches.pictures import Picture, pictures_of_shard
from keras_resnet.serving.batches.tables import columns_of
from keras_resnet.serving.clients import connect

pytestmark = pytest.mark.beam


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The path of a tiny network."""
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    make_network().save(path)
    return str(path)


def ran(tmp_path, *transforms, of_runner=()):
    """The rows that a pipeline ends with."""
    import apache_beam as beam

    with beam.Pipeline(argv=["--runner=DirectRunner", *of_runner]) as pipeline:
        rows = pipeline
        for number, transform in enumerate((*transforms, beam.Map(json.dumps))):
            rows = rows | str(number) >> transform
        rows | beam.io.WriteToText(str(tmp_path / "rows"))
    return [
        json.loads(line)
        for path in tmp_path.glob("rows*")
        for line in path.read_text().splitlines()
    ]


def by_place(rows):
    """Rows in an order that does not depend on who read what."""
    return sorted(rows, key=lambda row: (row["file"], row["record"] or 0))


def test_rows_are_those_of_predict(tmp_path, model, rng):
    """Of pictures in files and records, unusable ones, and such that are no pictures."""
    from keras_resnet.serving.batches.beam import Predict, ReadPictures

    contents = [encoded(rng, 16, 16, "PNG") for _ in range(7)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.png").write_bytes(content)
    (tmp_path / b'\xff\n,".png'.decode(errors="surrogateescape")).write_bytes(contents[0])
    (tmp_path / "x.png").write_bytes(b"no picture")
    for kind, write in WRITERS.items():
        records = [example(image=content, filename=b"caf\xe9") for content in contents]
        write(tmp_path / f"x.{kind}", [*records, b"no example"])
    (tmp_path / "y.tfrecord").write_bytes((tmp_path / "x.tfrecord").read_bytes()[:-3])
    patterns = [str(tmp_path / name) for name in ("*.png", "x.png", "*.array_record", "?.tfrec*")]
    rows = ran(tmp_path, ReadPictures(patterns), Predict(model, batch_size=4))
    listing = {str(path): None for path in tmp_path.iterdir() if not path.name.startswith("rows")}
    expected = rows_of(connect(model), pictures_of_shard(listing, Shard()), 16, 0.5)
    expected = by_place(dict(zip(columns_of("classes"), row, strict=True)) for row in expected)
    assert len(expected) == 7 + 2 + 3 * 8
    for row, other in zip(by_place(rows), expected, strict=True):
        np.testing.assert_allclose(row["probabilities"], other["probabilities"], atol=1e-5)
        assert {**row, "probabilities": 0} == {**other, "probabilities": 0}


def test_pairs_of_names_and_bytes_are_pictures_and_a_process_loads_the_network_once(
    tmp_path, model, rng, monkeypatch
):
    import apache_beam as beam

    from keras_resnet.serving.batches import beam as ours

    loaded = []

    def counted(address):
        loaded.append(address)
        return connect(address)

    monkeypatch.setattr(ours, "connect", counted)
    content = encoded(rng, 16, 16, "PNG")
    pairs = beam.Create([(f"{number}", content) for number in range(40)])
    workers = ["--direct_num_workers=3", "--direct_running_mode=multi_threading"]
    rows = ran(tmp_path, pairs, ours.Predict(model, batch_size=2), of_runner=workers)
    assert sorted(int(row["file"]) for row in rows) == list(range(40))
    (expected,) = rows_of(connect(model), [Picture("0", content=content)], 1, 0.5)
    for row in rows:
        assert (row["status"], row["labels"]) == ("OK", expected[4])
        np.testing.assert_allclose(row["probabilities"], expected[6], atol=1e-5)
    assert loaded == [model]


def test_what_is_no_fault_of_a_picture_fails_the_bundle(tmp_path, model):
    """It is for the runner to try it again; this one does not."""
    import apache_beam as beam

    from keras_resnet.serving.batches.beam import Predict, ReadPictures

    pairs = beam.Create([("a.png", b"x")])
    with pytest.raises(Exception, match="gives no answer for model 'x'"):
        ran(tmp_path, pairs, Predict("grpc://127.0.0.1:1/x", timeout=1.0, retry_for=0.1))
    with pytest.raises(Exception, match="Empty match for pattern"):
        ran(tmp_path, ReadPictures([str(tmp_path / "missing*")]), Predict(model))
    assert list(tmp_path.glob("rows*")) == []
