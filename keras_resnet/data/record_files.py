"""Pictures in files of records, which are read in order: nobody need know how many there are.

A TFRecord or ArrayRecord file holds a tf.train.Example for each picture, as TensorFlow Datasets and
others write them.
"""

import io
import itertools
import os
import re
from collections.abc import Iterator
from typing import BinaryIO

import google.protobuf.message
import tensorflow as tf
from array_record.python import array_record_module

from keras_resnet.data import named_pictures
from keras_resnet.data.named_pictures import UnreadableError, regular_file, unreadable
from keras_resnet.data.records import (
    CHECKSUM_BYTES,
    HEADER_BYTES,
    LENGTH_BYTES,
    masked_checksum,
)

# Those of ImageNet that TF-slim wrote are called train-00000-of-01024.
_SHARD, _SUFFIX = r"-\d+-of-\d+", r"\.(tfrecords?|tfrec|array_records?)"
_RECORD_FILE = re.compile(rf".*({_SUFFIX}|{_SUFFIX}{_SHARD}|{_SHARD})", re.DOTALL)

# As TF-slim and the Object Detection API call the bytes of a picture, and as TFDS does.
_PICTURE_KEYS = ("image/encoded", "image")
_NAME_KEYS = ("image/filename", "file_name", "filename")

# A length beyond is none, whatever its checksum says.
_MAX_RECORD_BYTES = 2**40

# A number, and the record, or why it cannot be read.
Records = Iterator[tuple[int, bytes | UnreadableError]]


def is_record_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a file of records, by its name."""
    return _RECORD_FILE.fullmatch(os.path.basename(path)) is not None


def records_of(path: str, first: int = 0, step: int = 1) -> Records:
    """Every so manieth record of a file, with its number.

    Args:
      path: of the file.
      first: number of the first that is given.
      step: from one to the next.

    Yields:
      A record, or an `UnreadableError` in its place. Behind a TFRecord's damaged length nothing can
      be found: then it is the last one. A file that has no records has an error for its first.

    Raises:
      UnreadableError: the file cannot be opened.
      OSError: the machine is short of something, or the disk fails.
    """
    try:
        regular_file(path)
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise unreadable(error) from error
    with file:
        if ".array_record" in os.path.basename(path):
            yield from _array_records(path, first, step)
            return
        try:
            yield from tf_records_in(file, first, step)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from error


def tf_records_in(file: BinaryIO, first: int = 0, step: int = 1) -> Records:
    """Those of an open TFRecord file; see `records_of`."""
    for number in itertools.count():
        is_wanted = number >= first and (number - first) % step == 0
        header = file.read(HEADER_BYTES)
        if not header and number > 0:
            return
        size = int.from_bytes(header[:LENGTH_BYTES], "little")
        is_intact = header[LENGTH_BYTES:] == masked_checksum(header[:LENGTH_BYTES])
        if not is_intact or size > _MAX_RECORD_BYTES:
            if is_wanted:
                fault = "no record begins here: the rest of the file is lost"
                yield number, UnreadableError(fault if header else "a file without records")
            return
        if not is_wanted:
            file.seek(size + CHECKSUM_BYTES, io.SEEK_CUR)
        elif size > named_pictures.MAX_FILE_BYTES:
            file.seek(size + CHECKSUM_BYTES, io.SEEK_CUR)
            yield number, UnreadableError("too many bytes")
        else:
            yield number, _checked(file.read(size), file.read(CHECKSUM_BYTES))


def _checked(record: bytes, checksum: bytes) -> bytes | UnreadableError:
    return record if masked_checksum(record) == checksum else UnreadableError("a damaged record")


def _array_records(path: str, first: int, step: int) -> Records:
    reader = array_record_module.ArrayRecordReader(path, options="readahead_buffer_size:0")
    number = reader.num_records()
    if number == 0 and first == 0:
        yield 0, UnreadableError("a file without records" if reader.ok() else "no ArrayRecord file")
    for position in range(first, number, step):
        try:
            yield position, reader.read([position])[0]
        except RuntimeError:
            yield position, UnreadableError("a damaged record")


def picture_of(record: bytes) -> tuple[bytes, str | None]:
    """The bytes of the picture in a record, and its name; None: it has none.

    Args:
      record: serialized tf.train.Example, which calls its picture image/encoded or image, and may
        call its name image/filename, file_name or filename.

    Raises:
      UnreadableError: there is none.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except google.protobuf.message.DecodeError:
        raise UnreadableError("the record is no tf.train.Example") from None

    def value_of(keys: tuple[str, ...]) -> bytes | None:
        values = (features[key].bytes_list.value for key in keys if key in features)
        return next((value[0] for value in values if len(value) == 1), None)

    picture, name = value_of(_PICTURE_KEYS), value_of(_NAME_KEYS)
    if picture is None:
        raise UnreadableError(f"the record has no picture called {' or '.join(_PICTURE_KEYS)}")
    return picture, None if name is None else os.fsdecode(name)
