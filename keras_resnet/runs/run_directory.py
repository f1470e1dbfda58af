"""The run directory: all that a training run leaves behind, and what lets it go on.

config.json       the configuration; another one is refused
environment.json  with what software, on what machine and how it was started, each time
data.json         what the data set was, and what the first start found out of it
data_summary.txt  what a person should know of the data set (.json: the same for programs)
classes.png       its pictures per class
.lock             held by the process that trains
metrics.jsonl     a line for each log and each evaluation
events/           the same for TensorBoard
profile/          of the steps of --profile_steps, for TensorBoard
curves.png        the same as a picture (.svg: the same to enlarge)
checkpoints/      see checkpoints.py
model.keras       the network at the last evaluation
best.keras        the network at the best evaluation
evaluation.json   the result of the last evaluation
"""

import json
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Collection
from typing import Any, Self

import keras

from keras_resnet import files, locks
from keras_resnet.checks import UserError
from keras_resnet.runs.config import TrainConfig, differences
from keras_resnet.runs.curves import draw_curves
from keras_resnet.runs.environment import are_starts
from keras_resnet.runs.figures import Figure
from keras_resnet.runs.metrics import Metrics
from keras_resnet.runs.options import TaskOptions
from keras_resnet.weights import keras_files
from keras_resnet.weights.local import WeightFile


class RunDirectory:
    """One run's directory. Nothing is written before `begin`.

    A context: when it ends, another process may begin.

    Args:
      path: of the directory.
      config: `TrainConfig` of the run.

    Attributes:
      metrics: its `Metrics`.

    Raises:
      UserError: the directory belongs to a run of another configuration or format, or to something
        else, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], config: TrainConfig) -> None:
        self.path = pathlib.Path(path)
        self.metrics = Metrics(self.path)
        self._config = config
        self._lock: locks.Lock | None = None
        _check_name(os.fspath(path))
        self._check_writable()
        if self._config_path.exists():
            self._check_same_config()
        # A hidden file may be what a kill left of the first config.json.
        elif any(not path.name.startswith(".") for path in self.path.glob("*")):
            raise UserError(
                f"`run_dir` must be empty or hold a run, with its config.json. "
                f"Received: run_dir={str(path)!r}, which holds other files and no config.json."
            )

    def begin(self) -> None:
        """Creates the directory, or takes it up again.

        Raises:
          UserError: another process trains in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with files.full_disk_named(self.path):
            self._lock = locks.lock(self.path / ".lock")
        if self._lock is None:
            raise UserError(
                f"Another process trains in {self.path}. Wait for it, end it, or name another "
                "--run_dir."
            )
        files.remove_unfinished(self.path)
        files.write_text(self._config_path, self._config.to_json())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()

    @property
    def _config_path(self) -> pathlib.Path:
        return self.path / "config.json"

    def _check_writable(self) -> None:
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

    def _check_same_config(self) -> None:
        ours = self._config.task

        def options_of(name: str) -> type[TaskOptions]:
            if name != ours.name:
                raise UserError(f"its task is {name!r}, not {ours.name!r}")
            return type(ours)

        earlier = read_config(self.path, options_of)
        changed = differences(self._config, earlier)
        if changed:
            listing = ", ".join(
                f"{name}={theirs!r} (now {now!r})" for name, (now, theirs) in changed.items()
            )
            longer = (
                " More epochs of a finished run are a run of its own: --more_epochs=N begins it."
                if changed.keys() & {"train_epochs", "train_steps"}
                else ""
            )
            raise UserError(
                f"{self.path} holds a run of another configuration: {listing}. Name another "
                "directory (--run_dir; of paper: --output), or repeat the flags of that "
                f"run to resume it.{longer}"
            )

    @property
    def checkpoints(self) -> pathlib.Path:
        """Path of the directory of checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> pathlib.Path:
        """Path of the saved network."""
        return self.path / "model.keras"

    # --- Data

    def read_setup(
        self,
        description: dict[str, Any],
        check: Callable[[dict[str, Any]], None],
        explain: Callable[[dict[str, Any]], str] = lambda data: "",
    ) -> dict[str, Any] | None:
        """What the first start of this run found out, or None if this is it.

        Args:
          description: JSON-serializable facts about the data set.
          check: raises ValueError, TypeError or KeyError unless it is that.
          explain: gives of what the run began with another sentence for the error, or nothing.

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
                    f"{explain(data)}"
                )
        setup = {name: value for name, value in data.items() if name not in description}
        try:
            check(setup)
        except (TypeError, KeyError, ValueError) as error:
            raise _damaged(path, error) from error
        return setup

    def write_data(self, description: dict[str, Any], setup: dict[str, Any]) -> None:
        """Remembers the data set, and what `read_setup` gives."""
        files.write_text(self.path / "data.json", json.dumps({**description, **setup}) + "\n")

    def add_start(self, start: dict[str, Any]) -> None:
        """Remembers a start, see environment.py; a damaged record of others is set aside."""
        path = self.path / "environment.json"
        starts = load_starts(self.path)
        if path.exists() and not starts:
            os.replace(path, path.with_name(f"{path.name}.damaged"))
            print(f"{path} is damaged: it is kept as {path.name}.damaged, and begun anew.")
        files.write_text(path, json.dumps([*starts, start], indent=2) + "\n")

    @property
    def has_summary(self) -> bool:
        """Whether an earlier start has written what the data set holds."""
        return (self.path / "data_summary.json").exists()

    # --- Results

    def draw_curves(self, figure: Figure) -> None:
        """Draws curves.png and curves.svg from the metrics, with a figure above the loss."""
        paths = [self.path / "curves.png", self.path / "curves.svg"]
        is_smooth = self._config.schedule == "cosine"
        draw_curves(self.metrics.read(), paths, self.path.name, figure, is_smooth)

    def write_model(self, model: keras.Model, is_best: bool) -> None:
        """Saves the network, and once more as the best one if it is that."""
        with files.replacing(self.model) as unfinished:
            model.save(unfinished)
        if is_best:
            with files.replacing(self.path / "best.keras") as unfinished:
                shutil.copyfile(self.model, unfinished)

    def write_evaluation(self, result: dict[str, float]) -> None:
        """Saves the result of an evaluation: a dict of numbers."""
        files.write_text(self.path / "evaluation.json", json.dumps(result, indent=2) + "\n")


