"""The pictures that a command line names: files, directories and patterns."""

import collections
import glob
import os
import pathlib
import stat

# No export is asked about more, and reading must end.
MAX_FILE_BYTES = 2**28


class UnreadableError(Exception):
    """A file cannot be read; the message says why in some words."""


def pictures_of(names, found_below):
    """Names of the pictures that are meant, each once.

    Args:
      names: of files; of directories, for all pictures below; patterns such as photos/**/*.jpg.
      found_below: function of a directory, see `keras_resnet.data.pictures`.

    Returns:
      dict by name, in order: None, or in words why it stands for no picture; and how many files of
      the directories are none, by suffix.
    """
    found, seen, left_out = {}, set(), collections.Counter()

    def pictures_below(directory):
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


def _meant(name, pictures_below):
    """Pairs of a name and a fault for one argument, of which there is at least one."""
    if os.path.lexists(name) or not glob.has_magic(name):
        return _at(name, pictures_below)
    matches = sorted(glob.glob(name, recursive=True))
    pairs = [pair for match in matches for pair in _at(match, pictures_below)]
    # Of directories that are matched some may well hold no picture.
    usable = [(picture, fault) for picture, fault in pairs if fault is None]
    return usable or [(name, "nothing matches" if not matches else "no picture matches")]


def _at(path, pictures_below):
    """Such pairs for what is at a path."""
    if not os.path.isdir(path):
        return [(path, None)]  # If nothing is there, reading will say so.
    try:
        os.scandir(path).close()
        pictures = [os.fspath(picture) for picture in pictures_below(pathlib.Path(path))]
    except OSError as error:
        return [(path, error.strerror)]
    return [(picture, None) for picture in pictures] or [(path, "a directory without pictures")]


def content_of(path):
    """The bytes of a file.

    Raises:
      UnreadableError: it is missing, no regular file, or too large.
    """
    try:
        # To open a pipe would wait for its other end.
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            raise UnreadableError("Is a directory")
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableError("not a regular file")
        if about.st_size > MAX_FILE_BYTES:
            raise UnreadableError("too many bytes")
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
