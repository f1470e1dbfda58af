"""Which images of a source can be used, that is read and decoded, and what is wrong with others."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.checks import UserError
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.images.decoding import decode
from keras_resnet.texts import harmless

# Images that a message names.
LISTED = 20

# Characters of an error that are shown: some quote a whole record.
_REASON_LENGTH = 200

# Images at once in Python; they are checked one by one.
_CHECKED_AT_ONCE = 256


def pixels(source: Source, image: tf.Tensor) -> tf.Tensor:
    """The pixels of one of a source's images, decoded where it is stored encoded.

    Returns:
      uint8 [height, width, channels].

    Raises:
      tf.errors.InvalidArgumentError: the image does not decode, or not to its source's shape.
    """
    if image.dtype == tf.string:
        image = decode(image, source.channels)
    return tf.ensure_shape(image, [*(source.pixel_shape or (None, None)), source.channels])


def usable_images(
    source: Source, indices: Sequence[int] | np.ndarray, description: str
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the images that can be used by reading and decoding each once, in parallel.

    Args:
      source: `Source`.
      indices: of the images in question, integers [n].
      description: what the progress bar says.

    Returns:
      The indices of those that can be used, in order, and hashes of the bytes that they are stored
      as (0 where pixels are stored): int64 [m] each.
    """

    @tf.autograph.experimental.do_not_convert
    def checked(index: tf.Tensor) -> tuple[tf.Tensor | np.int64, ...]:
        image, label = source.example(index)
        encoded = image.dtype == tf.string
        content = tf.strings.to_hash_bucket_fast(image, 2**63 - 1) if encoded else np.int64(0)
        # Label and a pixel are results, or TensorFlow would prune away what checks them.
        return index, content, label, pixels(source, image)[0, 0, 0]

    intact = (
        tf.data.Dataset.from_tensor_slices(np.asarray(indices, np.int64))
        .map(checked, tf.data.AUTOTUNE)
        .ignore_errors()
        .batch(_CHECKED_AT_ONCE)
    )
    found = [(np.array([], np.int64),) * 2]
    with tqdm.tqdm(
        total=len(indices), desc=description, unit="image", leave=False, disable=None
    ) as progress:
        for usable, contents, *_ in intact.as_numpy_iterator():
            found.append((usable, contents))
            progress.update(len(usable))
    usable, contents = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return usable, contents


def without_corrupt(source: Source, description: str) -> Source:
    """The source without the images that cannot be used, which are counted and named in print.

    Args: as for `usable_images`.

    Raises:
      UserError: no image can be used.
    """
    usable, _ = usable_images(source, range(len(source)), description)
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
        usable, _ = usable_images(source, indices, "Looking for the fault")
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
    except tf.errors.OpError as error:
        # Of an error within a function what comes before tells of its lines.
        text = error.message.rpartition("\n\n")[2]
        text = re.sub(r"^(\{\{.*?\}\} )*| \[Op:\w+\].*", "", text)
        reason = next(iter(text.splitlines()), type(error).__name__).strip()
        # What is checked by `preprocessing.checked`.
        reason = re.sub(r"^assertion failed: \[(.*)\]$", r"\1", reason).replace("] [", " ")
        return harmless(reason[:_REASON_LENGTH])
    return "it could be read the second time"
