"""The whole state of a run on disk: written whole or not at all, restored bit for bit.

A checkpoint is a directory `step-00001000` that appears by rename, so that a kill at any moment
leaves the previous ones untouched. It holds TensorFlow's checkpoint of the variables and
`state.json`, what the loop keeps outside of them.
"""

import json
import os
import pathlib
import re
import shutil

import tensorflow as tf

from keras_resnet import files
from keras_resnet.checks import UserError

_NAME = re.compile(r"step-(\d{8})")


class Checkpoints:
    """Saves and restores the state of one run.

    Args:
      directory: where the checkpoints are; created at the first save.
      keep: number of newest checkpoints to keep.
      **variables: lists of the Keras variables that hold the state, in an order that the next
        process repeats. Not the models themselves: TensorFlow does not follow a layer to the layers
        that it holds in a list, and would leave them out without a word.
    """

    def __init__(self, directory, keep=2, **variables):
        self._directory = pathlib.Path(directory)
        self._keep = keep
        self._checkpoint = tf.train.Checkpoint(
            **{name: [variable.value for variable in group] for name, group in variables.items()}
        )

    def paths(self):
        """Paths of the complete checkpoints, oldest first."""
        if not self._directory.is_dir():
            return []
        return sorted(path for path in self._directory.iterdir() if _NAME.fullmatch(path.name))

    def save(self, step, state):
        """Writes a checkpoint and deletes those beyond the newest `keep`.

        Args:
          step: number of steps taken.
          state: JSON-serializable values to keep beside the variables.
        """
        path = self._directory / f"step-{step:08d}"
        if path.exists():
            return
        unfinished = path.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        self._checkpoint.write(str(unfinished / "variables"))
        (unfinished / "state.json").write_text(json.dumps({"step": step, **state}))
        for path_to_flush in [*unfinished.iterdir(), unfinished]:
            files.flush_to_disk(path_to_flush)
        os.rename(unfinished, path)
        for old in self.paths()[: -self._keep]:
            shutil.rmtree(old)
        for leftover in self._directory.glob("step-*.tmp"):
            shutil.rmtree(leftover)

    def restore_newest(self):
        """Restores the newest checkpoint into the variables.

        Returns:
          What was given to `save` as `state`, with `step`; None if there is no checkpoint.

        Raises:
          UserError: the newest checkpoint is damaged.
        """
        if not self.paths():
            return None
        path = self.paths()[-1]
        try:
            state = json.loads((path / "state.json").read_text())
            status = self._checkpoint.read(str(path / "variables"))
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
            raise UserError(
                f"The checkpoint {path} is damaged ({type(error).__name__}). Delete it to go on "
                "from the one before it."
            ) from error
        status.assert_consumed()
        return state
