"""Prepares ImageNet from its official archives: every check first, then TFDS writes the records."""

import contextlib
import errno
import io
import os
import pathlib
import re
import secrets
import shutil
import time
import typing
from collections.abc import Iterator, Mapping

from keras_resnet import files, locks
from keras_resnet.checks import UserError
from keras_resnet.data.imagenet_archives import checked_paths, checked_pictures
from keras_resnet.data.records import ArrayRecords
from keras_resnet.data.tfds import check_prepared, checked_data_dir

if typing.TYPE_CHECKING:
    import tensorflow_datasets as tfds

# Records take about as much as the pictures in the archives; the rest is for what TFDS sorts.
_DISK_FACTOR = 1.05

# As TFDS names a directory of data that are not complete.
_UNFINISHED = re.compile(r"incomplete\.[A-Z0-9]{6}_\d+\.\d+\.\d+")

_SECONDS_BETWEEN_LOOKS = 1

# Of two cores and a local disk; see docs/data.md.
_PICTURES_PER_SECOND = 400


def prepare(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    verify: bool = True,
) -> "tfds.core.DatasetInfo":
    """Has TFDS's imagenet2012 write ArrayRecord files, unless that was done before.

    Where another process prepares in the same place, it is waited for. What an interrupted
    preparation has left is removed.

    Args:
      source: directory of ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar.
      data_dir: where TFDS data go; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      verify: the archives must have the published sizes and MD5, which takes minutes, and hold the
        whole of ImageNet; without, archives of a part of it in the official layout are welcome.

    Returns:
      TFDS's DatasetInfo of the prepared data.

    Raises:
      UserError: an archive is missing, is not the published one, is not whole or holds what does
        not belong there, or there is too little free disk; nothing was written then. Or TFDS could
        not write the data, or not all; what it wrote is removed then.
    """
    data_dir = checked_data_dir(data_dir)
    builder = _builder(data_dir)
    if builder.is_prepared():
        return builder.info
    archives = checked_paths(pathlib.Path(source).expanduser())
    place = pathlib.Path(builder.data_dir)
    _check_writable(place)
    with _alone(place.parent):
        if not builder.is_prepared():
            if place.exists():
                check_prepared(builder)
            for left in _remove_unfinished(place.parent):
                print(f"Removed what an interrupted preparation has left: {left}", flush=True)
            _check_disk(archives, place.parent)
            numbers = checked_pictures(*archives, verify)
            with _explained(place):
                _write(archives[0].parent, place, numbers)
    return _builder(data_dir).info


def _builder(data_dir: str | os.PathLike[str] | None) -> "tfds.core.DatasetBuilder":
    import tensorflow_datasets as tfds

    return tfds.builder("imagenet2012", data_dir=data_dir, file_format="array_record")


# --- The place


def _check_writable(place: pathlib.Path) -> None:
    existing = next(path for path in place.parents if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(
            f"`data_dir` must be a place to write to; {existing} is not. Name another with "
            "--data_dir."
        )


@contextlib.contextmanager
def _alone(directory: pathlib.Path) -> Iterator[None]:
    """Within the context no other process prepares in a directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = locks.lock(directory / ".lock")
    if lock is None:
        print(f"Another process prepares in {directory}: waiting for its end.", flush=True)
    while lock is None:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        lock = locks.lock(directory / ".lock")
    with lock:
        yield


def _remove_unfinished(directory: pathlib.Path) -> list[pathlib.Path]:
    """Removes the directories of data that are not complete, and gives their paths."""
    found = [path for path in sorted(directory.iterdir()) if _UNFINISHED.fullmatch(path.name)]
    for path in found:
        shutil.rmtree(path)
    return found


def _check_disk(archives: tuple[pathlib.Path, ...], directory: pathlib.Path) -> None:
    needed = _DISK_FACTOR * sum(path.stat().st_size for path in archives)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise UserError(
            f"{directory} has {_size(free)} free and the records need {_size(needed)}. Name "
            "another place with --data_dir, or make room."
        )


def _size(number: float) -> str:
    """A number of bytes in a unit in which it says something."""
    units = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
    unit = next((unit for unit, size in units.items() if number < 1000 * size), "GB")
    return f"{number / units[unit]:,.1f} {unit}"


# --- The records


def _write(source: pathlib.Path, place: pathlib.Path, numbers: Mapping[str, int]) -> None:
    """Has TFDS write all splits, which get their place when they are there, and on the disk.

    Args:
      source: directory of the archives.
      place: of the data.
      numbers: of pictures of each split.
    """
    _announce(sum(numbers.values()))
    unfinished, whole = (
        place.with_name(f"incomplete.{secrets.token_hex(3).upper()}_{place.name}") for _ in range(2)
    )
    try:
        written = _written(source, unfinished, numbers)
        os.rename(written, whole)
        shutil.rmtree(unfinished)
        os.rename(whole, place)
        files.flush_to_disk(place.parent)
    finally:
        _remove_unfinished(place.parent)


def _announce(number: int) -> None:
    minutes = number / _PICTURES_PER_SECOND / 60
    duration = f"about {minutes:.0f} minutes" if minutes > 1 else "less than a minute"
    print(
        f"Writing {number:,} pictures: {duration} on two cores and a local disk. If it is "
        "interrupted, it begins anew.",
        flush=True,
    )


def _written(
    source: pathlib.Path, directory: pathlib.Path, numbers: Mapping[str, int]
) -> pathlib.Path:
    """Has TFDS write all splits below a directory, and gives the place of their files.

    Raises:
      UserError: they hold other numbers of pictures.
    """
    import tensorflow_datasets as tfds

    builder = _builder(directory)
    # Its bars show the time left where it knows how many there will be.
    expected = [tfds.core.SplitInfo(name, [number], 0) for name, number in numbers.items()]
    builder.info.set_splits(tfds.core.splits.SplitDict(expected))
    config = tfds.download.DownloadConfig(manual_dir=str(source))
    with contextlib.redirect_stdout(io.StringIO()):  # Where it says that it writes elsewhere.
        builder.download_and_prepare(download_config=config)
    found = {
        str(name): len(ArrayRecords(split.file_instructions))
        for name, split in builder.info.splits.items()
    }
    if found != numbers:
        raise UserError(
            f"TensorFlow Datasets wrote {found} pictures and the archives hold {dict(numbers)}. "
            "Nothing is prepared."
        )
    for path in pathlib.Path(builder.data_dir).iterdir():
        files.flush_to_disk(path)
    return pathlib.Path(builder.data_dir)


@contextlib.contextmanager
def _explained(place: pathlib.Path) -> Iterator[None]:
    """Within the context what TFDS raises becomes one message."""
    try:
        yield
    except UserError:
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted: nothing is prepared, and the same command begins anew."
        ) from None
    except Exception as error:  # TFDS wraps whatever comes, a full disk for one.
        raise UserError(
            f"TensorFlow Datasets could not write {place}, and nothing is prepared: "
            f"{_reason(error, place)}. The same command begins anew."
        ) from error


def _reason(error: BaseException, place: pathlib.Path) -> str:
    """What was wrong at first, in a line, without what TFDS puts before it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    text = str(error).strip()
    if os.strerror(errno.ENOSPC) in text:
        return str(files.full_disk(place).strerror)
    return text.splitlines()[-1] if text else type(error).__name__
