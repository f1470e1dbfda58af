"""What a training leaves and says: metrics, network, evaluation and checkpoints of the chief."""

import traceback
import zipfile
from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from keras_resnet.checks import UserError
from keras_resnet.distribution.watchdog import SAVE_SECONDS
from keras_resnet.distribution.workers import Workers
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.figures import Figure
from keras_resnet.runs.progress import Progress
from keras_resnet.runs.run_directory import RunDirectory
from keras_resnet.texts import harmless
from keras_resnet.training.state import State

# Is given a line of metrics: `step`, `epoch`, `split` ("train" or "validation") and figures.
OnMetrics: TypeAlias = Callable[[dict[str, Any]], object]


# Characters of a tracker's error that are shown.
_REASON_LENGTH = 300


class DivergedError(UserError):
    """The loss is not finite any more."""


class Records:
    """Writes what a training gives, on the chief; the other workers go along.

    Args:
      workers: `Workers`.
      run: `RunDirectory` of the chief; None for the other workers, which write nothing.
      checkpoints: `Checkpoints`, likewise.
      figure: by which networks are compared.
      state: `State` whose progress is recorded.
      step_images, epoch_images: number of images of a step, and of an epoch.
      on_metrics: is given each line of metrics, on the chief; None: nobody is.
    """

    def __init__(
        self,
        workers: Workers,
        run: RunDirectory | None,
        checkpoints: Checkpoints | None,
        figure: Figure,
        state: State,
        step_images: int,
        epoch_images: int,
        on_metrics: OnMetrics | None = None,
    ) -> None:
        self._workers = workers
        self._run = run
        self._checkpoints = checkpoints
        self._figure = figure
        self._state = state
        self._step_images = step_images
        self._epoch_images = epoch_images
        self._on_metrics = on_metrics
        self._saved_step = state.step

    def epochs(self, step: int) -> float:
        """Passes over the data in a number of steps."""
        return step * self._step_images / self._epoch_images

    def add(self, split: str, figures: dict[str, Any], progress: Progress) -> None:
        """One line of metrics, of now."""
        step = self._state.step
        row = {"step": step, "epoch": self.epochs(step), "split": split, **figures}
        if self._run is not None:
            self._run.metrics.add(row)
        self._state.rows += 1
        progress.log(row)
        if self._run is not None:
            self._tell(row, progress)

    def _tell(self, row: dict[str, Any], progress: Progress) -> None:
        """Gives a line to whoever asked for it, whose failures do not end a training of weeks."""
        if self._on_metrics is None:
            return
        try:
            self._on_metrics(dict(row))
        except Exception as error:
            # What no method of the error can spoil.
            reason = harmless(" ".join(traceback.format_exception_only(error)).strip())
            progress.note(
                f"`on_metrics` failed at step {row['step']}: {reason[:_REASON_LENGTH]}. The "
                "training goes on."
            )

    def write_network(self, network: keras.Model, is_best: bool) -> None:
        """The network of the last evaluation."""
        self._workers.begin("saving the network", SAVE_SECONDS)
        if self._run is not None:
            self._run.write_model(network, is_best)

    def lacks_network(self) -> bool:
        """Whether there is none, or a damaged one, where the chief wrote it."""
        return self._run is not None and not zipfile.is_zipfile(self._run.model)

    def write_evaluation(self, result: dict[str, Any]) -> None:
        """The result of the last evaluation, and all of them as a picture."""
        if self._run is not None:
            self._run.draw_curves(self._figure)
            self._run.write_evaluation(result)

    @property
    def has_unsaved_steps(self) -> bool:
        """Whether steps were taken since the last checkpoint."""
        return self._state.step != self._saved_step

    def save(self) -> None:
        """A checkpoint of now."""
        state = self._state
        self._workers.begin("saving a checkpoint", SAVE_SECONDS)
        if self._run is not None and self._checkpoints is not None:
            self._run.metrics.sync()
            best_step = None if state.best is None else state.best["step"]
            self._checkpoints.save(state.step, state.to_json(), best_step)
        self._workers.begin("between steps")
        self._saved_step = state.step

    def diverged(self, what: str) -> DivergedError:
        """The error over what is not finite, with the way out."""
        paths = self._checkpoints.paths() if self._checkpoints is not None else []
        last = (
            f"The last good checkpoint is {paths[-1]}." if paths else "No checkpoint was written."
        )
        return DivergedError(
            f"{what} {last} Try a lower --learning_rate, or another --dtype, in another --run_dir."
        )
