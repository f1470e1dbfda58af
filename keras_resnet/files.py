"""Files that are replaced whole, so that a reader or a kill never meets half."""

import contextlib
import errno
import hashlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

# A full disk, or a full share of one.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

# As `replacing` names them.
_UNFINISHED = re.compile(r"\..+-\d+\.\w+")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a name to write to; on success it takes the place of `path` in one step.

    The name has the suffix of `path`, since some writers insist on theirs.
    """
    path = pathlib.Path(path)
    unfinished = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        with full_disk_named(path):
            yield unfinished
            flush_to_disk(unfinished)
            os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def full_disk_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within the context an error over a full disk becomes one that says where, and what is free.

    Libraries raise it each in their words, often without a number or a path.

    Args:
      path: of what is written.
    """
    try:
        yield
    except OSError as error:
        number = error.errno
        if number not in _NO_ROOM:
            if os.strerror(errno.ENOSPC) not in str(error):
                raise
            number = errno.ENOSPC
        raise full_disk(path, number) from error


def full_disk(path: str | os.PathLike[str], number: int = errno.ENOSPC) -> OSError:
    """The error over a path that there is no room for, which says how much there is."""
    free = shutil.disk_usage(_existing(pathlib.Path(path))).free
    return OSError(number, f"{os.strerror(number)}, {free:,} bytes are free", os.fspath(path))


def _existing(path: pathlib.Path) -> pathlib.Path:
    """The path, or of its parents the first that is there."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def remove_unfinished(directory: str | os.PathLike[str]) -> None:
    """Removes what killed processes left of files that they were replacing."""
    for path in pathlib.Path(directory).iterdir():
        if _UNFINISHED.fullmatch(path.name) and path.is_file():
            path.unlink()


def digests(directory: str | os.PathLike[str]) -> dict[str, str]:
    """SHA-256 of each file below a directory, by its path there."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(directory).as_posix()] = digest
    return found


def flush_to_disk(path: str | os.PathLike[str]) -> None:
    """Makes what was written durable, so that a power cut after a rename does not leave nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
