"""The two archives of ImageNet that image-net.org offers: whether they are whole, what is in them.

TensorFlow Datasets leaves out what it does not read, and labels validation pictures by their places
among the sorted names. So all headers are looked at before.
"""

import dataclasses
import hashlib
import pathlib
import re
import tarfile
import typing
from collections.abc import Iterator, Mapping

import tqdm

from keras_resnet.checks import UserError
from keras_resnet.class_names import imagenet_synsets
from keras_resnet.data.tar_archives import TarArchive

_READ_AT_ONCE = 2**24

# Its pictures have no labels; TensorFlow Datasets would make a third split of them.
_TEST_NAME = "ILSVRC2012_img_test.tar"

# Pictures to validate on that have labels in TensorFlow Datasets.
_LABELED = 50_000

# Of so many classes a line gives all numbers of pictures.
_LISTED_CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Published:
    """One of the archives, as it was published.

    Attributes:
      name: of the file.
      size: in bytes.
      md5: hexadecimal, as image-net.org gives it.
      pictures: number of them.
      classes: number of those that they are of.
    """

    name: str
    size: int
    md5: str
    pictures: int
    classes: int = 1000


TRAIN = Published(
    *("ILSVRC2012_img_train.tar", 147_897_477_120, "1d675b47d978889d74fa0da5fadfb00e"), 1_281_167
)
VALIDATION = Published(
    *("ILSVRC2012_img_val.tar", 6_744_924_160, "29b22e2961454d5413ddabcf34fc5622"), 50_000
)


