"""Data sets of pictures of which more is known than one class each, whatever it is.

Folders of them are looked at whole before any is learned from.
"""

import abc
import collections
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError, check_one_of, shown
from keras_resnet.class_names import as_seen, check_lines
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.folders import surveyed
from keras_resnet.data.integrity import complaint
from keras_resnet.data.sources import FileSource, Source
from keras_resnet.data.survey import survey
from keras_resnet.texts import harmless

# What is kept for validation of folders that have no pictures for it.
KEPT = 0.1

IN_BOTH = "pictures to validate on that are also among those to train on"

SPLITS = ("train", "validation")


@dataclasses.dataclass(frozen=True)
class AnnotatedSplit:
    """The pictures of a split, and what should be known of them.

    Attributes:
      source: `AnnotatedSource`.
      notes: how much there was of what a person should know, by what it was.
      image_ids: what the data set calls each picture; empty: nothing.
      class_ids: what it calls each class; empty: as the labels.
    """

    source: AnnotatedSource
    notes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    image_ids: tuple[int | str, ...] = ()
    class_ids: tuple[int, ...] = ()


class AnnotatedSet(abc.ABC):
    """A data set of which the splits "train" and "validation" can be read.

    Attributes:
      class_names: which the annotations index.
      lacks_validation: whether it has no pictures to validate on, and keeps some of the others.
    """

    lacks_validation = False

    def __init__(self, class_names: tuple[str, ...]) -> None:
        _check_names(class_names)
        self.class_names = class_names
        self._opened: dict[str, AnnotatedSplit] = {}

    @abc.abstractmethod
    def _open(self, split: str) -> AnnotatedSplit: ...

    @abc.abstractmethod
    def _check(self, split: str, found: AnnotatedSplit) -> None:
        """Raises UserError where there is nothing to train or to validate on."""

    def split(self, split: str) -> AnnotatedSplit:
        """A split with its annotations, read once.

        Raises:
          UserError: there is nothing to train or to validate on, or the pictures cannot be used.
        """
        check_one_of("split", split, SPLITS)
        if split not in self._opened:
            found = self._open(split)
            self._check(split, found)
            self._opened[split] = found
        return self._opened[split]

    def source(self, split: str) -> AnnotatedSource:
        """The pictures of a split; see `split`."""
        return self.split(split).source

    @property
    def notes(self) -> dict[str, collections.Counter[str]]:
        """What a person should know of each split that was read."""
        return {split: found.notes for split, found in self._opened.items()}


def _check_names(class_names: Sequence[str]) -> None:
    """Raises UserError for names of classes that are no lines of text, or cannot be told apart."""
    check_lines(class_names)
    seen: dict[str, str] = {}
    for name in class_names:
        other = seen.setdefault(as_seen(name), name)
        if other is not name:
            raise UserError(
                f"Two classes look the same, {shown(other)} and {shown(name)}. Rename one."
            )


def told(notes: Mapping[str, int]) -> str:
    """What a person should know, as sentences of a message."""
    return " ".join(f"{what}: {number}." for what, number in notes.items())


def check_there(paths: Sequence[pathlib.Path]) -> None:
    """Raises UserError unless all pictures are there."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} pictures are not there, the first "
            f"{harmless(str(missing[0]))}. Restore them, or remove their annotations."
        )


def looked_at(
    paths: Sequence[pathlib.Path], name: str, skip_corrupt: bool
) -> tuple[FileSource, np.ndarray]:
    """Pictures with their survey, for which each was decoded once, and which of the paths they are.

    Raises:
      UserError: some do not decode, or all, where those are to be left out, counted and named.
    """
    pictures = FileSource(paths, np.zeros(len(paths), np.int64), converts=True)
    if skip_corrupt:
        usable = survey(pictures, range(len(pictures)), f"Checking the pictures of {name}")
        say_skipped(pictures, usable.indices)
        return pictures.looked_at(usable), usable.indices
    return surveyed(pictures, pathlib.Path(name)), np.arange(len(paths))


def say_skipped(pictures: Source, usable: np.ndarray) -> None:
    """Counts and names in print what cannot be used.

    Raises:
      UserError: nothing can.
    """
    if len(usable) < len(pictures):
        message = complaint(pictures, usable, "pictures cannot be used")
        if not len(usable):
            raise UserError(f"{message}\nRestore the data.")
        print(f"Skipped: {message}")


def number_in_both(train: Source, validation: Source) -> int:
    """How many pictures to validate on are also among those to train on."""
    contents = []
    for source in (train, validation):
        assert source.survey is not None
        contents.append(source.survey.contents)
    return int(np.isin(contents[1], contents[0]).sum())


def kept_rows(number: int, kept: int | float, name: str) -> dict[str, np.ndarray]:
    """Which of some pictures are to train on, and which are kept for validation, by split.

    They are drawn by their number alone.

    Args:
      number: of the pictures.
      kept: how many, or a share below 1.
      name: of the data set, for the message.

    Raises:
      UserError: none would be left for the one or the other.
    """
    held_out = kept if isinstance(kept, int) else max(1, round(kept * number))
    if not 0 < held_out < number:
        raise UserError(
            f"{name} has no pictures to validate on, and of its {number} to train "
            f"on {shown(kept)} cannot be kept for that: some must be left."
        )
    order = np.random.default_rng(0).permutation(number)
    return {"train": np.sort(order[held_out:]), "validation": np.sort(order[:held_out])}
