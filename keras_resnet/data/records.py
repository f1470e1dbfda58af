"""The records of a TensorFlow Datasets split on disk, read by index: ArrayRecord and TFRecord.

Both are shards: files of many records. ArrayRecord has an index of its own. Where the records of a
TFRecord begin is found by following the lengths between them, once, and remembered (see cache.py).
"""

import bisect
import concurrent.futures
import hashlib
import itertools
import os
import resource
import struct
import typing
from collections.abc import Callable, Iterable

import google_crc32c
import numpy as np
import tqdm
from array_record.python import array_record_module

from keras_resnet.checks import UserError
from keras_resnet.data import cache

# Threads that open shards; they mostly wait for the disk.
_THREADS = 16

# What the process may have open beside the shards.
_OTHER_OPEN_FILES = 256

# A TFRecord's record: length (8 bytes), its checksum (4), the bytes, their checksum (4).
LENGTH_BYTES = 8
CHECKSUM_BYTES = 4
HEADER_BYTES = LENGTH_BYTES + CHECKSUM_BYTES

# The end of an ArrayRecord file: the index, among others of how long each record is, padding up to
# a multiple of 64 kB, and 64 kB that say where the index begins.
_INDEX_BYTES = 2**18

_T = typing.TypeVar("_T")


class Shard(typing.Protocol):
    """A file of records, of which some may be left out."""

    filename: str | os.PathLike[str]
    skip: int
    take: int
    examples_in_shard: int


class Records:
    """Records by index; `len(records)` is their number.

    Args:
      shards: objects with `filename`, `skip` and `take` (the records of the file that belong to the
        split) and `examples_in_shard` (all records of the file), such as TFDS's file_instructions.
      partial: take files that lost records, which to read is then an error.

    Attributes:
      paths: of the files.

    Raises:
      UserError: a file is missing, or damaged, or holds another number of records.
    """

    # Each format has its own.
    _numbers: list[int]
    _read_record: Callable[[int, int], bytes]
    _contents: Callable[[int], bytes]

    def __init__(self, shards: Iterable[Shard], partial: bool = False) -> None:
        self._shards = list(shards)
        self._partial = partial
        self.paths = [os.fspath(shard.filename) for shard in self._shards]
        self._ends = list(itertools.accumulate(shard.take for shard in self._shards))
        for path in self.paths:
            if not os.path.isfile(path):
                raise UserError(
                    f"{path} is missing. Restore it, or prepare the data set again; --skip_corrupt "
                    "leaves out what is damaged, not whole files."
                )
        _allow_open_files(len(self.paths) + _OTHER_OPEN_FILES)

    def __len__(self) -> int:
        return self._ends[-1]

    def locate(self, index: int) -> tuple[str, int]:
        """The path of a record's file, and its position among the file's records."""
        shard, position = self._place(index)
        return self.paths[shard], position

    def read(self, indices: Iterable[int]) -> list[bytes]:
        """A list of the records (bytes) of some indices.

        Raises:
          OSError: a file cannot be read, or its bytes are damaged.
        """
        return [self._read_place(*self._place(index)) for index in indices]

    def fingerprint(self) -> str:
        """A short hash of the files' names, of the part of them in use and of what it contains."""
        digest = hashlib.sha256()
        contents = self._for_each_shard(self._contents, "Identifying the records")
        for path, shard, content in zip(self.paths, self._shards, contents, strict=True):
            digest.update(f"{os.path.basename(path)} {shard.skip} {shard.take}\n".encode())
            digest.update(content)
        return digest.hexdigest()[:16]

    def _read_place(self, shard: int, position: int) -> bytes:
        number = self._numbers[shard]
        if position >= number:
            expected = self._shards[shard].examples_in_shard
            raise OSError(f"lost: the file holds {number} intact records instead of {expected}")
        return self._read_record(shard, position)

    def _place(self, index: int) -> tuple[int, int]:
        """The number of a record's shard, and its position in the file."""
        number = bisect.bisect_right(self._ends, index)
        before = self._ends[number - 1] if number else 0
        return number, int(index) - before + self._shards[number].skip

    def _for_each_shard(self, function: Callable[[int], _T], description: str) -> list[_T]:
        """What a function gives for the number of each shard, called in threads."""
        numbers = range(len(self._shards))
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            results = pool.map(function, numbers)
            return list(tqdm.tqdm(results, description, len(numbers), leave=False, disable=None))

    def _check_number(self, shard: int, number: int) -> None:
        expected = self._shards[shard].examples_in_shard
        if number > expected or (number < expected and not self._partial):
            raise UserError(
                f"{self.paths[shard]} is damaged or of another data set: it holds {number} "
                f"intact records instead of {expected}. Restore it, or prepare the data set again"
                + (", or leave out what is lost with --skip_corrupt." if number < expected else ".")
            )


