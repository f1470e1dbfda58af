"""The objects of many pictures: their boxes and classes, in arrays."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True)
class ObjectTable:
    """The objects of n pictures, those of one picture together.

    Attributes:
      boxes: left, top, right and bottom edge of each, in pixels of the upright picture from its
        corner, float32 [objects, 4].
      labels: classes, int64 [objects].
      is_ignored: those that are neither to be learned nor to be found: difficult ones, and crowds,
        bool [objects].
      splits: where the objects of each picture begin, and the last ones end, int64 [n + 1].
    """

    boxes: np.ndarray
    labels: np.ndarray
    is_ignored: np.ndarray
    splits: np.ndarray

    def __len__(self) -> int:
        return len(self.splits) - 1

    @classmethod
    def of(
        cls,
        boxes: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        is_ignored: Sequence[np.ndarray] | None = None,
    ) -> Self:
        """The table of pictures that are given one by one."""
        if is_ignored is None:
            is_ignored = [np.zeros(len(each), bool) for each in labels]
        return cls(
            np.concatenate([np.empty((0, 4)), *boxes]).astype(np.float32),
            np.concatenate([np.empty(0, np.int64), *labels]),
            np.concatenate([np.empty(0, bool), *is_ignored]),
            np.cumsum([0, *(len(each) for each in labels)]),
        )

    def part(self, indices: np.ndarray) -> Self:
        """The table of some of the pictures, in their order."""
        rows = [slice(self.splits[index], self.splits[index + 1]) for index in indices]
        return type(self).of(
            [self.boxes[row] for row in rows],
            [self.labels[row] for row in rows],
            [self.is_ignored[row] for row in rows],
        )
