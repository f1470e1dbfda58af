"""From the results of a signature to answers, for each kind of network."""

import base64
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from keras_resnet.serving.answers import OK, Answer


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of network.

    Attributes:
      name: what it answers with.
      columns: names of the results of its signature, in the order of the function's arguments.
      batch_sizes: for which TensorFlow prepares, the largest last; batching.config lets no larger
        through.
      answer: from a row of them to an `Answer`; raises ValueError, TypeError, LookupError or
        OverflowError where the row is none.
    """

    name: str
    columns: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    answer: Callable[..., Answer]


def classified(
    status: str | bytes,
    classes: Iterable[int],
    labels: Iterable[str] | Iterable[bytes],
    probabilities: Sequence[float],
) -> Answer:
    """The `Answer` that a row of results of a classifier is."""
    status = _text(status)
    if status != OK:
        return Answer(status)
    classes = tuple(map(int, classes))
    if any(not 0 <= number < len(probabilities) for number in classes):
        raise ValueError(f"there are no classes {classes}")
    labels, chosen = tuple(map(_text, labels)), tuple(float(probabilities[n]) for n in classes)
    if len(labels) != len(classes) or not all(0 <= value <= 1 for value in chosen):
        raise ValueError(f"{labels} and {chosen} are no labels and probabilities of {classes}")
    return Answer(status, classes, labels, chosen)


def detected(
    status: str | bytes,
    count: int,
    classes: Sequence[int],
    labels: Sequence[str] | Sequence[bytes],
    scores: Sequence[float],
    boxes: Sequence[Sequence[float]],
) -> Answer:
    """The `Answer` that a row of results of a detector is."""
    status, count = _text(status), int(count)
    if status != OK:
        return Answer(status)
    if not all(0 <= count <= len(column) for column in (classes, labels, scores, boxes)):
        raise ValueError(f"it has not {count} objects")
    edges = [tuple(map(float, box)) for box in boxes[:count]]
    found = tuple(float(score) for score in scores[:count])
    if any(len(box) != 4 or not all(map(math.isfinite, box)) for box in edges):
        raise ValueError(f"{edges} are no boxes")
    if not all(0 <= score <= 1 for score in found):
        raise ValueError(f"{found} are no scores")
    names = tuple(map(_text, labels[:count]))
    return Answer(status, tuple(map(int, classes[:count])), names, found, tuple(edges))  # type: ignore[arg-type]


def _text(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    return text


def segmented(
    status: str | bytes,
    mask: bytes | Mapping[str, str],
    labels: Sequence[str] | Sequence[bytes],
    shares: Sequence[float],
) -> Answer:
    """The `Answer` that a row of results of a segmenter is."""
    status = _text(status)
    if status != OK:
        return Answer(status)
    if isinstance(mask, Mapping):
        # Over REST.
        mask = base64.b64decode(mask["b64"], validate=True)
    if not isinstance(mask, bytes) or not mask.startswith(_PNG):
        raise ValueError("its mask is no PNG")
    if len(labels) != len(shares) or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"{shares} are no shares of the pixels")
    order = sorted(range(len(shares)), key=lambda number: -shares[number])
    classes = tuple(number for number in order if shares[number] > 0)
    names = tuple(_text(labels[number]) for number in classes)
    return Answer(status, classes, names, tuple(float(shares[n]) for n in classes), mask=mask)


_PNG = b"\x89PNG"

CLASSES = Kind(
    "classes", ("status", "classes", "labels", "probabilities"), (1, 4, 8, 16, 32), classified
)
OBJECTS = Kind(
    "boxes", ("status", "count", "classes", "labels", "scores", "boxes"), (1, 2, 4), detected
)
MASKS = Kind("masks", ("status", "mask_bytes", "labels", "shares"), (1, 2, 4), segmented)
KINDS = (CLASSES, OBJECTS, MASKS)


def kind_of(results: Set[str]) -> Kind | None:
    """The kind of network whose signature gives results of some names."""
    return next((kind for kind in KINDS if results >= set(kind.columns)), None)
