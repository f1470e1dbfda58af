"""Average precision, as PASCAL VOC measures a detector."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Objects:
    """What is to be found in a picture.

    Attributes:
      boxes: float [n, 4], see `boxes`.
      labels: their classes, integers [n].
      is_difficult: those that count neither when found nor when missed, bool [n].
    """

    boxes: np.ndarray
    labels: np.ndarray
    is_difficult: np.ndarray


@dataclasses.dataclass(frozen=True)
class Detections:
    """What a detector has found in a picture.

    Attributes:
      boxes: float [n, 4], see `boxes`.
      labels: their classes, integers [n].
      scores: float [n].
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


@dataclasses.dataclass(frozen=True)
class Matches:
    """All detections, class by class, and of each class the best first, each with an object.

    That is the object of its class in its picture that it overlaps the most.

    Attributes:
      labels: of the detections, integers [n].
      places: of the object among those of all pictures, integers [n].
      overlaps: intersection over union with it, float64 [n]; -1 where there is none.
      objects: labels of all objects, integers [m].
      is_difficult: bool [m].
    """

    labels: np.ndarray
    places: np.ndarray
    overlaps: np.ndarray
    objects: np.ndarray
    is_difficult: np.ndarray


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [..., 4] and others, by broadcasting, float64 [...]."""
    boxes, others = boxes.astype(np.float64), others.astype(np.float64)
    corner = np.maximum(boxes[..., :2], others[..., :2])
    sides = np.minimum(boxes[..., 2:], others[..., 2:]) - corner
    intersection = np.maximum(sides, 0).prod(axis=-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(axis=-1) for each in (boxes, others)]
    return intersection / np.maximum(sum(areas) - intersection, np.finfo(float).tiny)


def matches(detections: Sequence[Detections], objects: Sequence[Objects]) -> Matches:
    """The `Matches` of the detections and the objects of each picture."""
    places, shared, start = [], [], 0
    for found, to_find in zip(detections, objects, strict=True):
        is_class = found.labels[:, np.newaxis] == to_find.labels
        of_pairs = np.where(is_class, overlaps(found.boxes[:, np.newaxis], to_find.boxes), -1)
        # Where a picture has no objects, there is still something to be the best of.
        of_pairs = np.append(of_pairs, np.full((len(of_pairs), 1), -1.0), axis=1)
        best = of_pairs.argmax(axis=1)
        places.append(start + best)
        shared.append(of_pairs[np.arange(len(best)), best])
        start += len(to_find.labels)
    labels = np.concatenate([each.labels for each in detections])
    # Of equal scores in the order of the pictures.
    order = np.lexsort([-np.concatenate([each.scores for each in detections]), labels])
    return Matches(
        labels[order],
        np.concatenate(places)[order],
        np.concatenate(shared)[order],
        np.concatenate([each.labels for each in objects]),
        np.concatenate([each.is_difficult for each in objects]),
    )


def hits(found: Matches, label: int, least_overlap: float) -> tuple[np.ndarray, int]:
    """Whether each detection of a class is right, best first, and how many objects there are.

    A detection is right if of all objects of the class it overlaps one the most, by enough, that no
    better detection has found. If that object is difficult it does not count.

    Args:
      found: `Matches`.
      label: the class.
      least_overlap: intersection over union, above 0.

    Returns:
      bool [n], and the number of objects that are not difficult.

    Source: Everingham et al., 2010 (PASCAL VOC), section 4.2, and the devkit's VOCevaldet.m.
    """
    of_class = slice(*np.searchsorted(found.labels, [label, label + 1]))
    places = found.places[of_class]
    is_near = found.overlaps[of_class] >= least_overlap
    # The first one that is near an object.
    right = np.zeros(len(places), bool)
    _, first = np.unique(places[is_near], return_index=True)
    right[np.flatnonzero(is_near)[first]] = True
    counts = ~is_near
    counts[is_near] = ~found.is_difficult[places[is_near]]
    number = np.count_nonzero((found.objects == label) & ~found.is_difficult)
    return right[counts], int(number)


def average_precision(right: np.ndarray, number: int, eleven_points: bool = False) -> float:
    """The mean precision over all recalls.

    Args:
      right: whether each detection is right, best first, bool [n].
      number: how many objects there are to find.
      eleven_points: over the recalls 0, 0.1, ... 1 alone, as VOC had it until 2009, instead of the
        area under the curve; the precision at a recall is the best at that one or a larger one.

    Returns:
      0 to 1; NaN where there is nothing to find.
    """
    if not number:
        return float("nan")
    true = np.cumsum(right)
    recalls = true / number
    # The best at this recall or a larger one.
    precisions = np.maximum.accumulate((true / np.arange(1, len(right) + 1))[::-1])[::-1]
    if not eleven_points:
        return float(np.sum(precisions * np.diff(recalls, prepend=0)))
    # Where 0.3 is 3 of 10, it must not be missed by rounding.
    reached = np.searchsorted(true * 10, np.arange(11) * number)
    return float(np.append(precisions, 0)[reached].mean())


def average_precisions(
    found: Matches, classes: int, least_overlap: float = 0.5, eleven_points: bool = False
) -> np.ndarray:
    """The `average_precision` of each class, float64 [classes]; NaN of classes without objects."""
    return np.array(
        [
            average_precision(*hits(found, label, least_overlap), eleven_points)
            for label in range(classes)
        ]
    )
