"""The metrics of a run: lines of JSON in metrics.jsonl, and the same for TensorBoard in events/."""

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Collection, Iterator
from typing import Any

import tensorflow as tf

from keras_resnet import files
from keras_resnet.checks import UserError
from keras_resnet.texts import harmless

# Characters of TensorFlow's error that are shown.
_REASON_LENGTH = 300

SPLITS = ("train", "validation")


class Metrics:
    """Writes the metrics of one run.

    Args:
      directory: of the run; nothing is written before `rewind`.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._path = directory / "metrics.jsonl"
        self._events: dict[str, Any] = {}

    def read(self) -> list[dict[str, Any]]:
        """The lines as dicts; see `read_metrics`."""
        return read_metrics(self._directory)

    def rewind(self, num_rows: int) -> int:
        """Forgets the metrics after a number of lines, which the resumed run will write again.

        Returns:
          How many lines there are now: as many, unless some were lost.
        """
        rows = self.read()[:num_rows]
        if len(rows) < num_rows:
            print(f"{harmless(str(self._path))} has lost {num_rows - len(rows)} lines.")
        files.write_text(self._path, "".join(json.dumps(row) + "\n" for row in rows))
        with self._event_failures_noted():
            self._open_events()
            for row in rows:
                self._write_event(row)
        return len(rows)

    def add(self, row: dict[str, Any]) -> None:
        """Appends one line: `step`, `split` ("train" or "validation") and numbers."""
        with files.full_disk_named(self._path), open(self._path, "a") as file:
            file.write(json.dumps(row) + "\n")
        with self._event_failures_noted():
            self._write_event(row)

    def _open_events(self) -> None:
        """Begins events/ anew."""
        directory = self._directory / "events"
        shutil.rmtree(directory, ignore_errors=True)
        self._events = {
            split: tf.summary.create_file_writer(str(directory / split)) for split in SPLITS
        }

    def _write_event(self, row: dict[str, Any]) -> None:
        writer = self._events.get(row["split"])
        if writer is None:
            return
        with writer.as_default(step=row["step"]):
            for name, value in row.items():
                if name not in ("step", "split"):
                    tf.summary.scalar(name, value)

    @contextlib.contextmanager
    def _event_failures_noted(self) -> Iterator[None]:
        """Within the context a failure to write events is said, once: they are a copy."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            self._events = {}
            reason = harmless(" ".join(str(error).split())[:_REASON_LENGTH])
            print(
                "TensorBoard's copy of the metrics cannot be written, and the training goes on "
                f"without it; its next start writes it whole. ({reason})"
            )

    def sync(self) -> None:
        """Makes the lines durable: a checkpoint counts on them."""
        if self._path.exists():
            files.flush_to_disk(self._path)


def read_metrics(
    run_dir: str | os.PathLike[str], needed: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl of a run as dicts; a half-written last line is left out.

    Args:
      run_dir: its directory.
      needed: names of numbers, beside the step, that each line must have.

    Raises:
      UserError: the file is damaged.
    """
    path = pathlib.Path(run_dir) / "metrics.jsonl"
    if not path.exists():
        return []
    content = path.read_bytes()
    rows = []
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            rows.append(None)
        if not _is_row(rows[-1], needed):
            raise UserError(
                f"{path} is damaged: line {number} is no row of metrics. Remove that line."
            )
    return rows


def _is_row(row: Any, needed: Collection[str]) -> bool:
    """Whether JSON values are a line of metrics: a split, and numbers, the needed ones too."""
    return (
        isinstance(row, dict)
        and row.get("split") in SPLITS
        and isinstance(row.get("step"), int)
        and row.keys() >= set(needed)
        and all(isinstance(row[name], int | float) for name in row.keys() - {"split"})
    )
