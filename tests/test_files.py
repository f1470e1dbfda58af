import subprocess
import sys

import pytest

from keras_resnet import files


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "notes.txt"
    files.write_text(path, "first")
    with files.replacing(path) as unfinished:
        unfinished.write_text("second")
        assert path.read_text() == "first"
        assert unfinished.suffix == ".txt"
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "notes.txt"
    files.write_text(path, "first")
    with pytest.raises(RuntimeError), files.replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_ends_with_its_process(tmp_path):
    program = (
        "import sys, keras_resnet.files as files; kept = files.lock(sys.argv[1]); "
        "print(kept is not None, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, tmp_path / "lock"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **pipes)
    assert process.stdout.readline() == "True\n"
    assert files.lock(tmp_path / "lock") is None
    process.kill()
    process.communicate()
    with files.lock(tmp_path / "lock"):
        assert files.lock(tmp_path / "lock") is None
    files.lock(tmp_path / "lock").close()