class ArrayRecords(Records):
    """The records of ArrayRecord files. One that is cut short loses its index, and all records."""

    def __init__(self, shards: Iterable[Shard], partial: bool = False) -> None:
        super().__init__(shards, partial)
        self._readers = self._for_each_shard(self._open, "Opening ArrayRecord files")
        self._numbers = [reader.num_records() for reader in self._readers]

    def _open(self, shard: int) -> array_record_module.ArrayRecordReader:
        reader = array_record_module.ArrayRecordReader(
            self.paths[shard],
            # Neighbours in a random order are not neighbours in the file.
            options="readahead_buffer_size:0",
            file_reader_buffer_size=2**15,
        )
        self._check_number(shard, reader.num_records())
        return reader

    def _read_record(self, shard: int, position: int) -> bytes:
        try:
            return self._readers[shard].read([position])[0]
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def _contents(self, shard: int) -> bytes:
        """The size and the index: a record that is replaced by one as long is not noticed."""
        with open(self.paths[shard], "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _INDEX_BYTES))
            return size.to_bytes(8) + hashlib.sha256(file.read()).digest()


class TFRecords(Records):
    """The records of TFRecord files."""

    def __init__(self, shards: Iterable[Shard], partial: bool = False) -> None:
        super().__init__(shards, partial)
        tables = self._load_tables()
        self._offsets = [table[:, 0] for table in tables]
        self._checksums = [table[1:, 1] for table in tables]
        self._numbers = [len(offsets) - 1 for offsets in self._offsets]
        # Open as long as the object lives.
        self._files = [open(path, "rb", buffering=0) for path in self.paths]  # noqa: SIM115

    def _load_tables(self) -> list[np.ndarray]:
        """The int64 table of each shard: 0, 0, then for each record its end and its checksum."""
        if self._partial:
            # What is damaged is not remembered: mended, it may look the same from outside.
            return self._scan_all()
        ends = np.cumsum([shard.examples_in_shard + 1 for shard in self._shards])
        shape = (int(ends[-1]), 2)
        table = cache.remembered(
            "offsets", self.paths, shape, lambda: np.concatenate(self._scan_all())
        )
        return np.split(table, ends[:-1])

    def _scan_all(self) -> list[np.ndarray]:
        return self._for_each_shard(self._scan, "Indexing TFRecord files")

    def _scan(self, shard: int) -> np.ndarray:
        """The table of one shard, as far as the lengths of its records are intact."""
        rows = [(0, 0)]
        with open(self.paths[shard], "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            header = os.pread(file.fileno(), HEADER_BYTES, 0)
            while len(header) == HEADER_BYTES:
                length = header[:LENGTH_BYTES]
                if header[LENGTH_BYTES:] != masked_checksum(length):
                    break
                end = rows[-1][0] + HEADER_BYTES + int.from_bytes(length, "little")
                end += CHECKSUM_BYTES
                if end > size:
                    break
                # The checksum of this record and the header of the next lie side by side.
                both = os.pread(file.fileno(), CHECKSUM_BYTES + HEADER_BYTES, end - CHECKSUM_BYTES)
                rows.append((end, int.from_bytes(both[:CHECKSUM_BYTES], "little")))
                header = both[CHECKSUM_BYTES:]
        self._check_number(shard, len(rows) - 1)
        return np.array(rows, np.int64)

    def _read_record(self, shard: int, position: int) -> bytes:
        start, end = self._offsets[shard][position : position + 2]
        start += HEADER_BYTES
        content = os.pread(self._files[shard].fileno(), int(end - start), start)
        if len(content) != end - start:
            raise OSError(f"{self.paths[shard]} was truncated while it was in use")
        record, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
        if masked_checksum(record) != checksum:
            raise OSError("the checksum of a record is wrong")
        return record

    def _contents(self, shard: int) -> bytes:
        """The checksums of the records in use."""
        skip, take = self._shards[shard].skip, self._shards[shard].take
        return self._checksums[shard][skip : skip + take].tobytes()


def masked_checksum(content: bytes) -> bytes:
    """The checksum that TFRecord files hold, 4 bytes: a CRC-32C, rotated and moved."""
    checksum = google_crc32c.value(content)
    return struct.pack("<I", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) % 2**32)


FORMATS = {"array_record": ArrayRecords, "tfrecord": TFRecords}


def _allow_open_files(number: int) -> None:
    """Raises the process's own limit of open files, which is often 1024, as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