def checked_paths(source: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """The paths of both archives in a directory.

    Raises:
      UserError: one is not there, or that to test on is, too.
    """
    if not source.is_dir():
        raise UserError(f"`source` must be a directory. Received: {source}")
    names = TRAIN.name, VALIDATION.name
    missing = [name for name in names if not (source / name).is_file()]
    if missing:
        found = sorted(path.name for path in source.iterdir())
        raise UserError(
            f"`source` must be a directory of {' and '.join(names)}, which image-net.org offers "
            f"to those who register. Not in {source}: {' and '.join(missing)}. "
            f"There: {', '.join(found[:10]) or 'nothing'}"
        )
    if (source / _TEST_NAME).exists():
        raise UserError(
            f"`source` must not hold {_TEST_NAME}, whose pictures have no labels. Move it out of "
            f"{source}, or make a directory of links to the other two."
        )
    return source / TRAIN.name, source / VALIDATION.name


def checked_pictures(train: pathlib.Path, validation: pathlib.Path, verify: bool) -> dict[str, int]:
    """Looks through both archives, says what is in them, and gives the pictures of each split.

    Args:
      train, validation: paths of the archives.
      verify: they must be the published ones, and hold the whole of ImageNet.

    Raises:
      UserError: one is not, or is not whole, or holds what does not belong there.
    """
    if verify:
        _check_published(train, TRAIN)
        _check_published(validation, VALIDATION)
    of_classes = _training_pictures(train)
    numbers = {"train": sum(of_classes.values()), "validation": _validation_pictures(validation)}
    if verify:
        _check_number(train, "pictures", numbers["train"], TRAIN.pictures)
        _check_number(train, "classes", len(of_classes), TRAIN.classes)
        _check_number(validation, "pictures", numbers["validation"], VALIDATION.pictures)
    classes = f"{len(of_classes):,} class{'' if len(of_classes) == 1 else 'es'}"
    print(f"train: {numbers['train']:,} pictures of {classes} ({_listing(of_classes)})")
    print(f"validation: {numbers['validation']:,} pictures", flush=True)
    return numbers


def _check_published(path: pathlib.Path, published: Published) -> None:
    size = path.stat().st_size
    if size != published.size:
        what = "truncated" if size < published.size else "not the published archive"
        raise UserError(
            f"{path} is {what}: it has {size:,} bytes instead of {published.size:,}. Get it again, "
            "or pass --verify=false for other pictures in the same layout."
        )
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file, _progress("MD5 of", path) as progress:
        while block := file.read(_READ_AT_ONCE):
            digest.update(block)
            progress.update(len(block))
    if digest.hexdigest() != published.md5:
        raise UserError(
            f"{path} is damaged: its MD5 is {digest.hexdigest()} instead of {published.md5}. Get "
            "it again."
        )


def _check_number(path: pathlib.Path, what: str, number: int, expected: int) -> None:
    if number != expected:
        raise UserError(
            f"{path} holds {number:,} {what} instead of ImageNet's {expected:,}. Pass "
            "--verify=false for a part of ImageNet."
        )


def _training_pictures(path: pathlib.Path) -> dict[str, int]:
    """The number of pictures of each class, of which the archive holds an archive."""
    known, numbers = set(imagenet_synsets()), {}
    with path.open("rb") as file:
        archive = TarArchive(file, str(path))
        for member in _with_progress(archive, path):
            _check_name(archive, member, r"n[0-9]{8}\.tar", "n01440764.tar")
            name = member.name.removesuffix(".tar")
            if name not in known:
                raise UserError(f"{path} holds {member.name}, and ImageNet has no class {name}.")
            numbers[name] = _pictures_of_class(archive.within(member), name)
    if not numbers:
        raise UserError(f"{path} is empty.")
    return numbers


def _pictures_of_class(archive: TarArchive, class_name: str) -> int:
    number = 0
    for member in archive:
        _check_name(archive, member, rf"{class_name}_[0-9]+\.JPEG", f"{class_name}_1.JPEG")
        number += 1
    if not number:
        raise UserError(f"{archive.name} is empty.")
    return number


def _validation_pictures(path: pathlib.Path) -> int:
    """The number of pictures, which must be the first of ImageNet's, or get labels of others."""
    found = set()
    with path.open("rb") as file:
        archive = TarArchive(file, str(path))
        for member in _with_progress(archive, path):
            name = r"ILSVRC2012_val_([0-9]{8})\.JPEG"
            found.add(int(_check_name(archive, member, name, "ILSVRC2012_val_00000001.JPEG")[1]))
    if not found:
        raise UserError(f"{path} is empty.")
    expected = range(1, min(len(found), _LABELED) + 1)
    if wrong := sorted(found.symmetric_difference(expected)):
        fault = "holds" if wrong[0] in found else "lacks"
        raise UserError(
            f"{path} {fault} ILSVRC2012_val_{wrong[0]:08}.JPEG. Pictures to validate on get their "
            "labels by their places: they must be the first of ImageNet's, from 00000001 on "
            f"without a gap, and no more than {_LABELED:,}."
        )
    return len(found)


def _check_name(
    archive: TarArchive, member: tarfile.TarInfo, pattern: str, example: str
) -> re.Match[str]:
    if match := re.fullmatch(pattern, member.name):
        return match
    raise UserError(
        f"{archive.name} is not in the official layout: it holds {member.name!r}, and names like "
        f"{example} were expected."
    )


def _with_progress(archive: TarArchive, path: pathlib.Path) -> Iterator[tarfile.TarInfo]:
    """The members; a bar shows how far in the file the reader has come."""
    with _progress("Headers of", path) as progress:
        for member in archive:
            yield member
            progress.update(member.offset_data + member.size - progress.n)
        progress.update(path.stat().st_size - progress.n)


def _progress(what: str, path: pathlib.Path) -> "tqdm.tqdm[typing.Never]":
    size = path.stat().st_size
    return tqdm.tqdm(desc=f"{what} {path.name}", total=size, unit="B", unit_scale=True)


def _listing(numbers: Mapping[str, int]) -> str:
    """The number of pictures of each class, or of many classes the least and the most."""
    if len(numbers) <= _LISTED_CLASSES:
        return ", ".join(f"{name} {number:,}" for name, number in sorted(numbers.items()))
    least, most = min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)
    return f"from {numbers[least]:,} ({least}) to {numbers[most]:,} ({most})"
