"""The tables of a shard: numbered parts, each of which is there whole and for good, or not."""

import collections
import os
import pathlib
import re
from collections.abc import Sequence

from keras_resnet import files
from keras_resnet.checks import UserError
from keras_resnet.serving.batches import tables
from keras_resnet.serving.batches.options import Shard
from keras_resnet.serving.batches.pictures import Picture
from keras_resnet.serving.batches.tables import Row


class Parts:
    """The parts of a shard, taken up where the last one ends. Only one process may have them.

    Args:
      directory: of the tables of all shards.
      shard: `Shard`.
      kind: of the network, see `results.Kind`.
      file_format: see `options.FORMATS`.

    Attributes:
      number: of the parts that are complete.
      statuses: how many of their pictures have which.
      last: `Picture` at their end; None: there is none.

    Raises:
      UserError: one is missing, or damaged.
    """

    def __init__(self, directory: pathlib.Path, shard: Shard, kind: str, file_format: str) -> None:
        self._directory, self._kind, self._format = directory, kind, file_format
        self._name = f"predictions-{shard}"
        self.statuses: collections.Counter[str] = collections.Counter()
        self.last: Picture | None = None
        self._remove_unfinished()
        self.number = len(list(directory.glob(f"{self._name}-*")))
        for number in range(self.number):
            path = self._path(number)
            if not path.exists():
                raise UserError(
                    f"{path} is missing, of {self.number + 1} parts or more. Restore it, or remove "
                    "those of the shard with higher numbers: what they are of is asked about again."
                )
            for each in tables.seen(path, file_format):
                self.statuses[each.status] += 1
                self.last = each.picture

    def add(self, rows: Sequence[Row]) -> pathlib.Path:
        """Writes the next part, and returns its path."""
        path = self._path(self.number)
        with files.replacing(path) as unfinished:
            tables.write(unfinished, self._format, self._kind, rows)
        files.flush_to_disk(self._directory)
        self.number += 1
        self.statuses.update(row[tables.COLUMNS.index("status")] for row in rows)
        return path

    def _path(self, number: int) -> pathlib.Path:
        return self._directory / f"{self._name}-{number:06}.{self._format}"

    def _remove_unfinished(self) -> None:
        """Removes what a process that was killed left of a part; those of other shards live."""
        unfinished = re.compile(rf"\.{re.escape(self._name)}-.*")
        for name in filter(unfinished.fullmatch, os.listdir(self._directory)):
            (self._directory / name).unlink()
