import pytest

from keras_resnet.checks import UserError
from keras_resnet.serving.server.configs import served

CONFIG = 'model_config_list {{ config {{ name: "{name}" base_path: "/models/x" {more} }} }}'


@pytest.fixture
def export(tmp_path):
    """A directory of versions, without what is in them."""
    for name in ("2", "10", "9"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        (tmp_path / "mine" / name / "saved_model.pb").touch()
    for name in (".unfinished-1", "notes", "-3", "١"):
        (tmp_path / "mine" / name).mkdir()
    return tmp_path / "mine"


def configure(export, name, more=""):
    (export / "models.config").write_text(CONFIG.format(name=name, more=more))


def test_the_newest_version_is_served_under_the_name_of_the_directory(export):
    found = served(export)
    assert (found.name, dict(found.labels), found.max_batch_size) == ("mine", {}, None)
    assert found.versions() == {10: export / "10"}


def test_one_version_is_served_alone(export):
    found = served(export / "9")
    assert (found.name, found.versions()) == ("mine", {9: export / "9"})
    (export / "11").mkdir()
    assert list(found.versions()) == [9]


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("latest { num_versions: 2 }", [9, 10]),
        ("latest {}", [10]),
        ("all {}", [2, 9, 10]),
        ("specific { versions: 9 versions: 2 versions: 77 }", [2, 9]),
    ],
)
def test_the_policy_of_models_config_is_followed(export, policy, numbers):
    configure(export, "mine", f"model_version_policy {{ {policy} }}")
    assert list(served(export).versions()) == numbers


def test_name_and_labels_are_those_of_models_config(export):
    configure(export, "other", 'version_labels { key: "stable" value: 9 }')
    found = served(export)
    assert (found.name, dict(found.labels)) == ("other", {"stable": 9})


def test_of_several_models_the_one_of_the_directory_is_served(export):
    entry = 'config {{ name: "{}" base_path: "/models/x" }}'
    (export / "models.config").write_text(
        f"model_config_list {{ {entry.format('first')} {entry.format('mine')} }}"
    )
    assert served(export).name == "mine"
    (export / "models.config").write_text(
        f"model_config_list {{ {entry.format('first')} {entry.format('second')} }}"
    )
    with pytest.raises(UserError, match=r"name is that of its directory, 'mine'.*'second'"):
        served(export)


@pytest.mark.parametrize(
    ("text", "size"),
    [("max_batch_size { value: 8 }", 8), ("batch_timeout_micros { value: 1 }", 1000)],
)
def test_the_largest_batch_is_that_of_batching_config(export, text, size):
    (export / "batching.config").write_text(text)
    assert served(export).max_batch_size == size


@pytest.mark.parametrize(
    ("file", "kind"),
    [("models.config", "ModelServerConfig"), ("batching.config", "BatchingParameters")],
)
@pytest.mark.parametrize("content", [b"junk {", b"\xff"])
def test_files_that_cannot_be_understood_are_named(export, file, kind, content):
    (export / file).write_bytes(content)
    with pytest.raises(UserError, match=rf"{file} must be a {kind} in protobuf's text format"):
        served(export)


def test_what_is_no_export_is_refused(tmp_path, export):
    with pytest.raises(UserError, match="No SavedModel in"):
        served(tmp_path)
    (export / "10").rename(tmp_path / "mine" / "best")
    with pytest.raises(UserError, match=r"must be a number.*best"):
        served(export / "best")
