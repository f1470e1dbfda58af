"""A folder of pictures as a data set: a directory for each split and in it one for each class."""

import pathlib
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import cache, integrity
from keras_resnet.data.sources import FileSource

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")

FOLDER_HELP = (
    "A folder of pictures looks like PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg "
    "(.jpg, .jpeg or .png)."
)


def load_folder(root: pathlib.Path, split: str, skip_corrupt: bool) -> FileSource:
    """The source of one split of a folder of pictures.

    Args:
      root: pathlib.Path of the folder.
      split: "train" or "validation".
      skip_corrupt: leave out pictures that do not decode, count and name them, instead of raising.

    Raises:
      UserError: the folder is missing, empty or corrupt.
    """
    class_names = _class_names(root / "val")
    # To be evaluated, a folder needs no pictures to train on.
    other_names = class_names
    if split == "train" or (root / "train").exists():
        other_names = _class_names(root / "train")
    if other_names != class_names:
        differing = ", ".join(sorted(set(class_names) ^ set(other_names)))
        raise UserError(
            f"{root}/train and {root}/val must hold the same class directories. "
            f"Only in one of them: {differing}"
        )
    directory = root / {"train": "train", "validation": "val"}[split]
    paths: list[pathlib.Path] = []
    labels: list[int] = []
    for label, class_name in enumerate(class_names):
        pictures = pictures_below(directory / class_name)
        if not pictures:
            raise UserError(
                f"{directory / class_name} holds no picture (.jpg, .jpeg or .png). "
                "Add pictures or remove the directory."
            )
        paths += pictures
        labels += [label] * len(pictures)
    source = FileSource(paths, labels, tuple(class_names))
    if skip_corrupt:
        return _without_corrupt(source, directory)
    # Every picture is decoded at the first start only.
    contents = cache.remembered(
        "folder", source.paths, (len(source),), lambda: contents_of(source, directory)
    )
    return FileSource(source.paths, source.labels, source.class_names, contents)


def pictures_below(directory: pathlib.Path) -> list[pathlib.Path]:
    """Paths of the pictures at any depth of a directory, sorted, without what is hidden in it."""
    return sorted(
        path
        for path in directory.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES
        # As of a link that leads nowhere, reading will say what is wrong with it.
        and (path.is_file() or not path.exists())
        and not any(map(_is_hidden, path.relative_to(directory).parts))
    )


def _is_hidden(name: str) -> bool:
    """Whether a program left the file for itself, as .ipynb_checkpoints or ._cat.jpg."""
    return name.startswith(".")


def _class_names(directory: pathlib.Path) -> list[str]:
    if not directory.is_dir():
        raise UserError(f"No directory {directory}. {FOLDER_HELP}")
    names = sorted(
        path.name for path in directory.iterdir() if path.is_dir() and not _is_hidden(path.name)
    )
    if not names:
        raise UserError(f"{directory} holds no class directory. {FOLDER_HELP}")
    return names


def contents_of(source: FileSource, directory: pathlib.Path) -> np.ndarray:
    """Hashes of all pictures of a source, int64 [n], each of which is decoded.

    Args:
      source: `FileSource`.
      directory: where they are, for the progress bar.

    Raises:
      UserError: some do not decode.
    """
    usable, contents = _usable_pictures(source, directory)
    if len(usable) < len(source):
        raise UserError(
            f"{_complaint(source, usable)}\n"
            "Repair or remove them, or leave them out with --skip_corrupt."
        )
    return contents


def _without_corrupt(source: FileSource, directory: pathlib.Path) -> FileSource:
    """The source without the pictures that do not decode, which are looked for at every start.

    A file that rots on its disk does not change its size or its time.
    """
    usable, contents = _usable_pictures(source, directory)
    if len(usable) < len(source):
        print(f"Skipped: {_complaint(source, usable)}")
    labels = source.labels[usable]
    for label in set(range(len(source.class_names))) - set(labels):
        raise UserError(
            f"{directory} holds no picture of class {source.class_names[label]!r} that decodes."
        )
    paths = [source.paths[index] for index in usable]
    return FileSource(paths, labels, source.class_names, contents)


def _usable_pictures(source: FileSource, directory: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    return integrity.usable_images(source, range(len(source)), f"Checking {directory}")


def _complaint(source: FileSource, usable: Sequence[int] | np.ndarray) -> str:
    return integrity.complaint(source, usable, "pictures do not decode as JPEG or PNG")
