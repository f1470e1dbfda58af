"""The bundle that TF Serving loads: a SavedModel with all that belongs to it, in one step."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from keras_resnet import checks, files, locks
from keras_resnet.serving import warm_up
from keras_resnet.serving.canonical import make_canonical
from keras_resnet.serving.card import Origin, model_card
from keras_resnet.serving.deployment.starting_files import starting_files
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.options import (
    TOP,
    Limits,
    check_free,
    checked_directory,
)
from keras_resnet.serving.servable import Servable, servable

# Permissions, whatever the user's umask is.
_OF_FILES, _OF_DIRECTORIES = 0o644, 0o755


def batching(batch_sizes: Sequence[int]) -> str:
    """TF Serving's configuration of batching: requests wait for up to 5 ms to share a batch.

    Args:
      batch_sizes: to one of which a batch is padded, since TensorFlow prepares each size anew.
    """
    return (
        f"max_batch_size {{ value: {batch_sizes[-1]} }}\n"
        "batch_timeout_micros { value: 5000 }\n"
        "max_enqueued_batches { value: 100 }\n"
        "num_batch_threads { value: 2 }\n"
        + "".join(f"allowed_batch_sizes: {size}\n" for size in batch_sizes)
    )


def export(
    model: keras.Model,
    output_dir: str | os.PathLike[str],
    *,
    origin: Origin | None = None,
    optimized: Optimized | None = None,
    version: int | None = None,
    top: int = TOP,
    limits: Limits | None = None,
) -> pathlib.Path:
    """Writes a version of a network for TF Serving below a directory.

    A version holds the SavedModel with the functions of `servable`, `assets/labels.txt` (a class
    name in each line), a warm-up file, every request of which was answered, and a model card,
    README.md. Beside the versions are `batching.config` and the `starting_files` for TF Serving,
    unless they are there already.

    Args:
      model: `ResNet` with a classifier, `FasterRCNN`, `Localizer` or `FCN`, and a `preprocessing`.
      output_dir: directory of versions, as TF Serving's model_base_path; made when missing. Its
        name is the model's name for clients.
      origin: `Origin` of the network, for the card; None: nothing is known but its name.
      optimized: what `optimize` made of the model, to be served instead; None: it is served as it
        is.
      version: number of the version; None: one more than the highest.
      top: number of classes named for each picture; a detector names those of all objects.
      limits: `Limits` of encoded pictures; None: the default ones.

    Returns:
      Path of the version, output_dir/<number>: complete from the moment it exists.

    Raises:
      UserError: the model cannot be served, the version exists, or a value is not supported.
      OSError: the directory cannot be written.
    """
    if tf.distribute.has_strategy():
        raise checks.UserError("`export` must be called outside of the scope of a strategy.")
    output_dir = checked_directory(output_dir, version, top)
    limits = limits or Limits()
    served = servable(model, top, limits, optimized)
    name = output_dir.resolve().name
    with files.full_disk_named(output_dir), _unfinished_directory(output_dir) as unfinished:
        try:
            # First what a mistake in the limits is found by.
            warm_up.write(unfinished, name, served, limits)
            _write_saved_model(unfinished, served)
            (unfinished / "assets").mkdir(exist_ok=True)
            lines = "".join(f"{label}\n" for label in served.class_names)
            (unfinished / "assets" / "labels.txt").write_text(lines, encoding="utf-8")
        except tf.errors.OpError as error:
            raise OSError(f"{output_dir} cannot be written: {error.message}") from error
        seconds = warm_up.replay(unfinished)
        origin = origin or Origin(model.name)
        digests = files.digests(unfinished)
        card = model_card(served, origin, top, limits, optimized, seconds, digests)
        (unfinished / "README.md").write_text(card, encoding="utf-8")
        _finish(unfinished)
        texts = {
            "batching.config": batching(served.batch_sizes),
            **starting_files(name, served, limits),
        }
        for file, text in texts.items():
            _write_once(output_dir / file, text, unfinished)
        published = _publish(unfinished, output_dir, version)
    files.flush_to_disk(output_dir)
    return published


@contextlib.contextmanager
def _unfinished_directory(output_dir: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a new directory in which a version is made; removes what killed exports left.

    TF Serving loads any directory with a number for a name at once, complete or not.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    for leftover in output_dir.glob(".unfinished-*"):
        with contextlib.suppress(FileNotFoundError):  # Others remove them, too.
            lock = locks.lock(leftover)
            if lock is not None:
                with lock:
                    if lock.is_held:
                        shutil.rmtree(leftover, ignore_errors=True)
    unfinished, lock = _locked_directory(output_dir)
    with lock:
        try:
            yield unfinished
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _locked_directory(output_dir: pathlib.Path) -> tuple[pathlib.Path, locks.Lock]:
    """A new directory that no other export takes for a leftover, and its lock."""
    while True:
        unfinished = pathlib.Path(tempfile.mkdtemp(prefix=".unfinished-", dir=output_dir))
        # Until it is locked another export may find it, and remove it.
        with contextlib.suppress(FileNotFoundError):
            lock = locks.lock(unfinished)
            if lock is not None:
                return unfinished, lock


def _write_saved_model(path: pathlib.Path, served: Servable) -> None:
    holder = tf.Module()
    holder.weights = served.variables
    # TensorFlow, and Keras's ExportArchive, would trace a function twice that is not traced yet.
    traced = {
        name: tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()
        for name, (function, spec) in served.functions.items()
    }
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(holder, str(path), traced, options)
    make_canonical(path)


def _write_once(path: pathlib.Path, text: str, unfinished: pathlib.Path) -> None:
    """Writes a file that is not there yet; a kill leaves it in the unfinished version at most."""
    if not path.exists():
        draft = unfinished / path.name
        draft.write_text(text, encoding="utf-8")
        draft.chmod(_OF_FILES)
        files.flush_to_disk(draft)
        os.rename(draft, path)


def _finish(directory: pathlib.Path) -> None:
    """Makes all that is in a directory readable for a server, which may run as another user, and
    durable: the contents of files, then their names.
    """
    for path, _, names in os.walk(directory, topdown=False):
        for name in names:
            os.chmod(os.path.join(path, name), _OF_FILES)
            files.flush_to_disk(os.path.join(path, name))
        os.chmod(path, _OF_DIRECTORIES)
        files.flush_to_disk(path)


def _publish(
    unfinished: pathlib.Path, output_dir: pathlib.Path, number: int | None
) -> pathlib.Path:
    """Renames to a version number, the next free one unless one is given."""
    while True:
        version = output_dir / str(_next_version(output_dir) if number is None else number)
        try:
            # An empty directory would be replaced.
            check_free(version)
            os.rename(unfinished, version)
            return version
        except checks.UserError:
            if number is not None:
                raise
        except OSError:
            # Unless another export took the number in the meantime it is an error.
            if not version.exists():
                raise


def _next_version(output_dir: pathlib.Path) -> int:
    numbers = [int(path.name) for path in output_dir.iterdir() if path.name.isdecimal()]
    return max(numbers, default=0) + 1


def newest_version(directory: str | os.PathLike[str]) -> pathlib.Path:
    """The SavedModel in a directory: itself, or its highest version.

    Raises:
      UserError: there is none.
    """
    directory = pathlib.Path(directory)
    if (directory / "saved_model.pb").exists():
        return directory
    versions = [path for path in directory.glob("*") if path.name.isdecimal()]
    versions = [path for path in versions if (path / "saved_model.pb").exists()]
    if not versions:
        raise checks.UserError(
            f"No SavedModel in {directory}: expected an export, or a directory of its versions "
            "(keras-resnet export RUN --output=DIR writes one). A run directory has a config.json, "
            "and the name of a network ends in .keras."
        )
    return max(versions, key=lambda path: int(path.name))
