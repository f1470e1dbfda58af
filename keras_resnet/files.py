"""Files that are replaced whole, so that a reader or a kill never meets half."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator

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
        yield unfinished
        flush_to_disk(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(directory: str | os.PathLike[str]) -> None:
    """Removes what killed processes left of files that they were replacing."""
    for path in pathlib.Path(directory).iterdir():
        if _UNFINISHED.fullmatch(path.name) and path.is_file():
            path.unlink()


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
