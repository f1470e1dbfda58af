"""What takes long to find out about files, remembered from one start of a program to the next.

It is kept in KERAS_HOME/keras_resnet, by default ~/.keras/keras_resnet, and may be deleted.
"""

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable

import numpy as np

from keras_resnet import files
from keras_resnet.process.keras_settings import keras_home


def remembered(
    subject: str,
    paths: Iterable[str | bytes | os.PathLike[str]],
    shape: tuple[int, ...],
    compute: Callable[[], np.ndarray],
) -> np.ndarray:
    """The array that a function computes from files, or where it did so before what it gave then.

    Args:
      subject: name of what the array is about.
      paths: of all files that it depends on. Where a path, a size or a time of change is another,
        nothing is remembered.
      shape: of the array, which is int64.
      compute: function without arguments. What it raises is passed on.

    Returns:
      int64 array of the shape.
    """
    digest = hashlib.sha256()
    try:
        for path in paths:
            status = os.stat(path)
            digest.update(os.fsencode(path))
            digest.update(f"\0{status.st_size} {status.st_mtime_ns}\n".encode())
    except FileNotFoundError:
        # It is for the function to say that a file is missing.
        return compute()
    directory = keras_home() / "keras_resnet"
    path = directory / f"{subject}-{digest.hexdigest()[:32]}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError, zipfile.BadZipFile):
        array = np.load(path)
        if isinstance(array, np.ndarray) and (array.shape, array.dtype) == (shape, np.int64):
            return array
    array = compute()
    # Where nothing can be remembered, the next start takes as long as this one.
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as unfinished:
            np.save(unfinished, array)
    return array
