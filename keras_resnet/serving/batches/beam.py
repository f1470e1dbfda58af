"""Predictions in a pipeline of Apache Beam, for those who have a cluster; rows as of `tables`.

    with beam.Pipeline(options=options) as pipeline:
        pipeline | ReadPictures(["/data/*.jpg"]) | Predict("exports/mine") | beam.Map(print)

A picture that cannot be used is a row. What is no fault of a picture, as of a server or a disk, is
raised, and the runner tries its bundle again.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems
from apache_beam.utils.shared import Shared

from keras_resnet.data.named_pictures import MAX_FILE_BYTES
from keras_resnet.data.record_files import is_record_file, tf_records_in
from keras_resnet.serving.batches.asking import asked
from keras_resnet.serving.batches.pictures import Picture, picture_of_record, pictures_of_file
from keras_resnet.serving.batches.tables import columns_of
from keras_resnet.serving.clients import connect
from keras_resnet.serving.clients.client import Client


class ReadPictures(beam.PTransform):
    """The pictures that patterns match, in files of their own and in files of records.

    Args:
      patterns: list of paths and patterns of Beam's file systems, in which * stands for no slash
        and no backslash; one that nothing matches is an error. ArrayRecord files must lie in the
        file system of each worker.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        self._patterns = patterns

    def expand(self, begin: Any) -> Any:
        """A `PCollection` of `Picture`s."""
        return (
            begin
            | beam.Create(self._patterns)
            | fileio.MatchAll(fileio.EmptyMatchTreatment.DISALLOW)
            # Beam encodes no text that stands for bytes which are no UTF-8.
            | beam.Map(lambda found: (os.fsencode(found.path), found.size_in_bytes))
            | beam.Distinct()
            | beam.FlatMapTuple(_pictures_at)
        )


def _pictures_at(encoded_path: bytes, size: int) -> Iterator[Picture]:
    """The pictures of a file, or what keeps it from being read."""
    path = os.fsdecode(encoded_path)
    if is_record_file(path) and ".array_record" in os.path.basename(path):
        yield from pictures_of_file(path)
        return
    try:
        file = FileSystems.open(path)
    except (FileNotFoundError, PermissionError) as error:
        yield Picture(path, fault=error.strerror)
        return
    with file:
        if is_record_file(path):
            for number, record in tf_records_in(file):
                yield picture_of_record(path, number, record)
        elif size > MAX_FILE_BYTES:
            yield Picture(path, fault="too many bytes")
        else:
            yield Picture(path, content=file.read())


class Predict(beam.PTransform):
    """What a network says of pictures: from pairs of a name and bytes, or `Picture`s, to rows.

    Rows are dicts by the columns of the kind of network, see `tables.columns_of`. A process loads
    the network once.

    Args:
      model: address of the network, that each worker can reach; see `addresses.ADDRESS_HELP`.
      batch_size: pictures that are asked about at once.
      least_score: of a detector's objects.
      options: other arguments of `clients.connect`.
    """

    def __init__(
        self, model: str, batch_size: int = 16, least_score: float = 0.5, **options: Any
    ) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._ask = _Ask(model, least_score, options)

    def expand(self, pictures: Any) -> Any:
        """A `PCollection` of rows."""
        size = self._batch_size
        return (
            pictures
            | beam.Map(_picture)
            | beam.BatchElements(min_batch_size=size, max_batch_size=size)
            | beam.ParDo(self._ask)
        )


def _picture(element: Picture | tuple[str, bytes]) -> Picture:
    return element if isinstance(element, Picture) else Picture(element[0], content=element[1])


@dataclasses.dataclass
class _Ask(beam.DoFn):
    """Asks about batches of pictures."""

    model: str
    least_score: float
    options: dict[str, Any]
    shared: Shared = dataclasses.field(default_factory=Shared)

    def setup(self) -> None:
        self._client: Client = self.shared.acquire(self._connect)

    def _connect(self) -> Client:
        return connect(self.model, **self.options)

    def process(self, batch: list[Picture]) -> Iterator[dict[str, Any]]:
        columns = columns_of(self._client.kind.name)
        for row in asked(self._client, batch, self.least_score):
            yield dict(zip(columns, row, strict=True))
