"""Sources of pictures of which more is known than one class each: boxes, or masks."""

from collections.abc import Iterable
from typing import Protocol, Self, TypeVar

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.sources import Source, SourceView, hashed


class Table(Protocol):
    """What is known of n pictures."""

    def __len__(self) -> int: ...

    def part(self, indices: np.ndarray) -> Self:
        """The table of some of the pictures, in their order."""

    def contents(self) -> Iterable[bytes]:
        """All of it, to know the same again."""


OfKind = TypeVar("OfKind", bound=Table)


class AnnotatedSource(SourceView):
    """Pictures of another source, each with what is known of it; its label is its row in a table.

    So do batches, subsets and copies of it know what may be of any size.

    Args:
      pictures: `Source`, whose labels are not looked at.
      table: of all of them.
      class_names: which the table refers to.
    """

    def __init__(self, pictures: Source, table: Table, class_names: tuple[str, ...]) -> None:
        super().__init__(pictures, class_names)
        self.table = table
        # The rows.
        self.keeps_labels = True

    def fetch(self, indices: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        images, _ = self._source.fetch(indices)
        return images, tf.cast(indices, tf.int64)

    def all_labels(self) -> np.ndarray:
        return np.arange(len(self))

    def fingerprint(self) -> str:
        assert self.table is not None
        names = repr(self.class_names).encode()
        return hashed(self._source.fingerprint().encode(), names, *self.table.contents())


def table_of(source: Source, kind: type[OfKind], expected: str) -> OfKind:
    """The table that the labels of a source are rows of.

    Args:
      source: `Source`.
      kind: of table.
      expected: who needs what, for the message.

    Raises:
      UserError: it has none of the kind.
    """
    if not isinstance(source.table, kind):
        given = "one class" if source.table is None else "other annotations"
        raise UserError(f"{expected}. Received: pictures of {given} each.")
    return source.table
