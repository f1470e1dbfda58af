"""The run directory: all that a training run leaves behind, and what lets it go on.

config.json       the configuration; another one is refused
data.json         what the data set was, the preprocessing, and the stride of initial weights
.lock             held by the process that trains
metrics.jsonl     a line for each log and each evaluation
events/           the same for TensorBoard
curves.png        the same as a picture
checkpoints/      see checkpoints.py
model.keras       the network at the last evaluation
best.keras        the network at the evaluation with the highest top-1
evaluation.json   the result of the last evaluation
"""

import json
import os
import pathlib
import shutil

import tensorflow as tf

from keras_resnet import files, plots
from keras_resnet.checks import UserError
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.runs import config as config_lib
from keras_resnet.weights.keras_files import keras_file, read_config
from keras_resnet.weights.local import WeightFile

SPLITS = ("train", "validation")


class RunDirectory:
    """One run's directory. Nothing is written before `begin`.

    A context: when it ends, another process may begin.

    Args:
      path: of the directory.
      config: `TrainConfig` of the run.

    Raises:
      UserError: the directory belongs to a run of another configuration or to something else, or
        cannot be written.
    """

    def __init__(self, path, config):
        self.path = pathlib.Path(path)
        self._config = config
        self._events = None
        self._lock = None
        if any(character in str(path) for character in "*?[]\\"):
            raise UserError(
                "`run_dir` must not contain any of *?[]\\, which TensorFlow takes for patterns "
                f"when it reads checkpoints. Received: run_dir={str(path)!r}"
            )
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise UserError(f"`run_dir` must be UTF-8. Received: run_dir={str(path)!r}") from error
        self._check_writable()
        if self._config_path.exists():
            self._check_same_config()
        # A hidden file may be what a kill left of the first config.json.
        elif any(not path.name.startswith(".") for path in self.path.glob("*")):
            raise UserError(
                f"`run_dir` must be empty or hold a run, with its config.json. "
                f"Received: run_dir={str(path)!r}, which holds other files and no config.json."
            )

    def begin(self):
        """Creates the directory, or takes it up again.

        Raises:
          UserError: another process trains in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = files.lock(self.path / ".lock")
        if self._lock is None:
            raise UserError(
                f"Another process trains in {self.path}. Wait for it, end it, or name another "
                "--run_dir."
            )
        files.remove_unfinished(self.path)
        files.write_text(self._config_path, self._config.to_json())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._lock is not None:
            self._lock.close()

    @property
    def _config_path(self):
        return self.path / "config.json"

    def _check_writable(self):
        """Finds out now, not after an hour of reading data."""
        existing = self.path
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise UserError(
                f"`run_dir` cannot be written: {existing} is "
                f"{'read-only' if existing.is_dir() else 'a file'}. "
                f"Received: run_dir={str(self.path)!r}"
            )

    def _check_same_config(self):
        earlier = load_config(self.path)
        changed = config_lib.differences(self._config, earlier)
        if changed:
            listing = ", ".join(
                f"{name}={getattr(earlier, name)!r} (now {getattr(self._config, name)!r})"
                for name in changed
            )
            raise UserError(
                f"{self.path} holds a run of another configuration: {listing}. Name another "
                "directory (--run_dir; of launch/paper.py: --output), or repeat the flags of that "
                "run to resume it."
            )

    @property
    def checkpoints(self):
        """Path of the directory of checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self):
        """Path of the saved network."""
        return self.path / "model.keras"

    # --- Data

    def read_setup(self, description):
        """What the first start of this run found out, or None if this is it.

        Args:
          description: JSON-serializable facts about the data set.

        Returns:
          dict of `preprocessing`, and of `bottleneck_stride`: that of the initial weights, else
          None.

        Raises:
          UserError: the data set is not the one that the run began with.
        """
        path = self.path / "data.json"
        if not path.exists():
            if any(self.checkpoints.glob("step-*")):
                raise UserError(
                    f"{path} is missing, which says what data the checkpoints beside it were "
                    "trained on. Restore it, or begin another run."
                )
            return None
        data = _read_json(path)
        for name, value in description.items():
            if data.get(name) != value:
                raise UserError(
                    f"The data set changed since the run in {self.path} began: {name} was "
                    f"{data.get(name)!r} and is {value!r}. Restore it, or name another --run_dir."
                )
        try:
            preprocessing = Preprocessing.from_json(data["preprocessing"])
        except (TypeError, KeyError, ValueError) as error:
            raise _damaged(path, error) from error
        return {
            "preprocessing": preprocessing,
            "bottleneck_stride": data.get("bottleneck_stride"),
        }

    def write_data(self, description, preprocessing, bottleneck_stride=None):
        """Remembers the data set, and what `read_setup` gives."""
        data = {
            **description,
            "preprocessing": preprocessing.to_json(),
            "bottleneck_stride": bottleneck_stride,
        }
        files.write_text(self.path / "data.json", json.dumps(data) + "\n")

    # --- Metrics

    def metrics(self):
        """The lines of metrics.jsonl as dicts."""
        return read_metrics(self.path)

    def rewind_metrics(self, num_rows):
        """Forgets the metrics after a number of lines, which the resumed run will write again.

        Returns:
          How many lines there are now: as many, unless some were lost.
        """
        rows = self.metrics()[:num_rows]
        if len(rows) < num_rows:
            print(f"{self.path / 'metrics.jsonl'} has lost {num_rows - len(rows)} lines.")
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        files.write_text(self.path / "metrics.jsonl", lines)
        shutil.rmtree(self.path / "events", ignore_errors=True)
        self._events = {
            split: tf.summary.create_file_writer(str(self.path / "events" / split))
            for split in SPLITS
        }
        for row in rows:
            self._write_event(row)
        return len(rows)

    def add_metrics(self, row):
        """Appends one line: `step`, `split` ("train" or "validation") and numbers."""
        with open(self.path / "metrics.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
        self._write_event(row)

    def _write_event(self, row):
        writer = self._events[row["split"]]
        with writer.as_default(step=row["step"]):
            for name, value in row.items():
                if name not in ("step", "split"):
                    tf.summary.scalar(name, value)

    def sync_metrics(self):
        """Makes the lines durable: a checkpoint counts on them."""
        if (self.path / "metrics.jsonl").exists():
            files.flush_to_disk(self.path / "metrics.jsonl")

    def draw_curves(self):
        """Draws curves.png from the metrics."""
        plots.draw_curves(self.metrics(), self.path / "curves.png", title=self.path.name)

    # --- Results

    def write_model(self, model, is_best):
        """Saves the network, and once more as the best one if it is that."""
        with files.replacing(self.model) as unfinished:
            model.save(unfinished)
        if is_best:
            with files.replacing(self.path / "best.keras") as unfinished:
                shutil.copyfile(self.model, unfinished)

    def write_evaluation(self, result):
        """Saves the result of an evaluation: a dict of numbers."""
        files.write_text(self.path / "evaluation.json", json.dumps(result, indent=2) + "\n")


def _read_json(path):
    """The dict in a file."""
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path, error):
    return UserError(f"{path} is damaged: {error}. Restore it, or begin another run.")


