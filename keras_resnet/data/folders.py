"""Folders of pictures as a data set: the pictures of each split and class, read when asked for."""

import collections
import csv
import difflib
import functools
import io
import pathlib
import shlex
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen, check_lines
from keras_resnet.data import cache, held_out, integrity
from keras_resnet.data.layouts import (
    ClassDirectories,
    ListedPictures,
    Part,
    count,
    counted,
    layout,
    named,
)
from keras_resnet.data.sources import FileSource, Source, SubsetSource
from keras_resnet.data.survey import COLUMNS, Survey, survey
from keras_resnet.texts import harmless

# Classes of which a line gives all numbers of pictures.
_LISTED_CLASSES = 10

# Names of classes that a message lists.
_LISTED_NAMES = 10


class Folder:
    """Pictures below some directories, whose splits are merged and whose classes are united.

    Args:
      roots: paths of folders, or of lists of labels.
      skip_corrupt: leave out pictures that do not decode, count and name them, instead of raising.
      classes: names of the classes to use; None: all.
      kept: of folders without pictures to validate on, how many are kept for that: an integer, or a
        share of each class below 1.

    Raises:
      UserError: a folder is missing or holds nothing that could be learned.
    """

    def __init__(
        self,
        roots: Sequence[pathlib.Path],
        skip_corrupt: bool,
        classes: Collection[str] | None,
        kept: int | float,
    ) -> None:
        self._name = harmless(",".join(map(str, roots)))
        self._skip_corrupt = skip_corrupt
        self._classes = None if classes is None else set(map(as_seen, classes))
        self._kept = kept
        found = [layout(root) for root in roots]
        self._unused = {
            harmless(str(root)): each.unused
            for root, each in zip(roots, found, strict=True)
            if each.unused
        }
        self._parts: dict[str, list[Part]] = {
            split: parts
            for split in ("train", "validation", "test")
            if (parts := [each.splits[split] for each in found if split in each.splits])
        }
        # Without others the pictures to test on are those to choose the best network by.
        if "validation" not in self._parts and "test" in self._parts:
            self._parts["validation"] = self._parts["test"]
        self._check_classes("validation")

    @property
    def lacks_validation(self) -> bool:
        """Whether some of the pictures to train on must be kept to validate on."""
        return "validation" not in self._parts

    @property
    def has_test(self) -> bool:
        """Whether there are pictures to test on beside those to validate on."""
        return "test" in self._parts and self._parts["test"] is not self._parts["validation"]

    @property
    def test_fits(self) -> bool:
        """Whether the pictures to test on are of the same classes."""
        return not self._test_fault

    @functools.cached_property
    def _test_fault(self) -> str:
        try:
            self._check_classes("test")
        except UserError as error:
            return str(error)
        return ""

    @functools.cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes, sorted, as they are spelled in train/ where there is one."""
        names = _spellings(self._parts.get("train") or self._parts["validation"])
        if self._classes is None:
            return tuple(sorted(names.values()))
        missing = self._classes - names.keys()
        if missing:
            near = difflib.get_close_matches(min(missing), [*names.values()], 1)
            raise UserError(
                f"`classes` must be names of classes of {self._name}. Not among them: "
                f"{named(sorted(missing))}. There are {_short(sorted(names.values()))}"
                + (f"; nearest: {harmless(near[0])}." if near else ".")
            )
        return tuple(sorted(spelled for name, spelled in names.items() if name in self._classes))

    def number_of(self, split: str) -> int:
        """How many pictures of the classes a split has, without a look into them."""
        numbers = self._numbers(split)
        return sum(numbers[as_seen(name)] for name in self.class_names)

    def check_learnable(self) -> None:
        """Finds out before a training what would be found after it.

        Raises:
          UserError: there is nothing to learn, or a name of a class is no line of text.
        """
        check_lines(self.class_names)
        if self.has_test and not self.test_fits:
            # They are not needed to train.
            print(f"The pictures to test on cannot be reported as they are: {self._test_fault}")
        if len(self.class_names) > 1:
            return
        (name,) = self.class_names
        deeper = [
            part.path / name
            for part in self._parts.get("train", ())
            if isinstance(part, ClassDirectories)
            and any(path.is_dir() for path in (part.path / name).glob("[!.]*"))
        ]
        way = (
            f"If its directories are the classes: --dataset={harmless(str(deeper[0]))}."
            if deeper
            else "Add pictures of another one, for instance of what else the camera sees."
        )
        raise UserError(
            f"{self._name} holds a single class, {harmless(repr(name))}: of one class there is "
            f"nothing to learn. {way}"
        )

    def source(self, split: str) -> Source:
        """The pictures of a split, "train", "validation" or "test", or "all"; a line says which.

        Raises:
          UserError: there are none, or some do not decode.
        """
        source: Source
        while self._unused:
            root, names = self._unused.popitem()
            print(f"{root}: not used: {named(names)}.")
        if split == "all":
            source = self._read([part for _, part in self._each_part()])
        elif split in ("train", "validation") and self.lacks_validation:
            source = self._side(split)
        elif split in self._parts:
            self._check_classes(split)
            source = self._read(self._parts[split])
        else:
            has = " and ".join(dict.fromkeys(split for split, _ in self._each_part()))
            raise UserError(
                f"No directory {self._name}/{split}: there are no pictures of this split, but of "
                f"{has}."
            )
        print(_line(split, source), flush=True)
        return source

    def _each_part(self) -> list[tuple[str, Part]]:
        """All parts, each once."""
        return [
            (split, part)
            for split, parts in self._parts.items()
            if split != "test" or self.has_test
            for part in parts
        ]

    def _side(self, split: str) -> SubsetSource:
        """Of the only pictures those to train on, or those that are kept for validation."""
        whole, kept = self._whole
        side = SubsetSource(whole, np.flatnonzero(kept if split == "validation" else ~kept))
        if split == "validation":
            # It is counted once, with the pictures to train on.
            side.left_out = {}
        return side

    @functools.cached_property
    def _whole(self) -> tuple[FileSource, np.ndarray]:
        source = self._read(self._parts["train"])
        assert source.survey is not None
        kept = held_out.kept_for_validation(source.labels, source.survey.contents, self._kept)
        number, total = int(np.count_nonzero(kept)), len(source)
        flag = "validation_images" if isinstance(self._kept, int) else "validation_share"
        if not number or (isinstance(self._kept, int) and self._kept >= total):
            raise UserError(
                f"{self._name} has no val/, and of its {count(total, 'picture')} none can be kept "
                f"for validation: two different ones of a class are needed, and `{flag}` that "
                f"leaves some to train on. Received: {flag}={self._kept!r}"
            )
        share = "of all classes"
        if isinstance(self._kept, float):
            share = f"about {100 * self._kept:g}% of each class"
        print(
            f"No val/ in {self._name}: {number} of {total} pictures, {share}, are kept for "
            f"validation (--{flag})."
        )
        return source, kept

    def _read(self, parts: Sequence[Part]) -> FileSource:
        """The source of some parts, each picture of which is decoded once."""
        labels_of = {as_seen(name): label for label, name in enumerate(self.class_names)}
        pictures: list[list[pathlib.Path]] = [[] for _ in self.class_names]
        left_out: collections.Counter[str] = collections.Counter()
        for part in parts:
            left_out += part.beside()
            for name, found in part.found().items():
                label = labels_of.get(as_seen(name))
                if label is None:
                    left_out["pictures of other classes"] += len(found.pictures)
                    continue
                left_out += found.left_out
                pictures[label] += found.pictures
        self._check_not_empty(parts, pictures, left_out)
        paths = [path for of_class in pictures for path in of_class]
        labels = np.repeat(np.arange(len(pictures)), [len(of_class) for of_class in pictures])
        source = FileSource(paths, labels, self.class_names, converts=True, left_out=left_out)
        directory = pathlib.Path(harmless(", ".join(str(part.path) for part in parts)))
        if self._skip_corrupt:
            return _without_corrupt(source, directory)
        return surveyed(source, directory)

    def _check_not_empty(
        self,
        parts: Sequence[Part],
        pictures: Sequence[Sequence[pathlib.Path]],
        left_out: Mapping[str, int],
    ) -> None:
        empty = [
            name for name, of_class in zip(self.class_names, pictures, strict=True) if not of_class
        ]
        if not empty:
            return
        places = named([str(part.path / empty[0]) for part in parts])
        others = f", but other files: {counted(left_out)}" if left_out else ""
        more = f" Nor do those of {_short(empty[1:])}." if len(empty) > 1 else ""
        filled = [name for name in self.class_names if name not in empty]
        raise UserError(
            f"{places} holds no picture{others}.{more} Add pictures or remove the directory, or "
            f"use the other classes alone{_as_flag(filled)}."
        )

    def _check_classes(self, other: str) -> None:
        """Raises UserError where the classes to use differ between training and another split."""
        sets = {
            split: {
                name: spelled
                for name, spelled in _spellings(self._parts[split]).items()
                if self._classes is None or name in self._classes
            }
            for split in ("train", other)
            if split in self._parts
        }
        if len(sets) < 2 or sets["train"].keys() == sets[other].keys():
            return
        common = sets["train"].keys() & sets[other].keys()
        only = {
            split: sorted(spelled for name, spelled in names.items() if name not in common)
            for split, names in sets.items()
        }
        places = {split: self._where(split) for split in only}
        lines = [f"{places['train']} and {places[other]} must have the same classes."]
        for split, names in only.items():
            if names:
                numbers = self._numbers(split)
                listing = [f"{name} ({count(numbers[as_seen(name)], 'picture')})" for name in names]
                lines.append(f"  Only in {places[split]}: {_short(listing)}")
        for name in only["train"]:
            near = _nearest(name, only[other])
            if near is not None:
                lines.append(
                    f"  Perhaps one class: {harmless(name)} in {places['train']}, "
                    f"{harmless(near)} in {places[other]}"
                )
        flag = _as_flag(sorted(sets["train"][name] for name in common))
        lines.append(f"Rename or add classes{f', or use those of both{flag}' if flag else ''}.")
        raise UserError("\n".join(lines))

    def _where(self, split: str) -> str:
        places = [
            str(part.path) + (f" ({split})" if isinstance(part, ListedPictures) else "")
            for part in self._parts[split]
        ]
        return named(places)

    def _numbers(self, split: str) -> collections.Counter[str]:
        """How many pictures of each class a split has."""
        numbers: collections.Counter[str] = collections.Counter()
        for part in self._parts[split]:
            for name, found in part.found().items():
                numbers[as_seen(name)] += len(found.pictures)
        return numbers


def _spellings(parts: Sequence[Part]) -> dict[str, str]:
    """The classes of some parts: what is seen of a name, and the first that is spelled so."""
    names: dict[str, str] = {}
    for part in parts:
        for name in part.class_names:
            names.setdefault(as_seen(name), name)
    return names


def _nearest(name: str, others: Sequence[str]) -> str | None:
    """The one of some names that may be meant by another, such as Cat by cat."""
    by_form = {as_seen(other).casefold(): other for other in others}
    near = difflib.get_close_matches(as_seen(name).casefold(), by_form, 1, cutoff=0.8)
    return by_form[near[0]] if near else None


def _as_flag(class_names: Sequence[str]) -> str:
    """The flag that asks for some classes alone, to be pasted; empty for fewer than two."""
    if len(class_names) < 2:
        return ""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(class_names)
    return f": {harmless(shlex.quote(f'--classes={row.getvalue()}'))}"


def _short(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
    return ", ".join(map(harmless, names[:_LISTED_NAMES])) + more


def _line(split: str, source: Source) -> str:
    """What a split holds: pictures, classes, and what was left out."""
    numbers = np.bincount(
        source.fetch(np.arange(len(source)))[1], minlength=len(source.class_names)
    )
    names = [harmless(name) for name in source.class_names]
    if len(names) <= _LISTED_CLASSES:
        listing = ", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True))
    else:
        least, most = int(numbers.argmin()), int(numbers.argmax())
        listing = f"from {numbers[least]} ({names[least]}) to {numbers[most]} ({names[most]})"
    line = (
        f"{split}: {count(len(source), 'picture')} of {len(names)} "
        f"class{'' if len(names) == 1 else 'es'} ({listing})."
    )
    if source.left_out:
        files = count(sum(source.left_out.values()), "file")
        line += f" Left out: {files} ({counted(source.left_out)})."
    return line


def surveyed(source: FileSource, directory: pathlib.Path) -> FileSource:
    """A source with its survey: every picture is decoded at the first start only.

    Args and errors: see `survey_of`.
    """
    table = cache.remembered(
        "survey",
        source.paths,
        (len(source), len(COLUMNS)),
        lambda: survey_of(source, directory).table,
    )
    return source.looked_at(Survey(np.arange(len(source)), table))


def survey_of(source: FileSource, directory: pathlib.Path) -> Survey:
    """The survey of all pictures of a source, each of which is decoded.

    Args:
      source: `FileSource`.
      directory: where they are, for the progress bar.

    Raises:
      UserError: some do not decode.
    """
    found = _usable_pictures(source, directory)
    if len(found) < len(source):
        raise UserError(
            f"{_complaint(source, found.indices)}\n"
            "Repair or remove them, or leave them out with --skip_corrupt."
        )
    return found


def _without_corrupt(source: FileSource, directory: pathlib.Path) -> FileSource:
    """The source without the pictures that do not decode, which are looked for at every start.

    A file that rots on its disk does not change its size or its time.
    """
    found = _usable_pictures(source, directory)
    if len(found) < len(source):
        print(f"Skipped: {_complaint(source, found.indices)}")
    for label in set(range(len(source.class_names))) - set(source.labels[found.indices]):
        raise UserError(
            f"{directory} holds no picture of class {source.class_names[label]!r} that decodes."
        )
    return source.looked_at(found)


def _usable_pictures(source: FileSource, directory: pathlib.Path) -> Survey:
    return survey(source, range(len(source)), f"Checking {directory}")


def _complaint(source: FileSource, usable: Sequence[int] | np.ndarray) -> str:
    return integrity.complaint(source, usable, "pictures do not decode")
