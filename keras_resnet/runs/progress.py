"""What a person sees while a network trains: a bar on a terminal, lines in a log file."""

import contextlib
import os
import sys
import time

import tqdm

_FIGURES = ("loss", "top1", "top5", "learning_rate", "images_per_second", "images")


@contextlib.contextmanager
def show_progress(total, initial):
    """Gives a `Progress` over training steps.

    Args:
      total: steps of the whole training.
      initial: steps taken before.
    """
    with tqdm.tqdm(total=total, initial=initial, unit="step", disable=None) as bar:
        yield Progress(bar, total - initial)


class Progress:
    """The bar, or where the output is no terminal, a line for each row of metrics.

    Args:
      bar: tqdm bar, disabled where there is no terminal.
      steps_left: steps until the end.
    """

    def __init__(self, bar, steps_left):
        self._bar = bar
        self._steps_left = steps_left
        self._steps_taken = 0
        self._started = time.monotonic()

    def update(self, steps, loss, accuracy, images_per_second):
        """Moves on by a number of steps, and shows the state of the last of them."""
        self._steps_taken += steps
        self._bar.set_postfix_str(
            f"loss {loss:.3f}, accuracy {accuracy:.3f}, {images_per_second:.0f} images/s",
            refresh=False,
        )
        self._bar.update(steps)

    def say(self, text):
        """Shows what goes on beside training."""
        self._bar.set_postfix_str(text)

    def note(self, text):
        """A line of text that stays."""
        try:
            self._bar.write(text)
            # Into a file or a pipe it would otherwise come with hundreds of others.
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read along is gone; that is no reason to end a training.
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())

    def log(self, row):
        """A line that stays, for a row of metrics (a dict, see run_directory.py)."""
        figures = ", ".join(
            f"{name.replace('_', ' ')} {_text(row[name])}" for name in _FIGURES if name in row
        )
        line = f"step {row['step']}, epoch {row['epoch']:.2f}, {row['split']}: {figures}"
        self.note(f"{line}, {self._time_left()} left" if self._bar.disable else line)

    def _time_left(self):
        seconds_per_step = (time.monotonic() - self._started) / max(1, self._steps_taken)
        return self._bar.format_interval(seconds_per_step * (self._steps_left - self._steps_taken))


def _text(value):
    return str(value) if isinstance(value, int) else f"{value:.4g}"
