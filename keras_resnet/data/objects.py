"""Pictures with objects: their boxes and classes, in arrays, and sources of such pictures."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.sources import Source, SourceView, hashed


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


class ObjectSource(SourceView):
    """Pictures of another source, each with its objects; its label is its row in their table.

    So do batches, subsets and copies of it know the objects, which are of different numbers.

    Args:
      pictures: `Source`, whose labels are not looked at.
      objects: `ObjectTable` of all of them.
      class_names: which the labels of the objects index.
    """

    def __init__(
        self, pictures: Source, objects: ObjectTable, class_names: tuple[str, ...]
    ) -> None:
        super().__init__(pictures, class_names)
        self.objects = objects
        # The rows.
        self.keeps_labels = True

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        images, _ = self._source.fetch(indices)
        return images, tf.cast(indices, tf.int64)

    def all_labels(self) -> np.ndarray:
        return np.arange(len(self))

    def fingerprint(self) -> str:
        table = table_of(self)
        arrays = (table.boxes, table.labels, table.is_ignored, table.splits)
        names = repr(self.class_names).encode()
        contents = [array.tobytes() for array in arrays]
        return hashed(self._source.fingerprint().encode(), names, *contents)


def objects_of(source: Source) -> ObjectTable:
    """The objects of the pictures of a source, in the order of the source.

    Raises:
      UserError: it does not know any.
    """
    return table_of(source).part(source.all_labels())


def table_of(source: Source) -> ObjectTable:
    """The table that the labels of a source are rows of.

    Raises:
      UserError: they are classes.
    """
    if source.objects is None:
        raise UserError(
            "A detector needs pictures with boxes. Received: pictures of one class each."
        )
    return source.objects
