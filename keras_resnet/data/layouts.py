"""How the pictures of a folder lie: in which splits, and where their classes are said.

The classes of a split are directories in its own, or stand in a list of labels. Without
directories of splits the classes lie at the top, or in a list there.
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from keras_resnet.checks import UserError
from keras_resnet.data.labels import (
    SPLITS,
    SUFFIXES_OF_LISTS,
    Row,
    has_classes,
    read_labels,
    split_called,
)
from keras_resnet.data.pictures import (
    HIDDEN,
    Found,
    found_below,
    holds_picture,
    is_hidden,
    is_picture,
    suffix_of,
)
from keras_resnet.texts import harmless

FOLDER_HELP = (
    "A folder looks like PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg, PATH/CLASS/*.jpg, or "
    "pictures and a list of them, PATH/labels.csv (docs/data.md)."
)

# Stems of lists that are known as such whatever lies beside them.
_LISTS = ("labels", "metadata")

# Names that a message gives.
_LISTED = 5


@dataclasses.dataclass(frozen=True)
class ClassDirectories:
    """A directory in which there is one for each class.

    Attributes:
      path: of the directory.
      class_names: their names, sorted.
    """

    path: pathlib.Path
    class_names: tuple[str, ...]

    def found(self) -> dict[str, Found]:
        """What is below the directory of each class, by its name."""
        return {name: found_below(self.path / name) for name in self.class_names}

    def beside(self) -> collections.Counter[str]:
        """What lies beside the directories of the classes, by suffix."""
        beside: collections.Counter[str] = collections.Counter()
        for entry in _entries(self.path):
            if is_hidden(entry.name):
                beside[HIDDEN] += 1
            elif entry.name not in self.class_names and not os.path.isdir(entry):
                suffix = suffix_of(entry.name)
                beside[f"{suffix} in no class" if is_picture(entry.path) else suffix] += 1
        return beside


@dataclasses.dataclass(frozen=True)
class ListedPictures:
    """The pictures of a list that are of one split.

    Attributes:
      path: of the list.
      rows: its lines for this split.
      folder: directory whose other pictures are counted as left out; None: there is none.
      listed: all paths of the list.
    """

    path: pathlib.Path
    rows: tuple[Row, ...]
    folder: pathlib.Path | None
    listed: frozenset[pathlib.Path]

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(sorted({row.class_name for row in self.rows}))

    def found(self) -> dict[str, Found]:
        """The pictures of each class, by its name."""
        pictures: dict[str, list[pathlib.Path]] = {name: [] for name in self.class_names}
        for row in self.rows:
            pictures[row.class_name].append(row.path)
        return {
            name: Found(sorted(paths), collections.Counter()) for name, paths in pictures.items()
        }

    def beside(self) -> collections.Counter[str]:
        """What is below the folder and not in the list, by suffix."""
        if self.folder is None:
            return collections.Counter()
        found = found_below(self.folder)
        for suffix in SUFFIXES_OF_LISTS:
            del found.left_out[suffix]
        unlisted = (path for path in found.pictures if path not in self.listed)
        counted = collections.Counter(f"{suffix_of(path.name)} not listed" for path in unlisted)
        return found.left_out + counted


Part = ClassDirectories | ListedPictures


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a path holds.

    Attributes:
      splits: the parts by "train", "validation" and "test"; "train" alone where there are none.
      unused: names of what lies beside them, and is in none.
    """

    splits: Mapping[str, Part]
    unused: tuple[str, ...] = ()


def layout(path: pathlib.Path) -> Layout:
    """What a folder, or a list of labels, holds.

    Raises:
      UserError: it holds nothing that could be learned; the message says what is there instead.
    """
    if path.is_file():
        return _layout_of_file(path)
    if not path.is_dir():
        raise UserError(f"No directory {_shown(path)}. {FOLDER_HELP}")
    names = [entry.name for entry in _entries(path) if not is_hidden(entry.name)]
    directories = {split: _directory_of(path, split, names) for split in SPLITS}
    parts = {split: _part(path / name) for split, name in directories.items() if name is not None}
    splits = {split: part for split, part in parts.items() if part is not None}
    if splits and "train" not in parts or "train" in splits:
        for split in parts.keys() - splits.keys() - {"test"}:
            raise _without_classes(path / str(directories[split]))
        used = {directories[split] for split in splits}
        return Layout(splits, tuple(sorted(set(names) - {*used})))
    lists = _lists_of_splits(path, names)
    if lists:
        return lists
    part = _part(path, empty_too=False)
    if isinstance(part, ListedPictures):
        return _layout_of_list(part.path, path)
    if part is None or all(map(split_called, part.class_names)):
        flat = next((name for name in directories.values() if name is not None), None)
        raise _without_classes(path if flat is None else path / flat)
    others = {name for name in names if (path / name).is_dir()} - {*part.class_names}
    return Layout({"train": part}, tuple(sorted(others)))


def is_data_set(path: str | os.PathLike[str]) -> bool:
    """Whether a directory holds train/, directories of classes, or a list of labels."""
    path = pathlib.Path(path)
    if not path.is_dir():
        return False
    names = [entry.name for entry in _entries(path) if not is_hidden(entry.name)]
    directories = [name for name in names if (path / name).is_dir()]
    if any(split_called(name) == "train" for name in directories):
        return True
    if _list_in(path, names, by_name=True) is not None:
        return True
    return sum(_may_be_class(path / name) for name in directories) > 1 or (
        _list_in(path, names, by_name=False) is not None and holds_picture(path)
    )


