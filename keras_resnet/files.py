"""Files that are replaced whole, so that a reader or a kill never meets half of one."""

import contextlib
import os
import pathlib


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
