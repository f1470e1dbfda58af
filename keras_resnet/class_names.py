"""Names of classes that a person reads, and what a network's probabilities say in them."""

import functools
import pathlib
import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from keras_resnet.checks import UserError, check_integer, plain
from keras_resnet.texts import harmless

# A line for each class of ILSVRC2012 in the order of its labels: the WordNet id, and the name that
# torchvision gives it (0.29.1, torchvision/models/_meta.py).
_IMAGENET = pathlib.Path(__file__).parent / "imagenet_classes.txt"


@functools.cache
def _imagenet_names() -> dict[str, str]:
    lines = _IMAGENET.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def imagenet_synsets() -> tuple[str, ...]:
    """The 1000 classes of ImageNet (ILSVRC2012) by WordNet ids, in the order of their labels."""
    return tuple(_imagenet_names())


def readable(class_names: Iterable[str]) -> tuple[str, ...]:
    """The names as a person reads them: for WordNet ids of ImageNet the words, others unchanged."""
    return tuple(_imagenet_names().get(name, name) for name in class_names)


def as_class_names(class_names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes as a tuple of Python's strings, whatever holds them.

    Args:
      class_names: list, tuple, NumPy array, pandas index or another iterable, in order.

    Raises:
      UserError: it is something else, or not all of them are strings.
    """
    is_one = isinstance(class_names, str | bytes)
    names = None if is_one else plain(class_names)
    if is_one or not isinstance(names, Iterable):
        raise UserError(
            "`class_names` must be a list of strings, one for each class. "
            f"Received: class_names={class_names!r}"
        )
    names = tuple(plain(name) for name in names)
    for name in names:
        if not isinstance(name, str):
            way = "[name.decode() for name in class_names]"
            way = way if isinstance(name, bytes) else "[str(name) for name in class_names]"
            raise UserError(
                f"`class_names` must be strings: {way} makes them. Received: {name!r} among them"
            )
    return names


def check_finite(name: str, answers: np.ndarray) -> None:
    """Raises UserError unless what a network answers, [n, ...], is finite; names the first row."""
    finite = np.isfinite(answers).reshape(len(answers), -1).all(axis=1)
    if not finite.all():
        raise UserError(
            f"The {name} must be finite. Received: {np.count_nonzero(~finite)} of {len(finite)} "
            f"rows that are not, the first of them row {np.argmin(finite)}. A training that "
            "diverged leaves such a network, or its inputs or its dtype make it one."
        )


def as_seen(class_name: str) -> str:
    """A name by which it is compared: one that looks the same is the same (Unicode's form NFC).

    An accent is a part of its letter or a character of its own; macOS and zip files change it.
    """
    return unicodedata.normalize("NFC", class_name)


def check_lines(class_names: Iterable[str]) -> None:
    """Raises UserError unless each name is a line of UTF-8, as lists of them need it."""
    for class_name in class_names:
        if (
            "\0" in class_name
            or class_name.splitlines() not in ([], [class_name])
            # What of a name is no UTF-8 Python keeps as surrogates, which have no encoding.
            or class_name.encode(errors="ignore").decode() != class_name
        ):
            raise UserError(
                "`class_names` must be texts of one line. "
                f"Received: {class_name!r}. Rename the class."
            )


def labels(class_names: Iterable[str]) -> tuple[str, ...]:
    r"""The names as an export has them: readable, each in one line, and in control of no terminal.

    A trained network cannot rename its classes any more: what would break a line or control a
    terminal is escaped, as `\x1b`.
    """
    return tuple(map(harmless, readable(class_names)))


def decode_predictions(
    probabilities: npt.ArrayLike, top: int = 5, class_names: Iterable[str] | None = None
) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each picture, named.

    Example:
      keras_resnet.decode_predictions(model(images))[0][0]  # ("n02123045", "tabby", p)

    Args:
      probabilities: [n, classes], array or tensor.
      top: number of classes named for each picture, at least 1; no more than there are.
      class_names: names of the classes, such as `model.class_names`; None: the 1000 of ImageNet.

    Returns:
      For each picture a list of (class name, the same as a person reads it, probability), the most
      probable first, as `keras.applications` has it.

    Raises:
      UserError: there are not as many names as classes, `top` is no such number, or a probability
        is not finite.
    """
    top = check_integer("top", top, 1)
    probabilities = np.asarray(probabilities, np.float64)
    class_names = imagenet_synsets() if class_names is None else as_class_names(class_names)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(class_names):
        raise UserError(
            f"`probabilities` must have the shape [n, {len(class_names)}], a column for each of "
            "`class_names` (by default ImageNet's; of a network of yours: "
            f"class_names=model.class_names). Received: {list(probabilities.shape)}"
        )
    check_finite("probabilities", probabilities)
    names = readable(class_names)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        [(class_names[index], names[index], float(row[index])) for index in indices]
        for row, indices in zip(probabilities, order, strict=True)
    ]
