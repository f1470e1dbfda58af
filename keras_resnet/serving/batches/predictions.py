"""Predictions of a shard of many pictures, in tables, over as many starts as it takes."""

import collections
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

import tqdm

from keras_resnet import files, locks
from keras_resnet.checks import UserError
from keras_resnet.data.record_files import is_record_file
from keras_resnet.serving.batches import asking, manifest
from keras_resnet.serving.batches.options import PART_ROWS, PART_SECONDS, Shard
from keras_resnet.serving.batches.parts import Parts
from keras_resnet.serving.batches.pictures import pictures_of_shard
from keras_resnet.serving.batches.tables import Row
from keras_resnet.serving.clients.client import Client


def write_predictions(
    client: Client,
    model: str,
    listing: Mapping[str, str | None],
    directory: str | os.PathLike[str],
    *,
    file_format: str = "csv",
    shard: Shard | None = None,
    batch_size: int = 16,
    part_rows: int = PART_ROWS,
    least_score: float = 0.5,
) -> collections.Counter[str]:
    """Writes what a network says of each picture of a shard, as a row of a table.

    After an end of any kind the same call goes on behind the last part that is complete.

    Args:
      client: of the network.
      model: its address.
      listing: of files of pictures or of records, see `pictures.pictures_of_shard`.
      directory: of the tables of all shards; it is made if missing.
      file_format: of the tables, see `options.FORMATS`.
      shard: whose pictures; None: there is one shard.
      batch_size: pictures that are asked about at once.
      part_rows: rows of a part at most.
      least_score: of a detector's objects.

    Returns:
      How many pictures of the shard have which status.

    Raises:
      UserError: the directory was begun with other pictures, another network or other options;
        another process is at work on the shard; or the network could not be asked.
      OSError: a table cannot be written.
    """
    shard = shard or Shard()
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # Whoever made the list named its directories in an order of his own.
    listing = dict(sorted(listing.items()))
    kind = client.kind.name
    about = {
        "model": manifest.fingerprint_of_model(model),
        "files": len(listing),
        "listing": manifest.fingerprint_of_listing(listing),
        "shards": shard.number,
        "format": file_format,
        **({"least_score": least_score} if kind == "boxes" else {}),
    }
    manifest.agree(directory, about)
    lock = locks.lock(directory / f"_shard-{shard}.lock")
    if lock is None:
        raise UserError(
            f"Another process is at work on shard {shard.index}/{shard.number} in {directory}."
        )
    with lock:
        parts = Parts(directory, shard, kind, file_format)
        pictures = pictures_of_shard(listing, shard, parts.last)
        rows = asking.rows_of(client, pictures, batch_size, least_score)
        progress = _progress(rows, parts, listing, shard)
        for part in _in_parts(progress, part_rows):
            path = parts.add(part)
            progress.write(f"{path}: {parts.statuses.total():,} pictures so far", file=sys.stderr)
        summary = {"parts": parts.number, "statuses": dict(parts.statuses)}
        files.write_text(directory / f"_done-{shard}.json", json.dumps(summary, indent=2) + "\n")
        files.flush_to_disk(directory)
        return parts.statuses


def _progress(
    rows: Iterable[Row], parts: Parts, listing: Mapping[str, str | None], shard: Shard
) -> "tqdm.tqdm[Row]":
    """The rows, counted on a terminal, with those that are there already."""
    has_records = any(map(is_record_file, listing))  # Nobody knows how many.
    total = None if has_records else len(range(shard.index, len(listing), shard.number))
    initial = parts.statuses.total()
    return tqdm.tqdm(rows, "Pictures", total, initial=initial, leave=False, disable=None)


def _in_parts(rows: Iterable[Row], most_rows: int) -> Iterator[list[Row]]:
    """The rows in parts, each of so many, or of what came within `PART_SECONDS`."""
    part: list[Row] = []
    deadline = time.monotonic() + PART_SECONDS
    for row in rows:
        part.append(row)
        if len(part) >= most_rows or time.monotonic() >= deadline:
            yield part
            part, deadline = [], time.monotonic() + PART_SECONDS
    if part:
        yield part
