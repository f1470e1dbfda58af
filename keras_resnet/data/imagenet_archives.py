"""Prepares ImageNet from its official archives: every check first, then TFDS writes the records."""

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import tarfile
import typing

import tqdm

from keras_resnet.checks import UserError
from keras_resnet.data.tfds import check_prepared, checked_data_dir

if typing.TYPE_CHECKING:
    import tensorflow_datasets as tfds

# Records take about as much as the pictures in the archives; the rest is for what TFDS sorts.
DISK_FACTOR = 1.05


@dataclasses.dataclass(frozen=True)
class Archive:
    """One of the archives that image-net.org offers.

    Attributes:
      size: in bytes.
      md5: hexadecimal, as image-net.org publishes it.
      member: pattern of the names inside.
    """

    size: int
    md5: str
    member: str


ARCHIVES = {
    "ILSVRC2012_img_train.tar": Archive(
        147_897_477_120, "1d675b47d978889d74fa0da5fadfb00e", r"n\d{8}\.tar"
    ),
    "ILSVRC2012_img_val.tar": Archive(
        6_744_924_160, "29b22e2961454d5413ddabcf34fc5622", r"ILSVRC2012_val_\d{8}\.JPEG"
    ),
}


def prepare(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    verify: bool = True,
) -> "tfds.core.DatasetInfo":
    """Has TFDS's imagenet2012 write ArrayRecord files, unless that was done before.

    Args:
      source: directory of ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar.
      data_dir: where TFDS data go; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      verify: compare the archives' sizes and MD5 with the published ones, which takes minutes;
        without, archives of other pictures in the official layout are welcome.

    Returns:
      TFDS's DatasetInfo of the prepared data.

    Raises:
      UserError: an archive is missing, is not the published one, or is incomplete, or there is too
        little free disk; nothing was written then. Or TFDS could not write the data.
    """
    import tensorflow_datasets as tfds

    data_dir = checked_data_dir(data_dir)
    builder = tfds.builder("imagenet2012", data_dir=data_dir, file_format="array_record")
    if builder.is_prepared():
        return builder.info
    destination, source = pathlib.Path(builder.data_dir), pathlib.Path(source).expanduser()
    if destination.exists():
        check_prepared(builder)
    _check_present(source)
    _check_disk(source, destination)
    for name, archive in ARCHIVES.items():
        if verify:
            _check_published(source / name, archive)
        _check_members(source / name, archive)
    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=str(source))
        )
    except (tarfile.TarError, ValueError) as error:
        raise UserError(
            f"An archive in {source} holds something else than pictures: {error}. Get the archives "
            "from image-net.org again."
        ) from error
    except Exception as error:  # TFDS wraps whatever comes, a full disk for one.
        raise UserError(
            f"TensorFlow Datasets could not write {destination}: {type(error).__name__}: {error}"
        ) from error
    return builder.info


def _check_present(source: pathlib.Path) -> None:
    if not source.is_dir():
        raise UserError(f"`source` must be a directory. Received: {source}")
    missing = [name for name in ARCHIVES if not (source / name).is_file()]
    if missing:
        found = sorted(path.name for path in source.iterdir())
        raise UserError(
            f"`source` must be a directory of {' and '.join(ARCHIVES)}, which image-net.org offers "
            f"to those who register. Not in {source}: {' and '.join(missing)}. "
            f"There: {', '.join(found[:10]) or 'nothing'}"
        )


def _check_disk(source: pathlib.Path, destination: pathlib.Path) -> None:
    needed = DISK_FACTOR * sum((source / name).stat().st_size for name in ARCHIVES)
    existing = next(path for path in destination.parents if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(
            f"`data_dir` must be a place to write to; {existing} is not. Name another with "
            "--data_dir."
        )
    free = shutil.disk_usage(existing).free
    if free < needed:
        leftovers = sorted(map(str, destination.parent.glob("incomplete.*")))
        hint = f" An unfinished preparation left {', '.join(leftovers)}." if leftovers else ""
        raise UserError(
            f"{existing} has {free / 1e9:.1f} GB free and the records need {needed / 1e9:.1f} GB. "
            f"Name another place with --data_dir, or make room.{hint}"
        )


def _check_published(path: pathlib.Path, archive: Archive) -> None:
    size = path.stat().st_size
    if size != archive.size:
        what = "truncated" if size < archive.size else "not the published archive"
        raise UserError(
            f"{path} is {what}: it has {size:,} bytes instead of {archive.size:,}. Get it again, "
            "or pass --verify=false for other pictures in the same layout."
        )
    digest = hashlib.md5(usedforsecurity=False)
    with (
        path.open("rb") as file,
        tqdm.tqdm(desc=f"MD5 of {path.name}", total=size, unit="B", unit_scale=True) as progress,
    ):
        while block := file.read(2**24):
            digest.update(block)
            progress.update(len(block))
    if digest.hexdigest() != archive.md5:
        raise UserError(
            f"{path} is damaged: its MD5 is {digest.hexdigest()} instead of {archive.md5}. Get it "
            "again."
        )


def _check_members(path: pathlib.Path, archive: Archive) -> None:
    """Follows the archive from member to member up to its end."""
    number = 0
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                number += 1
                if not re.fullmatch(archive.member, member.name):
                    raise UserError(
                        f"{path} is not {path.name} in the official layout: it holds "
                        f"{member.name!r}, and names like {archive.member} were expected."
                    )
    except tarfile.TarError as error:
        raise UserError(
            f"{path} is truncated or no archive: {error} (after {number} intact members)."
        ) from error
    if not number:
        raise UserError(f"{path} is empty.")
