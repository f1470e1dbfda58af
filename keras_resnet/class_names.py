"""Names of classes that a person reads, and what a network's probabilities say in them."""

import functools
import pathlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from keras_resnet.checks import UserError, check_integer

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
      UserError: there are not as many names as classes, or `top` is no such number.
    """
    check_integer("top", top, 1)
    probabilities = np.asarray(probabilities, np.float64)
    class_names = imagenet_synsets() if class_names is None else tuple(class_names)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(class_names):
        raise UserError(
            f"`probabilities` must have the shape [n, {len(class_names)}], a column for each of "
            f"`class_names` (by default ImageNet's). Received: {list(probabilities.shape)}"
        )
    names = readable(class_names)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        [(class_names[index], names[index], float(row[index])) for index in indices]
        for row, indices in zip(probabilities, order, strict=True)
    ]
