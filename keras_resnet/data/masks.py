"""The masks of pictures: the class of each of their pixels."""

import dataclasses
import io
from collections.abc import Iterable
from typing import Self

import numpy as np
import PIL.Image

from keras_resnet.data import annotated
from keras_resnet.data.sources import Source


@dataclasses.dataclass(frozen=True)
class MaskTable:
    """The masks of n pictures.

    Attributes:
      pngs: of each a gray PNG of class ids, upright and as large as its picture, bytes [n].
      counts: pixels of each id, int64 [n, 256].
    """

    pngs: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.pngs)

    @classmethod
    def of(cls, masks: Iterable[bytes], counts: Iterable[np.ndarray]) -> Self:
        """The table of masks that are given one by one, see `encoded` and `counted`."""
        return cls(
            np.array([*masks, b""], object)[:-1], np.array([*counts], np.int64).reshape(-1, 256)
        )

    def part(self, indices: np.ndarray) -> Self:
        """The table of some of the pictures, in their order."""
        return type(self)(self.pngs[indices], self.counts[indices])

    def translated(self, ids: np.ndarray) -> Self:
        """The same masks with other ids.

        Args:
          ids: the new one of each, uint8 [256].
        """
        used = np.flatnonzero(self.counts.sum(axis=0))
        if (ids[used] == used).all():
            return self
        every = [ids[decoded(png)] for png in self.pngs]
        return type(self).of(map(encoded, every), map(counted, every))

    def contents(self) -> list[bytes]:
        """All masks, to know the same again."""
        return self.pngs.tolist()


def encoded(ids: np.ndarray) -> bytes:
    """The gray PNG of class ids, uint8 [height, width]."""
    content = io.BytesIO()
    PIL.Image.fromarray(ids).save(content, "PNG")
    return content.getvalue()


def decoded(png: bytes) -> np.ndarray:
    """The inverse of `encoded`."""
    return np.asarray(PIL.Image.open(io.BytesIO(png)))


def counted(ids: np.ndarray) -> np.ndarray:
    """How many pixels have each id, int64 [256]."""
    return np.bincount(ids.ravel(), minlength=256)


def masks_of(source: Source) -> MaskTable:
    """The masks of the pictures of a source, in the order of the source.

    Raises:
      UserError: it does not know any.
    """
    return table_of(source).part(source.all_labels())


def table_of(source: Source) -> MaskTable:
    """The table that the labels of a source are rows of.

    Raises:
      UserError: they are not of masks.
    """
    return annotated.table_of(source, MaskTable, "A segmenter needs pictures with masks")