def _is_row(row):
    """Whether JSON values are a line of metrics: a split, and numbers of steps."""
    return (
        isinstance(row, dict)
        and row.get("split") in SPLITS
        and isinstance(row.get("step"), int)
        and all(isinstance(row[name], int | float) for name in row.keys() - {"split"})
    )


def read_metrics(run_dir):
    """The lines of metrics.jsonl of a run as dicts; a half-written last line is left out.

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
        if not _is_row(rows[-1]):
            raise UserError(
                f"{path} is damaged: line {number} is no row of metrics. Remove that line."
            )
    return rows


def load_network(run_or_model):
    """The network of a run directory or of a `.keras` file.

    Raises:
      UserError: there is none, or it is not one of ours.
    """
    path = keras_file(run_or_model)
    # Not by Keras, which would make whatever a file asks for.
    read_config(path)
    return WeightFile(path).network()


def load_config(run_dir):
    """The configuration of a run directory; None for anything else."""
    path = pathlib.Path(run_dir) / "config.json"
    if not path.exists():
        return None
    try:
        return config_lib.TrainConfig.from_json(path.read_text())
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is no configuration of a run: {error}") from error


def load_evaluation(run_dir):
    """The result of the last evaluation of a run directory, a dict; None if there is none."""
    path = pathlib.Path(run_dir) / "evaluation.json"
    return _read_json(path) if path.exists() else None
