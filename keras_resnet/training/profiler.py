"""What each operation of some steps takes, for TensorBoard."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from keras_resnet.texts import harmless


class Profiler:
    """Profiles the steps of a window, where the training comes by it.

    Args:
      window: numbers of the steps before the first one that is profiled, and of the last; None:
        none is.
      directory: where the profile goes; None: this process is not the one that profiles.
    """

    def __init__(self, window: tuple[int, int] | None, directory: pathlib.Path | None) -> None:
        self._window = window
        self._directory = directory
        # After which step it began; the last one, since the training did.
        self._began: int | None = None
        self._step: int | None = None
        self._has_begun = False

    def steps_to_next(self, step: int) -> list[int]:
        """Steps from one to the beginning or the end of the window, if one is ahead."""
        return [edge - step for edge in self._window or () if edge > step][:1]

    @contextlib.contextmanager
    def over(self, step: int, count: int, note: Callable[[str], None]) -> Iterator[None]:
        """Within the context so many steps are taken, which `steps_to_next` allows.

        Args:
          step: number of steps taken before.
          count: of those that follow.
          note: is told what becomes of the profile.
        """
        if self._window is None or self._directory is None:
            yield
            return
        first, last = self._window
        if first <= step < last and self._began is None:
            with self._failures_noted(note):
                tf.profiler.experimental.start(str(self._directory))
                self._began, self._has_begun = step, True
        yield
        self._step = step + count
        if self._began is not None and self._step >= last:
            self._save(note)

    def end(self, note: Callable[[str], None]) -> None:
        """Ends a profile with the training, or says that there is none."""
        if self._began is not None:
            self._save(note)
        elif self._window is not None and self._step is not None and not self._has_begun:
            first, last = self._window
            note(f"No step of --profile_steps={first}:{last} was taken since this start.")

    def _save(self, note: Callable[[str], None]) -> None:
        began, self._began = self._began, None
        with self._failures_noted(note):
            tf.profiler.experimental.stop()
            place = harmless(str(self._directory))
            note(f"Profiled steps {began} to {self._step}: tensorboard --logdir={place}")

    @contextlib.contextmanager
    def _failures_noted(self, note: Callable[[str], None]) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            self._window = None
            note(f"The steps cannot be profiled: {harmless(' '.join(str(error).split()))}")
