"""The pictures of a shard, one after the other: files of their own, or records of files."""

import dataclasses
from collections.abc import Iterator, Mapping

from keras_resnet.data.named_pictures import UnreadableError, content_of
from keras_resnet.data.record_files import is_record_file, picture_of, records_of
from keras_resnet.serving.batches.options import Shard


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is asked about.

    Attributes:
      file: path of its file, or of the file of records that it is in.
      record: number of its record; None: it has a file of its own, or stands for the file.
      name: what its record calls it; None: it has no name there.
      content: its bytes; None: they are not read.
      fault: why they cannot be, in words; None: nothing is known against it.
    """

    file: str
    record: int | None = None
    name: str | None = None
    content: bytes | None = None
    fault: str | None = None

    def read(self) -> "Picture":
        """The same with its content, or with its fault."""
        if self.content is not None or self.fault is not None:
            return self
        try:
            return dataclasses.replace(self, content=content_of(self.file))
        except UnreadableError as error:
            return dataclasses.replace(self, fault=str(error))


def pictures_of_shard(
    listing: Mapping[str, str | None], shard: Shard, last: Picture | None = None
) -> Iterator[Picture]:
    """The pictures of a shard: of the k-th file of the listing record r is of shard (k + r) mod n.

    So nobody need know how many records a file has. A picture with a file of its own counts as its
    record 0.

    Args:
      listing: of files, by name why one stands for no picture; see `named_pictures.pictures_of`.
      shard: `Shard`.
      last: the picture of the shard after which to begin; None: with the first.
    """
    is_due = last is None
    for place, (file, fault) in enumerate(listing.items()):
        first = (shard.index - place) % shard.number
        if last is not None and not is_due:
            is_due = file == last.file
            if not is_due or last.record is None:
                continue
            first = last.record + shard.number
        if fault is None and is_record_file(file):
            yield from pictures_of_file(file, first, shard.number)
        elif first == 0:
            yield Picture(file, fault=fault)


def pictures_of_file(file: str, first: int = 0, step: int = 1) -> Iterator[Picture]:
    """The pictures of a file of records; arguments of `record_files.records_of`."""
    try:
        for number, record in records_of(file, first, step):
            yield picture_of_record(file, number, record)
    except UnreadableError as error:
        # Of the shards the one of its first record says so, and whoever has read records of it.
        if first == 0 or first >= step:
            yield Picture(file, fault=str(error))


def picture_of_record(file: str, number: int, record: bytes | UnreadableError) -> Picture:
    """The picture that a record holds, or the fault for which it holds none."""
    try:
        if isinstance(record, UnreadableError):
            raise record
        content, name = picture_of(record)
    except UnreadableError as error:
        return Picture(file, number, fault=str(error))
    return Picture(file, number, name, content)
