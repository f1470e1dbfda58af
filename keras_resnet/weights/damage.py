"""What files of weights make libraries raise when they are damaged or made to do harm."""

import contextlib
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator

from keras_resnet.checks import UserError

_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def explained(path: str | os.PathLike[str], problem: str) -> Iterator[None]:
    """Turns every error over what is in a file into one that names it.

    Args:
      path: of the file.
      problem: what is then the matter with it, for the message.

    Raises:
      UserError: any error was raised within the context.
    """
    try:
        yield
    except _ERRORS as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} {problem}: {reason[:500]}") from error
