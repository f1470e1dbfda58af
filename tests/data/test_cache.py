import errno
import os

import numpy as np
import pytest

from keras_resnet.data.cache import remembered


class Counter:
    """Gives an array, and counts how often it was asked."""

    def __init__(self, array):
        self.array, self.calls = np.array(array, np.int64), 0

    def __call__(self):
        self.calls += 1
        return self.array


@pytest.fixture
def paths(tmp_path):
    paths = [tmp_path / name for name in ("a", "caf\udce9")]
    for path in paths:
        path.write_bytes(b"content")
    return paths


def test_an_array_is_computed_once(paths):
    compute = Counter([[1, 2], [3, 4]])
    for _ in range(3):
        np.testing.assert_array_equal(remembered("tests", paths, (2, 2), compute), compute.array)
    assert compute.calls == 1
    remembered("others", paths, (2, 2), compute)
    assert compute.calls == 2


def lengthen(path):
    """Another size at the same time of change."""
    times = path.stat()
    path.write_bytes(b"contents")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lengthen,
        lambda path: os.utime(path, ns=(1, path.stat().st_mtime_ns + 1)),
        lambda path: path.rename(path.with_name("b")),
    ],
)
def test_a_change_of_a_file_makes_it_another_array(paths, change):
    compute = Counter([1])
    remembered("tests", paths, (1,), compute)
    change(paths[1])
    renamed = [path for path in paths[0].parent.iterdir() if path.is_file()]
    remembered("tests", sorted(renamed), (1,), compute)
    assert compute.calls == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:50]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"junk"),
        lambda file: file.write_bytes(b"PK\x03\x04junk"),
        lambda file: np.save(file, np.arange(3)),
        lambda file: np.save(file, np.ones(2)),
        lambda file: (file.unlink(), file.mkdir()),
    ],
)
def test_a_damaged_memory_is_made_anew(paths, keras_home, damage):
    compute = Counter([5, 6])
    remembered("tests", paths, (2,), compute)
    (file,) = (keras_home / "keras_resnet").iterdir()
    damage(file)
    np.testing.assert_array_equal(remembered("tests", paths, (2,), compute), [5, 6])
    assert compute.calls == 2


class Attack:
    """What creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_code_in_the_memory_is_run(paths, keras_home, tmp_path):
    compute = Counter([5, 6])
    remembered("tests", paths, (2,), compute)
    (file,) = (keras_home / "keras_resnet").iterdir()
    np.save(file, np.array([Attack(tmp_path / "attacked"), 6], object))
    np.testing.assert_array_equal(remembered("tests", paths, (2,), compute), [5, 6])
    assert not (tmp_path / "attacked").exists()
    np.load(file, allow_pickle=False)


def test_half_a_memory_is_never_there(paths, keras_home, monkeypatch):
    def save_half(path, array):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", save_half)
    assert remembered("tests", paths, (1,), Counter([7])) == [7]
    assert list((keras_home / "keras_resnet").iterdir()) == []


def test_without_a_place_the_memory_is_in_that_of_keras(paths, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    remembered("tests", paths, (1,), Counter([7]))
    (file,) = (tmp_path / "home" / ".keras" / "keras_resnet").iterdir()
    assert file.name.startswith("tests-")


def test_what_cannot_be_remembered_is_computed_again(paths, keras_home):
    keras_home.write_text("no directory")
    compute = Counter([7])
    for _ in range(2):
        assert remembered("tests", paths, (1,), compute) == [7]
    assert compute.calls == 2


def test_missing_files_are_for_the_function_to_name(paths, keras_home):
    paths[0].unlink()
    compute = Counter([8])
    assert remembered("tests", paths, (1,), compute) == [8]
    assert not keras_home.exists()


def test_a_failure_is_not_remembered(paths):
    def fail():
        raise ValueError("no array")

    with pytest.raises(ValueError, match="no array"):
        remembered("tests", paths, (1,), fail)
    assert remembered("tests", paths, (1,), Counter([9])) == [9]
