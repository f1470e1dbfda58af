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


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box [4] and others [n, 4], float64 [n]."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    intersection = np.maximum(sides, 0).prod(axis=1)
    union = np.prod(box[2:] - box[:2]) + (others[:, 2:] - others[:, :2]).prod(axis=1) - intersection
    return intersection / np.maximum(union, np.finfo(float).tiny)


def hits(
    detections: Sequence[Detections], objects: Sequence[Objects], label: int, least_overlap: float
) -> tuple[np.ndarray, int]:
    """Whether each detection of a class is right, best first, and how many objects there are.

    A detection is right if of all objects of the class it overlaps one the most, by enough, that no
    better detection has found. If that object is difficult it does not count.

    Args:
      detections, objects: of each picture.
      label: the class.
      least_overlap: intersection over union.

    Returns:
      bool [n], and the number of objects that are not difficult.

    Source: Everingham et al., 2010 (PASCAL VOC), section 4.2, and the devkit's VOCevaldet.m.
    """
    found = [
        (score, picture, box)
        for picture, of_picture in enumerate(detections)
        for score, box, of_class in zip(
            of_picture.scores, of_picture.boxes, of_picture.labels, strict=True
        )
        if of_class == label
    ]
    # Of equal scores in the order of the pictures.
    found.sort(key=lambda each: -each[0])
    to_find = [
        (each.boxes[each.labels == label], each.is_difficult[each.labels == label])
        for each in objects
    ]
    is_taken = [np.zeros(len(boxes), bool) for boxes, _ in to_find]
    right = []
    for _, picture, box in found:
        boxes, is_difficult = to_find[picture]
        shared = overlaps(box, boxes)
        best = shared.argmax() if len(boxes) else None
        if best is None or shared[best] < least_overlap:
            right.append(False)
        elif not is_difficult[best]:
            right.append(not is_taken[picture][best])
            is_taken[picture][best] = True
    return np.array(right, bool), sum(int((~difficult).sum()) for _, difficult in to_find)


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
    detections: Sequence[Detections],
    objects: Sequence[Objects],
    classes: int,
    least_overlap: float = 0.5,
    eleven_points: bool = False,
) -> np.ndarray:
    """The `average_precision` of each class, float64 [classes]; NaN of classes without objects."""
    return np.array(
        [
            average_precision(*hits(detections, objects, label, least_overlap), eleven_points)
            for label in range(classes)
        ]
    )
