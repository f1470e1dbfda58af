"""Files that are replaced whole, so that a reader or a kill never meets half; and locks."""

import contextlib
import fcntl
import os
import pathlib
import re

# As `replacing` names them.
_UNFINISHED = re.compile(r"\..+-\d+\.\w+")


@contextlib.contextmanager
def replacing(path):
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


def remove_unfinished(directory):
    """Removes what killed processes left of files that they were replacing."""
    for path in pathlib.Path(directory).iterdir():
        if _UNFINISHED.fullmatch(path.name) and path.is_file():
            path.unlink()


def flush_to_disk(path):
    """Makes what was written durable, so that a power cut after a rename does not leave nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path, text):
    """Writes a text file, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text)


def lock(path):
    """The open file if this process alone has it locked from now on; None if another one has.

    The lock ends when the file is closed, and with the process, however that ends.
    """
    file = open(path, "w")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        # Some network file systems have no locks: then there is nothing to go by.
        pass
    return file
