"""The records of a TensorFlow Datasets split on disk, read by index: ArrayRecord and TFRecord.

Both are shards: files of many records. ArrayRecord has an index of its own. Where the records of a
TFRecord begin is found by following the lengths between them, once, and remembered in
KERAS_HOME/keras_resnet (by default ~/.keras/keras_resnet).
"""

import bisect
import concurrent.futures
import contextlib
import hashlib
import itertools
import os
import pathlib
import resource
import struct

import google_crc32c
import numpy as np
import tqdm
from array_record.python import array_record_module

from keras_resnet import files
from keras_resnet.checks import UserError

# Threads that open shards; they mostly wait for the disk.
_THREADS = 16

# What the process may have open beside the shards.
_OTHER_OPEN_FILES = 256

# A TFRecord's record: length (8 bytes), its checksum (4), the bytes, their checksum (4).
_TFRECORD_HEADER_BYTES = 12
_TFRECORD_FOOTER_BYTES = 4


class Records:
    """Records by index; `len(records)` is their number.

    Args:
      shards: objects with `filename`, `skip` and `take` (the records of the file that belong to the
        split) and `examples_in_shard` (all records of the file), such as TFDS's file_instructions.

    Raises:
      UserError: a file is missing or damaged, or holds another number of records.
    """

    def __init__(self, shards):
        self._shards = list(shards)
        self._paths = [os.fspath(shard.filename) for shard in self._shards]
        self._ends = list(itertools.accumulate(shard.take for shard in self._shards))
        for path in self._paths:
            if not os.path.isfile(path):
                raise UserError(f"{path} is missing. Restore it, or prepare the data set again.")
        _allow_open_files(len(self._paths) + _OTHER_OPEN_FILES)

    def __len__(self):
        return self._ends[-1]

    def locate(self, index):
        """The path of a record's file, and its position among the file's records."""
        shard, position = self._place(index)
        return self._paths[shard], position

    def read(self, indices):
        """A list of the records (bytes) of some indices.

        Raises:
          OSError: a file cannot be read, or its bytes are damaged.
        """
        return [self._read_record(*self._place(index)) for index in indices]

    def fingerprint(self):
        """A short hash of the names and sizes of the files and of the part of them in use."""
        parts = [
            f"{os.path.basename(path)} {os.path.getsize(path)} {shard.skip} {shard.take}"
            for path, shard in zip(self._paths, self._shards, strict=True)
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _place(self, index):
        """The number of a record's shard, and its position in the file."""
        number = bisect.bisect_right(self._ends, index)
        before = self._ends[number - 1] if number else 0
        return number, int(index) - before + self._shards[number].skip

    def _for_each_shard(self, function, description):
        """What a function gives for the number of each shard, called in threads."""
        numbers = range(len(self._shards))
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            results = pool.map(function, numbers)
            return list(tqdm.tqdm(results, description, len(numbers), leave=False, disable=None))

    def _check_number(self, shard, number):
        expected = self._shards[shard].examples_in_shard
        if number != expected:
            raise UserError(
                f"{self._paths[shard]} is damaged or of another data set: it holds {number} "
                f"intact records instead of {expected}. Restore it, or prepare the data set again."
            )


class ArrayRecords(Records):
    """The records of ArrayRecord files."""

    def __init__(self, shards):
        super().__init__(shards)
        self._readers = self._for_each_shard(self._open, "Opening ArrayRecord files")

    def _open(self, shard):
        reader = array_record_module.ArrayRecordReader(
            self._paths[shard],
            # Neighbours in a random order are not neighbours in the file.
            options="readahead_buffer_size:0",
            file_reader_buffer_size=2**15,
        )
        self._check_number(shard, reader.num_records())
        return reader

    def _read_record(self, shard, position):
        try:
            return self._readers[shard].read([position])[0]
        except RuntimeError as error:
            raise OSError(str(error)) from error


class TFRecords(Records):
    """The records of TFRecord files."""

    def __init__(self, shards):
        super().__init__(shards)
        self._offsets = self._load_offsets()
        # Open as long as the object lives.
        self._files = [open(path, "rb", buffering=0) for path in self._paths]  # noqa: SIM115

    def _load_offsets(self):
        """For each shard the offsets of its records and of its end, int64."""
        digest = hashlib.sha256()
        for path in self._paths:
            status = os.stat(path)
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        directory = (
            pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras_resnet"
        )
        cache = directory / f"offsets-{digest.hexdigest()[:32]}.npy"
        ends = np.cumsum([shard.examples_in_shard + 1 for shard in self._shards])
        try:
            offsets = np.load(cache)
        except (OSError, ValueError, EOFError):
            offsets = np.array([])
        if offsets.shape != (ends[-1],):
            offsets = np.concatenate(self._for_each_shard(self._scan, "Indexing TFRecord files"))
            # Where nothing can be remembered, the next start takes as long as this one.
            with contextlib.suppress(OSError):
                directory.mkdir(parents=True, exist_ok=True)
                with files.replacing(cache) as unfinished:
                    np.save(unfinished, offsets)
        return np.split(offsets, ends[:-1])

    def _scan(self, shard):
        size = os.path.getsize(self._paths[shard])
        offsets = [0]
        with open(self._paths[shard], "rb", buffering=0) as file:
            while offsets[-1] + _TFRECORD_HEADER_BYTES <= size:
                header = os.pread(file.fileno(), 8, offsets[-1])
                (length,) = struct.unpack("<Q", header)
                end = offsets[-1] + _TFRECORD_HEADER_BYTES + length + _TFRECORD_FOOTER_BYTES
                if end > size:
                    break
                offsets.append(end)
        self._check_number(shard, len(offsets) - 1)
        return np.array(offsets, np.int64)

    def _read_record(self, shard, position):
        start, end = self._offsets[shard][position : position + 2]
        start += _TFRECORD_HEADER_BYTES
        content = os.pread(self._files[shard].fileno(), int(end - start), start)
        if len(content) != end - start:
            raise OSError(f"{self._paths[shard]} was truncated while it was in use")
        record, footer = content[:-_TFRECORD_FOOTER_BYTES], content[-_TFRECORD_FOOTER_BYTES:]
        if struct.pack("<I", _masked_checksum(record)) != footer:
            raise OSError(f"{self._paths[shard]} is damaged: the checksum of a record is wrong")
        return record


def _masked_checksum(record):
    """The checksum that TFRecord files hold: a CRC-32C, rotated and moved."""
    checksum = google_crc32c.value(record)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) % 2**32


FORMATS = {"array_record": ArrayRecords, "tfrecord": TFRecords}


def _allow_open_files(number):
    """Raises the process's own limit of open files, which is often 1024, as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