def _check_name(path: str) -> None:
    if any(character in path for character in "*?[]\\"):
        raise UserError(
            "`run_dir` must not contain any of *?[]\\, which TensorFlow takes for patterns "
            f"when it reads checkpoints. Received: run_dir={path!r}"
        )
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"`run_dir` must be UTF-8. Received: run_dir={path!r}") from error


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    """The dict in a file."""
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: pathlib.Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged: {error}. Restore it, or begin another run.")


def read_config(
    run_dir: str | os.PathLike[str],
    options_of: Callable[[str], type[TaskOptions]],
    upgraded: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: values,
) -> TrainConfig:
    """The configuration of a run.

    Args:
      run_dir: its directory, with a config.json.
      options_of: gives the class of a task's options for its name.
      upgraded: gives the values of today's format for those of an earlier one; by default there
        are none, and it is refused.

    Raises:
      UserError: it is damaged, or of another format.
    """
    path = pathlib.Path(run_dir) / "config.json"
    try:
        return TrainConfig.from_json(upgraded(json.loads(path.read_text())), options_of)
    except UserError as error:
        raise UserError(f"{path} cannot be used: {error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is no configuration of a run: {error}") from error


def load_network(run_or_model: str | os.PathLike[str]) -> keras.Model:
    """The network of a run directory or of a `.keras` file.

    Raises:
      UserError: there is none, or it is not one of ours.
    """
    path = keras_files.keras_file(run_or_model)
    # Not by Keras, which would make whatever a file asks for.
    keras_files.read_config(path)
    return WeightFile(path).network()


def load_evaluation(
    run_dir: str | os.PathLike[str], needed: Collection[str] = ()
) -> dict[str, Any] | None:
    """The result of the last evaluation of a run directory, a dict; None if there is none.

    Args:
      run_dir: the directory.
      needed: names of numbers that it must have.

    Raises:
      UserError: it is damaged.
    """
    path = pathlib.Path(run_dir) / "evaluation.json"
    if not path.exists():
        return None
    evaluation = _read_json(path)
    for name in needed:
        value = evaluation.get(name)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise _damaged(path, ValueError(f"its {name} is no number"))
    return evaluation


def load_starts(run_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """What a run remembers of its starts, see environment.py; nothing if that is damaged."""
    try:
        starts = json.loads((pathlib.Path(run_dir) / "environment.json").read_text())
    except (OSError, ValueError):
        return []
    return starts if are_starts(starts) else []


def load_data(run_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """What a run remembers of its data set, and has found out of it; nothing if it never began."""
    path = pathlib.Path(run_dir) / "data.json"
    return _read_json(path) if path.exists() else {}
