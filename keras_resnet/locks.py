"""Locks between processes: the file system's, or where it has none, files with a heartbeat."""

import contextlib
import errno
import fcntl
import functools
import json
import os
import pathlib
import re
import socket
import sys
import threading
import time
from collections.abc import Mapping

# How file systems answer that have no locks: Lustre by default, some NFS, FUSE.
# (524 is the kernel's own ENOTSUPP, which some let through.)
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, 524}

BEAT_SECONDS = 5.0
# Without a beat for so long an owner on another machine is taken for dead.
DEAD_SECONDS = 60.0
# A beat is written over the one before, so that a full disk does not end it.
_CONTENT_BYTES = 512


class Lock:
    """A lock on a file or directory, which ends when it is closed, and with the process.

    A context, at whose end it is closed.

    Args:
      descriptor: of the open file or directory.
      is_held: False on a directory of a file system without locks.
    """

    def __init__(self, descriptor: int, is_held: bool = True) -> None:
        self._descriptor = descriptor
        self.is_held = is_held

    def close(self) -> None:
        """Ends it."""
        os.close(self._descriptor)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock(path: str | os.PathLike[str]) -> Lock | None:
    """The `Lock` on a file, which is made if missing, or a directory; None if another has it.

    Where the file system has no locks, which is said, a `.owner` file beside it stands in; whether
    an owner on another machine lives can then take `DEAD_SECONDS` to find out.

    Raises:
      OSError: the file cannot be opened or locked.
    """
    is_directory = os.path.isdir(path)
    descriptor = os.open(path, os.O_RDONLY if is_directory else os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(descriptor)
            what = f"It cannot be locked: {error.strerror}"
            raise OSError(error.errno, what, os.fspath(path)) from error
        if is_directory:
            return Lock(descriptor, is_held=False)
        _say_once(os.fspath(path), error.strerror)
        return _owned(pathlib.Path(path), descriptor)
    return Lock(descriptor)


@functools.cache
def _say_once(path: str, reason: str) -> None:
    print(
        f"The file system of {path!r} has no locks ({reason}): a file beside it says which process "
        "is at work.",
        flush=True,
    )


class _OwnerLock(Lock):
    """A lock that is a file, which says by a growing number that its owner lives.

    The files of successive owners are numbered. To make the next is one step, in which one process
    of several wins; so none is ever removed but by its successor.

    Args:
      descriptor: of the file that is locked.
      owner: path of this owner's file, which is empty.
    """

    def __init__(self, descriptor: int, owner: pathlib.Path) -> None:
        super().__init__(descriptor)
        self._owner = owner
        self._beats = 0
        self._closed = threading.Event()
        self._write(is_released=False)
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lock")
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._closed.set()
        self._thread.join(BEAT_SECONDS)
        with contextlib.suppress(OSError):
            self._write(is_released=True)
        super().close()

    def _write(self, is_released: bool) -> None:
        self._beats += 1
        content = {**_this_process(), "beats": self._beats, "is_released": is_released}
        descriptor = os.open(self._owner, os.O_WRONLY)
        try:
            os.write(descriptor, json.dumps(content).ljust(_CONTENT_BYTES).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError):
                if _newest(self._owner) == self._owner:
                    self._write(is_released=False)
                elif not self._closed.is_set():
                    self._end_process()

    def _end_process(self) -> None:
        """Two must not write to one place: this one was silent for long, as if it were dead."""
        print(
            f"\nNo sign of life in {str(self._owner)!r} for {DEAD_SECONDS:.0f} s: this process was "
            "stopped, or its disk did not answer. Another one has taken over, and it ends.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)


def _owned(path: pathlib.Path, descriptor: int) -> Lock | None:
    """The lock on an open file by files of owners; None if another process has it."""
    while True:
        newest = _newest(path)
        if newest is not None and _is_alive(newest):
            os.close(descriptor)
            print(f"{str(newest)!r} is of {_described(_read(newest))}, which is at work.")
            return None
        owner = path.with_name(f"{path.name}.owner{_number(newest) + 1}")
        try:
            os.close(os.open(owner, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue  # Another one was faster.
        try:
            lock = _OwnerLock(descriptor, owner)
        except OSError as error:  # A full disk: the one before stays as it is.
            owner.unlink(missing_ok=True)
            os.close(descriptor)
            raise OSError(error.errno, error.strerror, os.fspath(owner)) from error
        if newest is not None:
            newest.unlink(missing_ok=True)
        return lock


def _newest(path: pathlib.Path) -> pathlib.Path | None:
    """The file of the last owner of what is locked, found by its path or by that of any owner."""
    name = re.sub(r"\.owner\d+$", "", path.name)
    owners = [
        path.with_name(found)
        for found in os.listdir(path.parent)
        if re.fullmatch(rf"{re.escape(name)}\.owner\d+", found)
    ]
    return max(owners, key=_number, default=None)


def _number(owner: pathlib.Path | None) -> int:
    return 0 if owner is None else int(owner.name.rpartition(".owner")[2])


def _is_alive(owner: pathlib.Path) -> bool:
    """Whether the owner of a file has it still. Clocks of machines differ: it is watched."""
    first, deadline = _read(owner), time.monotonic() + DEAD_SECONDS
    is_said = False
    while time.monotonic() < deadline:
        content = _read(owner)
        if content.get("is_released") or not owner.exists():
            return False
        if content != first:
            return True
        if content.get("place") == _this_process()["place"]:
            return _started(content.get("process")) == content.get("started")
        if not is_said:
            print(
                f"{str(owner)!r} is of {_described(content)}. Waiting for a sign of life, "
                f"{DEAD_SECONDS:.0f} s at most.",
                flush=True,
            )
            is_said = True
        time.sleep(min(1.0, BEAT_SECONDS))
    return False


def _read(owner: pathlib.Path) -> dict[str, object]:
    """What a file of an owner says; nothing while it is being made, or if it is gone."""
    try:
        return dict(json.loads(owner.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _described(content: Mapping[str, object]) -> str:
    if not content:
        return "an unknown process"
    return f"process {content.get('process')} on {content.get('host')!r}"


def _started(process: object) -> str | None:
    """When a process of this machine started, by its own clock; None if it does not run."""
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    # The third field is the state, of which Z has ended, and the 22nd the start (proc(5)).
    return None if fields[0] == "Z" else fields[19]


def _this_process() -> dict[str, object]:
    """Whose lock it is: numbers of processes mean nothing in another container or machine."""
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    place = f"{boot} {os.readlink('/proc/self/ns/pid')}"
    started = _started(os.getpid())
    host = socket.gethostname()
    return {"host": host, "process": os.getpid(), "started": started, "place": place}
