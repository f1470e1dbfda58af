"""What a person sees while a network trains: a bar on a terminal, lines in a log file."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import tqdm

# What every line of a log begins with, in other words.
_PLACE = ("step", "epoch", "split")


@contextlib.contextmanager
def show_progress(total: int, initial: int, is_chief: bool = True) -> Iterator["Progress"]:
    """Gives a `Progress` over training steps.

    Args:
      total: steps of the whole training.
      initial: steps taken before.
      is_chief: whether this worker shows how far all are; the others say what is theirs alone.
    """
    disable = None if is_chief else True
    with tqdm.tqdm(total=total, initial=initial, unit="step", disable=disable) as bar:
        yield Progress(bar, total - initial, is_chief)


class Progress:
    """The bar, or where the output is no terminal, a line for each row of metrics.

    Args:
      bar: tqdm bar, disabled where there is no terminal.
      steps_left: steps until the end.
      shows_rows: whether rows of metrics are shown.
    """

    def __init__(self, bar: "tqdm.tqdm[Any]", steps_left: int, shows_rows: bool = True) -> None:
        self._bar = bar
        self._steps_left = steps_left
        self._shows_rows = shows_rows
        self._steps_timed = 0
        # When the first call ended, in which TensorFlow makes and compiles its graph.
        self._started: float | None = None

    def update(self, steps: int, figures: dict[str, float], images_per_second: float) -> None:
        """Moves on by a number of steps, and shows the figures of the last of them."""
        self._steps_left -= steps
        if self._started is None:
            self._started = time.monotonic()
        else:
            self._steps_timed += steps
        listing = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self._bar.set_postfix_str(f"{listing}, {images_per_second:.0f} images/s", refresh=False)
        self._bar.update(steps)

    def say(self, text: str) -> None:
        """Shows what goes on beside training."""
        self._bar.set_postfix_str(text)

    def note(self, text: str) -> None:
        """A line of text that stays."""
        try:
            self._bar.write(text)
            # Into a file or a pipe it would otherwise come with hundreds of others.
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read along is gone; that is no reason to end a training.
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())

    def log(self, row: dict[str, Any]) -> None:
        """A line that stays, for a row of metrics (a dict, see run_directory.py)."""
        if not self._shows_rows:
            return
        figures = ", ".join(
            f"{name.replace('_', ' ')} {_text(value)}"
            for name, value in row.items()
            if name not in _PLACE
        )
        line = f"step {row['step']}, epoch {row['epoch']:.2f}, {row['split']}: {figures}"
        line = f"{time.strftime('%m-%d %H:%M:%S')} {line}"
        self.note(f"{line}{self._time_left()}" if self._bar.disable else line)

    def _time_left(self) -> str:
        """How long the rest takes, as all after the first call did; nothing before it is known."""
        if self._started is None or not self._steps_timed:
            return ""
        seconds_per_step = (time.monotonic() - self._started) / self._steps_timed
        return f", {self._bar.format_interval(seconds_per_step * self._steps_left)} left"


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
