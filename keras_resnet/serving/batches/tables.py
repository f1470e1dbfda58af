"""Predictions as rows of a table, the same in CSV and in Parquet: one for each picture.

`COLUMNS` are of every table, then come those of the kind of network, each a list with an entry for
each class or object, the most probable first; empty for a picture that cannot be used. In CSV a
list is JSON. Texts are `texts.lossless`: names with line breaks or bytes that are no UTF-8 stay in
one line, and none is lost.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.serving.answers import Answer
from keras_resnet.serving.batches.pictures import Picture
from keras_resnet.texts import lossless, original

COLUMNS = ("file", "record", "name", "status")
_OF_KINDS = {
    "classes": ("labels", "classes", "probabilities"),
    "boxes": ("labels", "classes", "scores", "boxes"),
    "masks": ("labels", "classes", "shares"),
}

# A value for each column.
Row = tuple[Any, ...]


def columns_of(kind: str) -> tuple[str, ...]:
    """The columns of a kind of network, see `results.Kind`."""
    return (*COLUMNS, *_OF_KINDS[kind])


def row_of(kind: str, picture: Picture, answer: Answer, least_score: float) -> Row:
    """The row of a picture.

    Args:
      kind: of the network.
      picture: `Picture`.
      answer: about it.
      least_score: of a detector's objects, see `Answer.at_least`.
    """
    answer = answer.at_least(least_score)
    name = None if picture.name is None else lossless(picture.name)
    lists = (answer.labels, answer.classes, map(_single, answer.probabilities))
    boxes = [[list(map(_single, box)) for box in answer.boxes or ()]] if kind == "boxes" else []
    about = lossless(picture.file), picture.record, name, lossless(answer.status)
    return (*about, *map(list, lists), *boxes)


def _single(value: float) -> float:
    """The shortest number that is the same in single precision, in which networks answer."""
    return float(str(np.float32(value)))


class Seen(NamedTuple):
    """What a table says of a picture without what the network says."""

    picture: Picture
    status: str


def in_csv(row: Row) -> str:
    """A row, or the names of the columns, as a line of CSV."""
    line = io.StringIO()
    cells = (json.dumps(value) if isinstance(value, list) else value for value in row)
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _write_csv(path: str | os.PathLike[str], kind: str, rows: Sequence[Row]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        for row in (columns_of(kind), *rows):
            file.write(f"{in_csv(row)}\n")


def _read_csv(path: str | os.PathLike[str]) -> Iterator[Sequence[Any]]:
    csv.field_size_limit(sys.maxsize)
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a line is cut")
    return ((file, int(record) if record else None, *others) for file, record, *others in rows)


def parquet_schema(kind: str) -> Any:
    """The `pyarrow.Schema` of the table of a kind of network."""
    import pyarrow as pa

    single = pa.list_(pa.float32())
    types = {
        **{"file": pa.string(), "record": pa.int64(), "name": pa.string(), "status": pa.string()},
        **{"labels": pa.list_(pa.string()), "classes": pa.list_(pa.int32())},
        **{"probabilities": single, "scores": single, "shares": single, "boxes": pa.list_(single)},
    }
    return pa.schema([(name, types[name]) for name in columns_of(kind)])


def _write_parquet(path: str | os.PathLike[str], kind: str, rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    schema = parquet_schema(kind)
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, type) for column, type in zip(columns, schema.types, strict=True)]
    with open(path, "wb") as file:
        pyarrow.parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), file)


def _read_parquet(path: str | os.PathLike[str]) -> Iterator[Sequence[Any]]:
    import pyarrow.parquet

    with open(path, "rb") as file:
        table = pyarrow.parquet.ParquetFile(file).read(list(COLUMNS))
    return zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)


class _Format(NamedTuple):
    write: Callable[[str | os.PathLike[str], str, Sequence[Row]], None]
    read: Callable[[str | os.PathLike[str]], Iterable[Sequence[Any]]]


_FORMATS = {
    "csv": _Format(_write_csv, _read_csv),
    "parquet": _Format(_write_parquet, _read_parquet),
}


def write(path: str | os.PathLike[str], file_format: str, kind: str, rows: Sequence[Row]) -> None:
    """Writes a table.

    Args:
      path: of the file.
      file_format: one of `options.FORMATS`.
      kind: of the network, see `results.Kind`.
      rows: of which there is at least one.
    """
    _FORMATS[file_format].write(path, kind, rows)


def seen(path: str | os.PathLike[str], file_format: str) -> list[Seen]:
    """What a table that was written is of.

    Raises:
      UserError: it is damaged.
    """
    try:
        return [
            Seen(Picture(original(file), record), status)
            for file, record, _, status, *_ in _FORMATS[file_format].read(path)
        ]
    except (ValueError, LookupError, csv.Error) as error:
        raise UserError(
            f"{os.fspath(path)} is damaged ({error}). Remove it, and those of the shard with "
            "higher numbers: what they are of is asked about again."
        ) from error
