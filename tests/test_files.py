import contextlib
import errno
import os
import re
import shutil
import subprocess
import sys

import disk
import pytest

from keras_resnet import files

# The module alone, whose package would import TensorFlow: what it says, until its input ends.
PROGRAM = """
import runpy, sys
files = runpy.run_path(sys.argv[1])
with files[sys.argv[2]](sys.argv[3]) as given:
    print(given, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(function, path):
    """A process within a context of `files`, and what the context gave, printed."""
    command = [sys.executable, "-c", PROGRAM, files.__file__, function, path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "notes.txt"
    files.write_text(path, "first")
    with files.replacing(path) as unfinished:
        unfinished.write_text("second")
        assert path.read_text() == "first"
        assert unfinished.suffix == ".txt"
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "notes.txt"
    files.write_text(path, "first")
    calls = disk.recorded(monkeypatch)
    with pytest.raises(RuntimeError), files.replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]
    assert calls == []


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """A power cut after the rename would else leave a file of no bytes."""
    calls = disk.recorded(monkeypatch)
    path = tmp_path / "notes.txt"
    with files.replacing(path) as unfinished:
        unfinished.write_text("second")
    assert calls == [
        ("fsync", str(unfinished), len("second")),
        ("rename", str(unfinished), str(path)),
    ]


def test_directories_are_flushed_too(tmp_path, monkeypatch):
    calls = disk.recorded(monkeypatch)
    opened = len(os.listdir("/proc/self/fd"))
    files.flush_to_disk(tmp_path)
    assert calls == [("fsync", str(tmp_path), None)]
    assert len(os.listdir("/proc/self/fd")) == opened


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    files.write_text(tmp_path / "names.txt", "épagneul\n")
    assert (tmp_path / "names.txt").read_bytes() == b"\xc3\xa9pagneul\n"


def test_two_processes_that_replace_a_file_do_not_meet(tmp_path):
    path = tmp_path / "notes.txt"
    with another_process("replacing", path) as (_, theirs), files.replacing(path) as ours:
        assert os.path.dirname(theirs) == str(tmp_path) and theirs != str(ours)
        ours.write_text("ours")
    assert path.read_text() == "ours"


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    names = ["notes.txt", "notes-12.txt", ".notes.txt", ".lock", ".notes-12", ".notes-twelve.txt"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / ".run-12.d").mkdir()
    with another_process("replacing", tmp_path / "model.keras") as (process, unfinished):
        with open(unfinished, "x") as file:
            file.write("half")
        process.kill()
        process.wait()
    assert os.path.exists(unfinished)
    files.remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, ".run-12.d"])


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError("Can't write data (errno = 28, error message = 'No space left on device')"),
    ],
    ids=["of the system", "of a library"],
)
def test_a_full_disk_is_named_with_the_room_that_is_left(tmp_path, error):
    path = tmp_path / "notes.txt"
    message = r"No space left on device, [\d,]+ bytes are free"
    with pytest.raises(OSError, match=message) as raised, files.replacing(path):
        raise error
    assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(path)
    free = int(re.search(r"([\d,]+) bytes", raised.value.strerror)[1].replace(",", ""))
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_stay_as_they_are(tmp_path):
    error = OSError(errno.EACCES, "Permission denied", "secret")
    with pytest.raises(OSError) as raised, files.full_disk_named(tmp_path):
        raise error
    assert raised.value is error
    quota = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    place = tmp_path / "not" / "there"
    with pytest.raises(OSError, match="Disk quota exceeded, "), files.full_disk_named(place):
        raise quota
