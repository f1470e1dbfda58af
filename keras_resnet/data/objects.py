"""The objects of pictures: their boxes and classes, in arrays."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np

from keras_resnet.data import annotated
from keras_resnet.data.sources import Source


@dataclasses.dataclass(frozen=True)
class ObjectTable:
    """The objects of n pictures, those of one picture together.

    Attributes:
      boxes: left, top, right and bottom edge of each, in pixels of the upright picture from its
        corner, float32 [objects, 4].
      labels: classes, int64 [objects].
      is_ignored: those that are neither to be learned nor to be found: difficult ones, and crowds,
        bool [objects].
      areas: what each covers, in square pixels, of its outline where the annotations have one, else
        of its box: COCO tells small ones from large ones by it; float32 [objects].
      splits: where the objects of each picture begin, and the last ones end, int64 [n + 1].
    """

    boxes: np.ndarray
    labels: np.ndarray
    is_ignored: np.ndarray
    areas: np.ndarray
    splits: np.ndarray

    def __len__(self) -> int:
        return len(self.splits) - 1

    @classmethod
    def of(
        cls,
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        is_ignored: Sequence[np.ndarray] | None = None,
        areas: Sequence[np.ndarray] | None = None,
    ) -> Self:
        """The table of pictures that are given one by one; areas are by default those of boxes."""
        if is_ignored is None:
            is_ignored = [np.zeros(len(each), bool) for each in labels]
        if areas is None:
            areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in boxes]
        return cls(
            np.concatenate([np.empty((0, 4)), *boxes]).astype(np.float32),
            np.concatenate([np.empty(0, np.int64), *labels]),
            np.concatenate([np.empty(0, bool), *is_ignored]),
            np.concatenate([np.empty(0), *areas]).astype(np.float32),
            np.cumsum([0, *(len(each) for each in labels)]),
        )

    def part(self, indices: np.ndarray) -> Self:
        """The table of some of the pictures, in their order."""
        rows = [slice(self.splits[index], self.splits[index + 1]) for index in indices]
        columns = self.boxes, self.labels, self.is_ignored, self.areas
        return type(self).of(*([column[row] for row in rows] for column in columns))

    def contents(self) -> list[bytes]:
        """All of it but for the areas, to know the same again."""
        columns = self.boxes, self.labels, self.is_ignored, self.splits
        return [column.tobytes() for column in columns]


def objects_of(source: Source) -> ObjectTable:
    """The objects of the pictures of a source, in the order of the source.

    Raises:
      UserError: it does not know any.
    """
    return table_of(source).part(source.all_labels())


def table_of(source: Source) -> ObjectTable:
    """The table that the labels of a source are rows of.

    Raises:
      UserError: they are not of objects.
    """
    return annotated.table_of(source, ObjectTable, "Pictures with boxes are needed")
