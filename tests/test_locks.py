import contextlib
import errno
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from harness import on_small_disk

from keras_resnet import locks

# The module alone, whose package would import TensorFlow, which holds a lock until its input ends;
# where it is told so, on a file system without locks, in whose place this machine has none.
PROGRAM = """
import fcntl, importlib.util, sys
path, place, beat = sys.argv[1:]
spec = importlib.util.spec_from_file_location("locks", path)
locks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(locks)
if beat:
    def refuse(*_): raise OSError(38, "Function not implemented")
    fcntl.flock = refuse
    locks.BEAT_SECONDS = float(beat)
lock = locks.lock(place)
print("refused" if lock is None else "held", flush=True)
sys.stdin.read()
if lock is not None: lock.close()
"""


@contextlib.contextmanager
def another_process(path, beat="", namespace=()):
    """A process that holds the lock on a path, or was refused; killed at the end of the context."""
    command = [*namespace, sys.executable, "-c", PROGRAM, locks.__file__, path, str(beat)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert "held" in (
                process.stdout.readline() + (process.stdout.readline() if beat else "")
            )
            yield process
        finally:
            process.kill()


@pytest.fixture
def no_flock(monkeypatch):
    """The answer of file systems without locks, of which there is none here; and quicker hearts."""

    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(locks, "DEAD_SECONDS", 1.0)


def test_a_lock_ends_with_its_process(tmp_path):
    with another_process(tmp_path / "lock") as process:
        assert locks.lock(tmp_path / "lock") is None
        process.kill()
        process.wait()
        with locks.lock(tmp_path / "lock") as lock:
            assert lock.is_held
            assert locks.lock(tmp_path / "lock") is None
        locks.lock(tmp_path / "lock").close()


@pytest.mark.parametrize("is_directory", [False, True])
def test_a_lock_leaves_what_it_is_on_as_it_is(tmp_path, is_directory):
    path = tmp_path if is_directory else tmp_path / "x.part"
    (tmp_path / "x.part").write_text("half")
    opened = len(os.listdir("/proc/self/fd"))
    with locks.lock(path):
        # Neither is what was refused kept open.
        assert locks.lock(path) is None
    assert (tmp_path / "x.part").read_text() == "half"
    assert len(os.listdir("/proc/self/fd")) == opened


# --- Without flock


def test_a_directory_has_no_lock_where_the_file_system_has_none(tmp_path, no_flock):
    with locks.lock(tmp_path) as first, locks.lock(tmp_path) as second:
        assert not first.is_held and not second.is_held


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF])
def test_a_file_says_who_is_at_work_where_there_are_no_locks(tmp_path, monkeypatch, capsys, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locks.lock(tmp_path / "lock") as lock:
        assert lock.is_held
        assert f"no locks ({os.strerror(number)})" in capsys.readouterr().out
        assert locks.lock(tmp_path / "lock") is None
    locks.lock(tmp_path / "lock").close()


def test_another_failure_is_no_lack_of_locks(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output"):
        locks.lock(tmp_path / "lock")
    assert len(os.listdir("/proc/self/fd")) == opened


@pytest.mark.usefixtures("no_flock")
def test_without_flock_a_process_that_was_killed_owns_nothing(tmp_path):
    with another_process(tmp_path / "lock", beat=60) as process:
        assert locks.lock(tmp_path / "lock") is None
        process.kill()
        process.wait()
        with locks.lock(tmp_path / "lock"):
            assert locks.lock(tmp_path / "lock") is None
            # That of the one before is gone.
            assert sorted(os.listdir(tmp_path)) == ["lock", "lock.owner2"]


# As another machine or container has them, whose processes cannot be seen from here.
ELSEWHERE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")


@pytest.mark.usefixtures("no_flock")
def test_an_owner_elsewhere_is_alive_while_its_heart_beats(tmp_path):
    with another_process(tmp_path / "lock", beat=0.2, namespace=ELSEWHERE):
        started = time.monotonic()
        assert locks.lock(tmp_path / "lock") is None
        assert time.monotonic() - started < locks.DEAD_SECONDS + 1


@pytest.mark.usefixtures("no_flock")
def test_an_owner_elsewhere_without_a_beat_is_taken_for_dead(tmp_path, capsys):
    with another_process(tmp_path / "lock", beat=60, namespace=ELSEWHERE) as process:
        started = time.monotonic()
        with locks.lock(tmp_path / "lock") as lock:
            assert lock.is_held
            assert time.monotonic() - started >= locks.DEAD_SECONDS
        assert "Waiting for a sign of life" in capsys.readouterr().out
        assert process.poll() is None


@pytest.mark.usefixtures("no_flock")
def test_an_owner_that_was_stopped_and_succeeded_ends(tmp_path):
    with another_process(tmp_path / "lock", beat=0.2, namespace=ELSEWHERE) as process:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        (child,) = map(int, children.read_text().split())
        os.kill(child, signal.SIGSTOP)
        time.sleep(0.5)
        with locks.lock(tmp_path / "lock"):
            os.kill(child, signal.SIGCONT)
            assert process.wait(10) == 1


@pytest.mark.usefixtures("no_flock")
def test_of_many_that_find_an_owner_dead_one_succeeds_it(tmp_path):
    dead = {"host": "elsewhere", "process": 1, "place": "elsewhere", "beats": 1}
    (tmp_path / "lock.owner7").write_text(json.dumps({**dead, "is_released": False}))
    program = PROGRAM.replace("lock = locks.lock", "locks.DEAD_SECONDS = 1.0; lock = locks.lock")
    command = [sys.executable, "-c", program, locks.__file__, tmp_path / "lock", "0.2"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(6)]
    try:
        answers = []
        for process in processes:
            while (line := process.stdout.readline().strip()) not in ("held", "refused"):
                assert line
            answers.append(line)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert sorted(answers) == ["held"] + 5 * ["refused"]
    assert [name for name in os.listdir(tmp_path) if "owner" in name] == ["lock.owner8"]


@pytest.mark.usefixtures("no_flock")
def test_a_number_that_another_process_has_now_is_not_the_owner(tmp_path):
    with another_process(tmp_path / "lock", beat=60) as process:
        process.kill()
        process.wait()
        (owner,) = tmp_path.glob("lock.owner*")
        # As where the system has given the number to another one.
        content = {**json.loads(owner.read_text()), "process": os.getpid()}
        owner.write_text(json.dumps(content))
        with locks.lock(tmp_path / "lock") as lock:
            assert lock.is_held


@pytest.mark.usefixtures("no_flock")
def test_an_owner_that_has_ended_and_was_not_waited_for_is_dead(tmp_path):
    with another_process(tmp_path / "lock", beat=60) as process:
        process.kill()
        # It stays in the system's list.
        status = pathlib.Path(f"/proc/{process.pid}/status")
        while "State:\tZ" not in status.read_text():
            time.sleep(0.01)
        with locks.lock(tmp_path / "lock") as lock:
            assert lock.is_held


@pytest.mark.usefixtures("no_flock")
@pytest.mark.parametrize("content", ["[1, 2]", "5", '{"place": "here"}', "half a"])
def test_an_owner_that_says_nothing_is_watched(tmp_path, content, capsys):
    (tmp_path / "lock.owner4").write_text(content)
    with locks.lock(tmp_path / "lock") as lock:
        assert lock.is_held
    assert "Waiting for a sign of life" in capsys.readouterr().out


FULL_DISK = """
import importlib.util, pathlib, sys
place = pathlib.Path(sys.argv[2])
spec = importlib.util.spec_from_file_location("locks", sys.argv[1])
locks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(locks)
def refuse(*_): raise OSError(38, "Function not implemented")
locks.fcntl.flock = refuse
(place / "lock").touch()
with open(place / "filler", "wb", buffering=0) as filler:
    try:
        while True: filler.write(bytes(4096))
    except OSError:
        pass
try:
    locks.lock(place / "lock")
except OSError as error:
    print(error)
print(sorted(path.name for path in place.iterdir()))
"""


def test_a_full_disk_names_the_file_and_leaves_none(tmp_path):
    (tmp_path / "program.py").write_text(FULL_DISK)
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, tmp_path / "program.py", locks.__file__, disk]
    process = on_small_disk(disk, "1m", command)
    assert process.returncode == 0, process.stderr
    _, said, names = process.stdout.splitlines()
    assert said.endswith(f"No space left on device: '{disk}/lock.owner1'")
    assert names == "['filler', 'lock']"


def test_the_tenth_owner_comes_after_the_ninth(tmp_path):
    # As where a process was killed between making its own file and removing the one before.
    for number in (2, 9, 10):
        (tmp_path / f"lock.owner{number}").touch()
    (tmp_path / "lock.owner11.part").touch()
    assert locks._newest(tmp_path / "lock") == tmp_path / "lock.owner10"
    assert locks._newest(tmp_path / "lock.owner9") == tmp_path / "lock.owner10"
    assert locks._newest(tmp_path / "other") is None