def is_list(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a list of labels, by its suffix."""
    return suffix_of(os.path.basename(path)) in SUFFIXES_OF_LISTS and os.path.isfile(path)


def _layout_of_file(path: pathlib.Path) -> Layout:
    if is_list(path):
        return _layout_of_list(path, None)
    is_one = "is one picture" if is_picture(path) else "is a file"
    raise UserError(
        f"{_shown(path)} {is_one}, no folder of pictures and no list of labels "
        f"({', '.join(SUFFIXES_OF_LISTS)}). {FOLDER_HELP}"
    )


def _layout_of_list(path: pathlib.Path, folder: pathlib.Path | None) -> Layout:
    rows = read_labels(path)
    by_split = {
        split: tuple(row for row in rows if (row.split or "train") == split) for split in SPLITS
    }
    parts: dict[str, Part] = {}
    for split, of_split in by_split.items():
        if of_split:
            # What is not listed is counted once.
            parts[split] = ListedPictures(path, of_split, None if parts else folder, _paths(rows))
    return Layout(parts)


def _lists_of_splits(path: pathlib.Path, names: Sequence[str]) -> Layout | None:
    """The layout of a directory with a list for each split, such as train.csv and val.csv."""
    files = [name for name in names if is_list(path / name)]
    found = {
        split: next(
            (name for name in files if split_called(pathlib.Path(name).stem) == split), None
        )
        for split in SPLITS
    }
    lists = {split: path / name for split, name in found.items() if name is not None}
    if "train" not in lists:
        return None
    if "test" in lists and not has_classes(lists["test"]):
        # As of a competition, which keeps them to itself.
        del lists["test"]
    rows = {split: tuple(read_labels(file)) for split, file in lists.items()}
    listed = frozenset[pathlib.Path]().union(*map(_paths, rows.values()))
    # What is not listed is counted once.
    return Layout(
        {
            split: ListedPictures(file, rows[split], path if split == "train" else None, listed)
            for split, file in lists.items()
        }
    )


def _directory_of(path: pathlib.Path, split: str, names: Sequence[str]) -> str | None:
    """The name of a split's directory in a folder; the first of `SPLITS`, where it is there.

    Raises:
      UserError: there are two.
    """
    found = [name for name in names if split_called(name) == split and (path / name).is_dir()]
    if SPLITS[split][0] in found:
        return SPLITS[split][0]
    if len(found) > 1:
        raise UserError(
            f"{_shown(path)} holds {' and '.join(map(_shown, sorted(found)))}: one of them may be "
            f"the {split} set. Rename or unite them."
        )
    return found[0] if found else None


def _part(directory: pathlib.Path, empty_too: bool = True) -> Part | None:
    """The classes of a directory; None: it has none.

    Args:
      directory: that of a split, or of all pictures.
      empty_too: whether directories without pictures are classes, which will be complained about.
    """
    names = [entry.name for entry in _entries(directory) if not is_hidden(entry.name)]
    classes = sorted(name for name in names if (directory / name).is_dir())
    only = _list_in(directory, names, by_name=False)
    if only is not None or not empty_too:
        filled = [name for name in classes if _may_be_class(directory / name)]
        # Beside the directories of two classes it may be a list of anything.
        is_named = not empty_too and _list_in(directory, names, by_name=True) is not None
        if only is not None and (is_named or len(filled) < 2):
            rows = read_labels(only)
            return ListedPictures(only, tuple(rows), directory, _paths(rows))
        classes = classes if empty_too else filled
    return ClassDirectories(directory, tuple(classes)) if classes else None


def _may_be_class(directory: pathlib.Path) -> bool:
    """Whether a directory holds pictures, and not for the reason that trainings were kept in it."""
    places = (directory, *(path for path in directory.iterdir() if path.is_dir()))
    is_of_runs = any(
        all((path / name).is_file() for name in ("config.json", "data.json")) for path in places
    )
    return not is_of_runs and holds_picture(directory)


def _paths(rows: Sequence[Row]) -> frozenset[pathlib.Path]:
    return frozenset(row.path for row in rows)


def _list_in(directory: pathlib.Path, names: Sequence[str], by_name: bool) -> pathlib.Path | None:
    """The list of labels in a directory: by its name, or else the only one."""
    lists = sorted(name for name in names if is_list(directory / name))
    named = [name for name in lists if pathlib.Path(name).stem.lower() in _LISTS]
    if named:
        return directory / named[0]
    return directory / lists[0] if len(lists) == 1 and not by_name else None


def _without_classes(directory: pathlib.Path) -> UserError:
    """The error over a directory in which no classes are found: what is there instead."""
    found = found_below(directory)
    entries = [entry for entry in _entries(directory) if not is_hidden(entry.name)]
    directories = sorted(entry.name for entry in entries if os.path.isdir(entry))
    lists = sorted(entry.name for entry in entries if is_list(entry.path))
    holds = [count(len(found.pictures), "picture")] if found.pictures else ["no pictures"]
    others = sum(found.left_out.values())
    if others:
        holds.append(f"{count(others, 'other file')} ({counted(found.left_out)})")
    holds.append(f"the directories {named(directories)}" if directories else "no directories")
    ways = "Put the pictures of each class into a directory of its name."
    if lists:
        ways += f" Of several lists, {named(lists)}, name one: --dataset={_shown(directory)}/LIST."
    return UserError(
        f"{_shown(directory)} holds no class directory: {', '.join(holds)}. {ways} {FOLDER_HELP}"
    )


def count(number: int, noun: str) -> str:
    """A number of things, in words: 1 picture, 12 pictures."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def counted(left_out: Mapping[str, int]) -> str:
    """What was left out, by suffix, the most first."""
    order = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{harmless(suffix)} {number}" for suffix, number in order)


def named(names: Sequence[str]) -> str:
    """Some of many names."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(map(harmless, names[:_LISTED])) + more


def _entries(directory: pathlib.Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


def _shown(path: str | pathlib.Path) -> str:
    return harmless(str(path))
