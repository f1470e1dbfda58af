"""The pictures that a command line names: files, directories and patterns."""

import collections
import errno
import glob
import os
import pathlib
import stat
from collections.abc import Callable, Iterable

from keras_resnet.data.pictures import Found

# No export is asked about more, and reading must end.
MAX_FILE_BYTES = 2**28

# What this machine or a file server lacks for now: it is no fault of a file.
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT}

# A name, and in words why it stands for no picture; None: it does.
_Pairs = list[tuple[str, str | None]]


class UnreadableError(Exception):
    """A file cannot be read; the message says why in some words."""


def pictures_of(
    names: Iterable[str], found_below: Callable[[pathlib.Path], Found]
) -> tuple[dict[str, str | None], collections.Counter[str]]:
    """Names of the pictures that are meant, each once.

    Args:
      names: of files; of directories, for all pictures below; patterns such as photos/**/*.jpg.
      found_below: function of a directory, see `keras_resnet.data.pictures`.

    Returns:
      dict by name, in order: None, or in words why it stands for no picture; and how many files of
      the directories are none, by suffix.
    """
    found: dict[str, str | None] = {}
    seen: set[str] = set()
    left_out: collections.Counter[str] = collections.Counter()

    def pictures_below(directory: pathlib.Path) -> list[pathlib.Path]:
        below = found_below(directory)
        left_out.update(below.left_out)
        return below.pictures

    for name in names:
        for picture, fault in _meant(name, pictures_below):
            place = os.path.abspath(picture)
            if place not in seen:
                seen.add(place)
                found[picture] = fault
    return found, left_out


def _meant(name: str, pictures_below: Callable[[pathlib.Path], list[pathlib.Path]]) -> _Pairs:
    """Pairs of a name and a fault for one argument, of which there is at least one."""
    if os.path.lexists(name) or not glob.has_magic(name):
        return _at(name, pictures_below)
    matches = sorted(glob.glob(name, recursive=True))
    pairs = [pair for match in matches for pair in _at(match, pictures_below)]
    # Of directories that are matched some may well hold no picture.
    usable: _Pairs = [(picture, fault) for picture, fault in pairs if fault is None]
    return usable or [(name, "nothing matches" if not matches else "no picture matches")]


def _at(path: str, pictures_below: Callable[[pathlib.Path], list[pathlib.Path]]) -> _Pairs:
    """Such pairs for what is at a path."""
    if not os.path.isdir(path):
        return [(path, None)]  # If nothing is there, reading will say so.
    try:
        os.scandir(path).close()
        pictures = pictures_below(pathlib.Path(path))
    except OSError as error:
        return [(path, error.strerror)]
    pairs: _Pairs = [(os.fspath(picture), None) for picture in pictures]
    return pairs or [(path, "a directory without pictures")]


def content_of(path: str) -> bytes:
    """The bytes of a file.

    Raises:
      UnreadableError: it is missing, no regular file, or too large.
      OSError: the machine is short of something, or a file server does not answer.
    """
    try:
        about = regular_file(path)
        if about.st_size > MAX_FILE_BYTES:
            raise UnreadableError("too many bytes")
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise unreadable(error) from error


def regular_file(path: str) -> os.stat_result:
    """What `os.stat` says of a path that is safe to open; of a pipe that would wait.

    Raises:
      UnreadableError: it is a directory, or no regular file.
      OSError: nothing is there.
    """
    about = os.stat(path)
    if stat.S_ISDIR(about.st_mode):
        raise UnreadableError("Is a directory")
    if not stat.S_ISREG(about.st_mode):
        raise UnreadableError("not a regular file")
    return about


def unreadable(error: OSError) -> UnreadableError:
    """What is said of a file that cannot be read; a shortage of the machine is raised as it is."""
    if error.errno in _SHORTAGES:
        raise error
    return UnreadableError(error.strerror or str(error))
