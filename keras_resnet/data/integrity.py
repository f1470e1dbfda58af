"""Which images of a source can be used, that is read and decoded, and what is wrong with others."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.data.survey import pixels, survey
from keras_resnet.texts import harmless

# Images that a message names.
LISTED = 20

# Characters of an error that are shown: some quote a whole record.
_REASON_LENGTH = 200


def without_corrupt(source: Source, description: str) -> Source:
    """The source without the images that cannot be used, which are counted and named in print.

    Args: as for `survey`.

    Raises:
      UserError: no image can be used.
    """
    usable = survey(source, range(len(source)), description).indices
    if len(usable) == len(source):
        return source
    message = complaint(source, usable, "images cannot be used")
    if not len(usable):
        raise UserError(f"{message}\nRestore the data, or prepare them again.")
    print(f"Skipped: {message}")
    return SubsetSource(source, usable)


def complaint(source: Source, usable: Sequence[int] | np.ndarray, fault: str) -> str:
    """How many images of a source cannot be used, which, and why, as text.

    Args:
      source: `Source`.
      usable: indices of those that can be used.
      fault: what is to be said of the others after their number.
    """
    unusable = np.setdiff1d(np.arange(len(source)), usable)
    lines = [f"{len(unusable)} of {len(source)} {fault}:"]
    for index in unusable[:LISTED].tolist():
        lines.append(f"  {harmless(source.describe(index))}: {_fault(source, index)}")
    if len(unusable) > LISTED:
        lines.append(f"  and {len(unusable) - LISTED} more")
    return "\n".join(lines)


@contextlib.contextmanager
def faults_named(source: Source, indices: Iterable[int]) -> Iterator[None]:
    """Turns TensorFlow's error over an image that cannot be read into one that names the image.

    TensorFlow's does not know which image it was. So each is read again, alone.

    Args:
      source: `Source` that is read within the context.
      indices: iterable of the indices that are read.

    Raises:
      UserError: one of the images cannot be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        indices = np.fromiter(indices, np.int64)
        usable = survey(source, indices, "Looking for the fault").indices
        for index in np.setdiff1d(indices, usable).tolist():
            raise UserError(
                f"{harmless(source.describe(index))} cannot be used: {_fault(source, index)}\n"
                "Restore the data, or prepare them again, or leave out what is corrupt with "
                "--skip_corrupt."
            ) from error
        raise


def _fault(source: Source, index: int) -> str:
    """Why an image cannot be used, in one line without TensorFlow's words around it."""
    try:
        pixels(source, source.example(index)[0])
    except UnicodeDecodeError:
        # TensorFlow's error quotes the path.
        return "it cannot be read"
    except tf.errors.OpError as error:
        # Of an error within a function what comes before tells of its lines.
        text = error.message.rpartition("\n\n")[2]
        text = re.sub(r"^(\{\{.*?\}\} )*| \[Op:\w+\].*", "", text)
        reason = next(iter(text.splitlines()), type(error).__name__).strip()
        # What is checked by `preprocessing.checked`.
        reason = re.sub(r"^assertion failed: \[(.*)\]$", r"\1", reason).replace("] [", " ")
        return harmless(reason[:_REASON_LENGTH])
    return "it could be read the second time"
