"""More epochs of a finished run: another run, beside it, that begins with its weights."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

from keras_resnet.checks import UserError, check_positive
from keras_resnet.runs.config import TrainConfig, differences
from keras_resnet.runs.figures import Figure
from keras_resnet.runs.metrics import read_metrics
from keras_resnet.runs.run_directory import load_data, load_evaluation
from keras_resnet.training.timetable import Timetable

# The rate of a finished run has fallen to 0 or to a hundredth, and its first one would undo it.
_SHARE_OF_RATE = 10

# Options that say what the data are.
_OF_DATA = (
    *("dataset", "data_dir", "boxes", "classes", "train_images", "skip_corrupt"),
    *("validation_images", "validation_share"),
)


def continuation(
    run_dir: pathlib.Path,
    epochs: float,
    load_config: Callable[[pathlib.Path], TrainConfig | None],
    **options: Any,
) -> tuple[TrainConfig, pathlib.Path]:
    """The configuration and the directory of a run of more epochs, or of one that was begun.

    Args:
      run_dir: of a finished run.
      epochs: how many more.
      load_config: gives the configuration of a run directory, None for anything else.
      options: other values than those of the finished run.

    Raises:
      UserError: the run is not finished, or its continuation is, or its data have changed.
    """
    check_positive("more_epochs", epochs)
    origin = load_config(run_dir)
    if origin is None:
        raise UserError(
            "`run_dir` must be the directory of a finished run, for `more_epochs`. "
            f"Received: {run_dir}, without a config.json"
        )
    if not is_finished(run_dir, origin):
        raise UserError(
            f"{run_dir} is not finished; the same command without --more_epochs, with the flags "
            "that it began with, resumes it."
        )
    config = continued(origin, str(run_dir), epochs, **options)
    earlier = _continuations(run_dir)
    for directory in reversed(earlier):
        found = load_config(directory)
        if found is None or differences(config, found):
            continue
        if is_finished(directory, found):
            raise UserError(
                f"{directory} is finished: it has these {epochs:g} more epochs of {run_dir}. Still "
                f"more begin with it: --run_dir={directory} --more_epochs={epochs:g}"
            )
        return config, directory
    if not options.keys() & set(_OF_DATA):
        _check_data(run_dir, config)
    return config, _next(run_dir, earlier)


def continued(config: TrainConfig, run_dir: str, epochs: float, **options: Any) -> TrainConfig:
    """The configuration of more epochs: its schedule anew, from a tenth of the rate, no warm-up.

    Args:
      config: of the finished run.
      run_dir: its directory, whose weights are gone on with.
      epochs: how many more.
      options: other values than those of the finished run.
    """
    of_continuation = {
        "weights": run_dir,
        "train_epochs": epochs,
        "train_steps": None,
        "learning_rate": config.learning_rate / _SHARE_OF_RATE,
        "learning_rate_drops": None,
        "warmup_epochs": 0.0,
        "warmup_error": 0.0,
        "zero_last_gamma": False,
    }
    return config.with_options(**{**of_continuation, **options})


def _check_data(run_dir: pathlib.Path, config: TrainConfig) -> None:
    """Raises UserError unless the data are those of a finished run.

    Of others what it was validated on may now be trained on.
    """
    task, known = config.task.task(config), load_data(run_dir)
    for name, value in task.describe(task.sources()).items():
        if known.get(name) != value:
            raise UserError(
                f"The data set changed since the run in {run_dir}: {name} was "
                f"{known.get(name)!r} and is {value!r}. Restore it, or begin another training with "
                f"these weights: --weights={run_dir}"
            )


def is_finished(run_dir: pathlib.Path, config: TrainConfig) -> bool:
    """Whether a run was evaluated at its last step, or where its patience ended."""
    evaluation, rows = load_evaluation(run_dir, ["step"]), read_metrics(run_dir, ["epoch"])
    if evaluation is None or not rows:
        return False
    timetable = Timetable.of_metrics(config, rows)
    figure = config.task.task(config).best
    values = [row[figure.name] for row in rows if row["split"] == "validation"]
    return timetable.is_over(evaluation["step"], _since_best(values, figure))


def _since_best(values: list[float], figure: Figure) -> int:
    """How many values come after the best one, of equals the earliest."""
    best = 0
    for place, value in enumerate(values):
        if figure.is_better(value, values[best]):
            best = place
    return len(values) - 1 - best


def _family(run_dir: pathlib.Path) -> str:
    """The name of a run, of which continuations have the same."""
    return re.sub(r"-more\d*$", "", run_dir.resolve().name)


def _continuations(run_dir: pathlib.Path) -> list[pathlib.Path]:
    """The directories of continuations, in the order in which they began."""
    pattern = re.compile(rf"{re.escape(_family(run_dir))}-more(\d*)")
    numbered = {
        int(match[1] or 1): run_dir.parent / path.name
        for path in run_dir.resolve().parent.iterdir()
        if (match := pattern.fullmatch(path.name)) and path.is_dir()
    }
    return [numbered[number] for number in sorted(numbered)]


def _next(run_dir: pathlib.Path, earlier: list[pathlib.Path]) -> pathlib.Path:
    """A directory of a name that none has: mine-more, mine-more2, ..."""
    name = f"{_family(run_dir)}-more"
    taken = {path.name for path in earlier}
    number = 1
    while (found := name if number == 1 else f"{name}{number}") in taken:
        number += 1
    return run_dir.parent / found
