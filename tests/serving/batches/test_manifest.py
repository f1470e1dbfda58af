import hashlib
import json
import shutil

import pytest
from processes import ROOT
from record_files import WRITERS

from keras_resnet.checks import UserError
from keras_resnet.serving.batches import manifest

ABOUT = {"model": "a", "files": 3, "listing": "b"}


def test_what_tables_are_of_is_written_once_and_compared_then(tmp_path):
    manifest.agree(tmp_path, ABOUT)
    written = (tmp_path / "_predictions.json").read_text()
    assert json.loads(written) == ABOUT
    manifest.agree(tmp_path, ABOUT)
    with pytest.raises(UserError) as error:
        manifest.agree(tmp_path, {**ABOUT, "files": 4, "least_score": 0.5})
    assert str(error.value).splitlines()[1:3] == [
        *("  files: 3, now 4", "  least_score: None, now 0.5")
    ]
    assert (tmp_path / "_predictions.json").read_text() == written


@pytest.mark.parametrize("content", ["{", "[1]", ""])
def test_a_damaged_manifest_is_not_overwritten(tmp_path, content):
    (tmp_path / "_predictions.json").write_text(content)
    with pytest.raises(UserError, match="is damaged"):
        manifest.agree(tmp_path, ABOUT)
    assert (tmp_path / "_predictions.json").read_text() == content


def test_tables_of_unknown_origin_are_left_alone(tmp_path):
    (tmp_path / "predictions-00000-of-00001-000000.csv").touch()
    with pytest.raises(UserError, match="is missing, and tables are there"):
        manifest.agree(tmp_path, ABOUT)


def test_a_listing_is_known_by_its_names_and_the_sizes_of_files_of_records(tmp_path):
    records, picture = tmp_path / "x.tfrecord", tmp_path / "a.jpg"
    WRITERS["tfrecord"](records, [b"1"])
    picture.write_bytes(b"x")
    names = [str(records), str(picture), "missing.tfrecord"]
    known = {manifest.fingerprint_of_listing(names)}
    picture.write_bytes(b"other")  # A picture's name is that of what was there.
    assert manifest.fingerprint_of_listing(names) in known
    WRITERS["tfrecord"](records, [b"1", b"2"])
    for others in (names, names[:2], names[::-1], [*names, "b"], ["".join(names)]):
        known.add(manifest.fingerprint_of_listing(others))
    assert len(known) == 6


def test_a_network_is_known_by_its_files_wherever_they_are(tmp_path):
    version = ROOT / "tests/of_format_1/export/1"
    here = manifest.fingerprint_of_model(str(version))
    files = [version / "saved_model.pb", *sorted((version / "variables").iterdir())]
    assert here == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    shutil.copytree(version, tmp_path / "moved" / "1")
    assert manifest.fingerprint_of_model(str(tmp_path / "moved")) == here
    with open(tmp_path / "moved/1/saved_model.pb", "ab") as file:
        file.write(b"\0")
    assert manifest.fingerprint_of_model(str(tmp_path / "moved")) != here
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    for path in (run / "model.keras", tmp_path / "x.keras"):
        path.write_bytes(b"network")
    expected = hashlib.sha256(b"network").hexdigest()
    for model in (run, tmp_path / "x.keras"):
        assert manifest.fingerprint_of_model(str(model)) == expected


def test_of_a_server_the_model_is_known_by_name_and_version():
    """Each machine may ask one of its own."""
    for address, expected in (
        ("grpc://here:1/mine/3", "mine/3"),
        ("http://there:2/mine/3", "mine/3"),
        ("grpc://here:1/mine", "mine"),
    ):
        assert manifest.fingerprint_of_model(address) == expected
