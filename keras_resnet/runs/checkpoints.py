"""The whole state of a run on disk: written whole or not at all, verified, restored bit for bit.

A checkpoint is a directory `step-00001000` that appears by rename, so that a kill at any moment
leaves the previous ones untouched. It holds TensorFlow's checkpoint of the variables, `state.json`
(what the loop keeps outside of them) and `checksums.json` (SHA-256 of each file).
"""

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_resnet import files
from keras_resnet.checks import UserError
from keras_resnet.runs.formats import FORMAT, check_format
from keras_resnet.version import __version__

_NAME = re.compile(r"step-(\d{8,})")
_CHECKSUMS = "checksums.json"

# What a state.json holds beside the state.
_ABOUT = ("format", "keras_resnet")


class OtherFormatError(UserError):
    """Another version goes on with a checkpoint."""


class Checkpoints:
    """Saves and restores the state of one run.

    Args:
      directory: where the checkpoints are; created at the first save.
      keep: number of newest checkpoints to keep.
      **variables: lists of the Keras variables that hold the state, in an order that the next
        process repeats. Not the models themselves: TensorFlow does not follow a layer to the layers
        that it holds in a list, and would leave them out without a word.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        keep: int = 2,
        **variables: list[keras.Variable],
    ) -> None:
        self._directory = pathlib.Path(directory)
        self._keep = keep
        self._checkpoint = tf.train.Checkpoint(
            **{name: [variable.value for variable in group] for name, group in variables.items()}
        )

    def paths(self) -> list[pathlib.Path]:
        """Paths of the complete checkpoints, oldest first."""
        if not self._directory.is_dir():
            return []
        found = [path for path in self._directory.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=_step)

    def path(self, step: int) -> pathlib.Path:
        """Path of the checkpoint of a step, written or not."""
        return self._directory / f"step-{step:08d}"

    def save(self, step: int, state: dict[str, Any], best_step: int | None = None) -> None:
        """Writes a checkpoint and deletes those beyond the newest `keep`, but for the best.

        When it returns, the checkpoint survives a power cut. One that is there already stays as it
        is: the state after a step is what it is however often that is reached.

        Args:
          step: number of steps taken.
          state: JSON-serializable values to keep beside the variables.
          best_step: step of a checkpoint to keep besides.

        Raises:
          OSError: it cannot be written, as on a full disk; the earlier ones are as they were.
        """
        path = self.path(step)
        if path.exists():
            return
        unfinished = path.with_suffix(".tmp")
        self._remove_unfinished()
        try:
            self._publish(unfinished, path, step, state)
        except OSError:
            # Makes room where there was none.
            self._remove_unfinished()
            raise
        for old in self.paths()[: -self._keep]:
            if best_step is None or old != self.path(best_step):
                shutil.rmtree(old)

    def _publish(
        self, unfinished: pathlib.Path, path: pathlib.Path, step: int, state: dict[str, Any]
    ) -> None:
        """Writes a checkpoint under one name, and when it is whole and durable gives it another."""
        with files.full_disk_named(path):
            unfinished.mkdir(parents=True)
            about = {"format": FORMAT, "keras_resnet": __version__, "step": step}
            self._write(unfinished, json.dumps({**about, **state}))
            for path_to_flush in [*unfinished.iterdir(), unfinished]:
                files.flush_to_disk(path_to_flush)
            os.rename(unfinished, path)
            # The names, too: its own, and in the run directory that of all checkpoints and of the
            # files that were renamed there and that they cannot do without.
            for directory in (self._directory, self._directory.parent):
                files.flush_to_disk(directory)

    def _write(self, directory: pathlib.Path, state: str) -> None:
        try:
            self._checkpoint.write(str(directory / "variables"))
        except tf.errors.OpError as error:
            raise OSError(f"{directory} cannot be written: {error.message}") from error
        (directory / "state.json").write_text(state)
        (directory / _CHECKSUMS).write_text(json.dumps(_checksums(directory), indent=2) + "\n")

    def _remove_unfinished(self) -> None:
        for leftover in self._directory.glob("step-*.tmp"):
            _remove(leftover)

    def restore_newest(self, note: Callable[[str], None] = print) -> dict[str, Any] | None:
        """Restores the newest checkpoint that is not damaged into the variables.

        Damaged ones that are newer are moved out of the way, to names that end in .damaged.

        Args:
          note: is called with a line of text for each damaged one.

        Returns:
          What was given to `save` as `state`, with `step`; None if there is no checkpoint.

        Raises:
          UserError: there are or were checkpoints, and all are damaged; or another version goes on
            with one.
        """
        damaged: list[tuple[pathlib.Path, object]] = []
        for path in reversed(self.paths()):
            try:
                state = self._restore(path)
            except OtherFormatError:
                raise
            except (OSError, ValueError, LookupError, TypeError, tf.errors.OpError) as error:
                damaged.append((path, error))
                continue
            for bad, reason in damaged:
                aside = bad.with_suffix(".damaged")
                _remove(aside)
                os.rename(bad, aside)
                note(f"The checkpoint {bad} is damaged ({reason}). It is {aside.name} now.")
            return state
        damaged += [(path, "moved there before") for path in self._directory.glob("*.damaged")]
        if damaged:
            raise UserError(
                f"All checkpoints in {self._directory} are damaged: "
                + "; ".join(f"{path.name} ({reason})" for path, reason in damaged)
                + ". Restore one from a backup, or begin anew in another --run_dir."
            )
        return None

    def _restore(self, path: pathlib.Path) -> dict[str, Any]:
        # What else a file manager may have put there does not matter.
        expected = dict(json.loads((path / _CHECKSUMS).read_text()))
        actual = _checksums(path)
        for name in expected.keys() | {"state.json"}:
            if name not in actual:
                raise OSError(f"{name} is missing")
            if actual[name] != expected.get(name):
                raise OSError(f"the checksum of {name} is wrong")
        state = dict(json.loads((path / "state.json").read_text()))
        if state["step"] != _step(path):
            raise OSError(f"it is of step {state['step']}")
        try:
            check_format(state)
        except UserError as error:
            raise OtherFormatError(f"The checkpoint {path} cannot be used: {error}.") from error
        self._checkpoint.read(str(path / "variables")).assert_consumed()
        return {name: value for name, value in state.items() if name not in _ABOUT}


def _step(path: pathlib.Path) -> int:
    """The step of a checkpoint, as its name says."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def _remove(path: pathlib.Path) -> None:
    """Removes a directory, or a file or link that has taken its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _checksums(directory: pathlib.Path) -> dict[str, str]:
    """SHA-256 of each file of a checkpoint, by name."""
    found = files.digests(directory)
    return {name: digest for name, digest in found.items() if name != _CHECKSUMS}
