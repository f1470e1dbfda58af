import shutil

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import model_pb2

from keras_resnet.serving.server.configs import served
from keras_resnet.serving.server.statuses import RefusedError
from keras_resnet.serving.server.versions import Status, Versions

CONFIG = """
model_config_list { config {
  name: "mine" base_path: "/models/mine"
  model_version_policy { all {} }
  version_labels { key: "stable" value: 2 }
  version_labels { key: "future" value: 7 }
} }
"""


@pytest.fixture
def version(tiny_export):
    """One that can be copied."""
    return tiny_export / "1"


@pytest.fixture
def directory(tmp_path, version):
    """An export with the version 2."""
    shutil.copytree(version, tmp_path / "mine" / "2")
    return tmp_path / "mine"


def spec(**fields):
    return model_pb2.ModelSpec(**{"name": "mine", **fields})


def states(versions):
    return {status.version: Status.State.Name(status.state) for status in versions.statuses(spec())}


def refreshed(directory):
    said = []
    versions = Versions(served(directory), said.append)
    versions.refresh()
    return versions, said


def test_a_new_version_takes_the_place_of_the_old_one(directory, version):
    versions, said = refreshed(directory)
    assert (versions.numbers(), said) == ([2], ["Version 2 is served."])
    number, old = versions.of(spec())
    shutil.copytree(version, directory / "10")
    versions.refresh()
    assert number == 2 and versions.of(spec())[0] == 10
    assert said[1:] == ["Version 10 is served.", "Version 2 is not served any more."]
    assert states(versions) == {10: "AVAILABLE"}
    # Whoever asked it before gets the answer.
    np.testing.assert_array_equal(old.predict("", {"x": np.ones(1, np.float32)})["y"], [2])
    versions.refresh()
    assert len(said) == 3
    shutil.rmtree(directory / "10")
    versions.refresh()
    assert versions.numbers() == [2]


def test_a_version_that_does_not_load_is_said_and_the_old_one_goes_on(directory, version):
    versions, said = refreshed(directory)
    (directory / "3").mkdir()
    (directory / "3" / "saved_model.pb").write_bytes(b"junk")
    versions.refresh()
    versions.refresh()
    assert len(said) == 2 and said[1].startswith("Version 3 does not load: ")
    assert versions.of(spec())[0] == 2
    assert states(versions) == {3: "END", 2: "AVAILABLE"}
    (failed,) = versions.statuses(spec(version={"value": 3}))
    assert failed.status.error_code == grpc.StatusCode.INTERNAL.value[0]
    assert failed.status.error_message == said[1]
    # Taken away and brought back whole it is.
    shutil.rmtree(directory / "3")
    versions.refresh()
    shutil.copytree(version, directory / "3")
    versions.refresh()
    assert versions.numbers() == [3]


def test_policy_and_labels_are_followed(directory, version):
    (directory / "models.config").write_text(CONFIG)
    shutil.copytree(version, directory / "5")
    versions, _ = refreshed(directory)
    assert versions.numbers() == [2, 5]
    assert versions.of(spec())[0] == 5
    assert versions.of(spec(version={"value": 2}))[0] == 2
    assert versions.of(spec(version_label="stable"))[0] == 2
    (status,) = versions.statuses(spec(version_label="stable"))
    assert status.version == 2


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"name": "other"}, "NOT_FOUND", r"not found for request: Latest\(other\)"),
        ({"version": {"value": 5}}, "NOT_FOUND", r"not found for request: Specific\(mine, 5\)"),
        ({"version_label": "future"}, "NOT_FOUND", r"Specific\(mine, 7\)"),
        ({"version_label": "old"}, "INVALID_ARGUMENT", "Unrecognized servable version label: old"),
        (
            {"name": "other", "version_label": "stable"},
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: stable",
        ),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified"),
    ],
)
def test_what_is_not_there_is_refused(directory, fields, code, message):
    (directory / "models.config").write_text(CONFIG)
    versions, _ = refreshed(directory)
    with pytest.raises(RefusedError, match=message) as refusal:
        versions.of(spec(**fields))
    assert refusal.value.code is grpc.StatusCode[code]
    with pytest.raises(RefusedError) as refusal:
        versions.statuses(spec(**fields))
    assert refusal.value.code is grpc.StatusCode[code]


def test_all_versions_can_be_taken_away(directory):
    versions, said = refreshed(directory)
    (directory / "2").rename(directory / "away")
    versions.refresh()
    assert (versions.numbers(), said[1:]) == ([], ["Version 2 is not served any more."])
    with pytest.raises(RefusedError, match="Could not find any versions of model mine"):
        versions.statuses(spec())
