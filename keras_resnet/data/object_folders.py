"""Folders of pictures with boxes: which files say what is to be trained on, and what validated on.

VOC's, COCO's and YOLO's, and what common tools make of them.
"""

import collections
import dataclasses
import pathlib
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import annotations, coco_json, voc_xml, yolo_sets, yolo_txt
from keras_resnet.data.annotations import (
    WITHOUT_PICTURE,
    Annotations,
    joined,
    relabelled,
)
from keras_resnet.data.labels import split_called
from keras_resnet.data.layouts import named
from keras_resnet.data.names import BOXES_HELP
from keras_resnet.texts import harmless

_ROBOFLOW = "_annotations.coco.json"


class Part(typing.Protocol):
    """What is said of the pictures of a split, some of which may wait for their shapes."""

    @property
    def paths(self) -> Sequence[pathlib.Path]:
        """Of the pictures."""

    def upright(self, shapes: np.ndarray, orientations: np.ndarray) -> Annotations:
        """The annotations in pixels of the upright pictures, see `annotations.upright`."""

    def of(self, indices: np.ndarray) -> "Part":
        """The same of some of the pictures."""


@dataclasses.dataclass(frozen=True)
class Declared:
    """Annotations that say how large their pictures are."""

    given: Annotations

    @property
    def paths(self) -> Sequence[pathlib.Path]:
        return self.given.paths

    def upright(self, shapes: np.ndarray, orientations: np.ndarray) -> Annotations:
        return annotations.upright(self.given, shapes, orientations)

    def of(self, indices: np.ndarray) -> "Declared":
        return Declared(annotations.part(self.given, indices))


@dataclasses.dataclass(frozen=True)
class Relative:
    """Annotations of YOLO, which are relative to the upright picture."""

    paths: Sequence[pathlib.Path]
    class_names: tuple[str, ...]

    def upright(self, shapes: np.ndarray, _: np.ndarray) -> Annotations:
        return yolo_txt.read(self.paths, shapes, self.class_names)

    def of(self, indices: np.ndarray) -> "Relative":
        return Relative([self.paths[index] for index in indices], self.class_names)


def parts(paths: Sequence[pathlib.Path]) -> dict[str, Part]:
    """What some paths hold by split: "train", and "validation" where they have pictures for it.

    Args:
      paths: one folder or file; or several folders of VOC; or two files of COCO, to train on and to
        validate on.

    Raises:
      UserError: they hold something else; the message says what was looked for.
    """
    if all(map(_voc_folders, paths)):
        return dict(_of_voc([folder for path in paths for folder in _voc_folders(path)]))
    if files := coco_files(paths):
        return dict(of_coco(files))
    if len(paths) == 1:
        (path,) = paths
        described = path if path.suffix in yolo_sets.SUFFIXES else yolo_sets.description(path)
        if described is not None:
            found = yolo_sets.described(described)
            return {
                split: Relative(pictures, found.class_names)
                for split, pictures in found.pictures.items()
            }
    raise UserError(
        f"`dataset` must be of pictures with boxes, and no annotations are known in "
        f"{', '.join(harmless(str(path)) for path in paths)}. {BOXES_HELP} With commas between "
        "them several folders of VOC can be named, or a COCO file to train on and one to validate "
        "on."
    )


def _declared(read: Mapping[str, Annotations]) -> dict[str, Declared]:
    """The parts of annotations, all labelled as those to train on.

    Raises:
      UserError: their classes differ. Where the annotations list none, as VOC's, those to validate
        on may lack some.
    """
    train = read["train"]
    for split, other in read.items():
        only = {split: sorted(set(other.class_names) - set(train.class_names))}
        if train.class_ids and other is not train:
            only["train"] = sorted(set(train.class_names) - set(other.class_names))
        if any(only.values()):
            differences = [
                f"only in {each}: {named(names)}" for each, names in only.items() if names
            ]
            raise UserError(
                f"Pictures to train on, as {harmless(str(train.paths[0]))}, and to validate on, as "
                f"{harmless(str(other.paths[0]))}, must have the same classes. "
                f"{'; '.join(differences)}. Rename, add or remove them."
            )
    return {split: Declared(relabelled(each, train.class_names)) for split, each in read.items()}


# --- VOC


def _voc_folders(path: pathlib.Path) -> list[pathlib.Path]:
    """The folders of VOC that a path is, or holds: VOCdevkit has one for each year."""
    if any(next(place.glob("*.xml"), None) for place in (path / "Annotations", path)):
        return [path]
    return sorted(each.parent for each in path.glob("VOC*/Annotations"))


def _of_voc(folders: Sequence[pathlib.Path]) -> dict[str, Declared]:
    """Of VOC's years those with annotations to test on are for that, and all else is to train on.

    Without such a year train.txt and val.txt say what is for what.
    """
    tests = [folder for folder in folders if _has_test(folder)]
    if tests:
        train = [
            voc_xml.read(folder, split)
            for folder in folders
            for split in _lists(folder, ["trainval"], ["train", "val"], ["train"])
        ]
        validation = [voc_xml.read(folder, "test") for folder in tests]
    else:
        train = [
            voc_xml.read(folder, split)
            for folder in folders
            for split in _lists(folder, ["train"], ["trainval"])
        ]
        validation = [
            voc_xml.read(folder, "val") for folder in folders if _list(folder, "val").is_file()
        ]
    if not train:
        raise UserError(
            f"{', '.join(harmless(str(folder)) for folder in folders)} has pictures to test on "
            "alone: name another folder of VOC beside it, to train on, with a comma between them."
        )
    read = {"train": train, "validation": validation}
    return _declared({split: joined(each) for split, each in read.items() if each})


def _list(folder: pathlib.Path, split: str) -> pathlib.Path:
    return folder / "ImageSets" / "Main" / f"{split}.txt"


def _has_test(folder: pathlib.Path) -> bool:
    """Whether pictures to test on have annotations, which those of 2012 have not."""
    if not _list(folder, "test").is_file():
        return False
    stems = _list(folder, "test").read_text(errors="replace").split()
    return bool(stems) and (folder / "Annotations" / f"{stems[0]}.xml").is_file()


def _lists(folder: pathlib.Path, *choices: list[str]) -> Sequence[str | None]:
    """The lists of the pictures to train on: the first of some choices that are all there.

    Without any lists it is that of all pictures, None; of a folder to test on alone, nothing.

    Raises:
      UserError: there are others.
    """
    for choice in choices:
        if all(_list(folder, split).is_file() for split in choice):
            return choice
    place = _list(folder, "train").parent
    if not place.is_dir():
        return [None]
    if _has_test(folder):
        return []
    names = ", ".join(f"{choice[0]}.txt" for choice in choices)
    raise UserError(
        f"{harmless(str(place))} has none of {names}, which name the pictures to train on."
    )


# --- COCO


def coco_files(paths: Sequence[pathlib.Path]) -> dict[str, pathlib.Path]:
    """The JSON files of COCO that some paths are, or hold, by split; nothing: there are none."""
    files = [path for path in paths if path.suffix == ".json"]
    if len(files) == len(paths) <= 2:
        return dict(zip(("train", "validation"), files, strict=False))
    return _files_of_folder(paths[0]) if len(paths) == 1 else {}


def _files_of_folder(path: pathlib.Path) -> dict[str, pathlib.Path]:
    """The JSON files of a folder, by split."""
    files = sorted((path / "annotations").glob("*.json"))
    named = _by_split(files, _split_of_instances)
    if not named:
        named = _by_split(
            sorted(path.glob(f"*/{_ROBOFLOW}")), lambda file: split_called(file.parent.name)
        )
    if not named:
        # Of one file, or of one folder of Roboflow's.
        only = files or sorted(path.glob("*.json"))
        named = {"train": only[0]} if len(only) == 1 else {}
    if named and "train" not in named:
        raise UserError(
            f"{harmless(str(path))} has annotations to validate on alone, "
            f"{harmless(str(named['validation']))}, and none to train on."
        )
    return named


def _by_split(
    files: Iterable[pathlib.Path], split_of: Callable[[pathlib.Path], str | None]
) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    for file in files:
        split = split_of(file)
        if split not in ("train", "validation"):
            continue
        if split in found:
            raise UserError(
                f"Both {harmless(str(found[split]))} and {harmless(str(file))} may be of the "
                f"{split} set. Name the files: --dataset=TRAIN.json,VAL.json"
            )
        found[split] = file
    return found


def _split_of_instances(file: pathlib.Path) -> str | None:
    """That of instances_train2017.json, or of train.json."""
    stem = file.stem.removeprefix("instances_").rstrip("0123456789")
    return split_called(stem)


def of_coco(files: Mapping[str, pathlib.Path]) -> dict[str, Declared]:
    """The annotations of files by split, each with the paths of its pictures."""
    return _declared({split: _read_coco(file) for split, file in files.items()})


def _read_coco(file: pathlib.Path) -> Annotations:
    """The annotations of a file, and its pictures where most of them are."""
    read = coco_json.read(file, "")
    subset = file.stem.removeprefix("instances_")
    above = file.parent.parent
    places = [
        *(file.parent, file.parent / "images", above / subset, above / "images" / subset),
        *(above / "images", above),
    ]

    def number_in(place: pathlib.Path) -> int:
        return sum((place / path).is_file() for path in read.paths)

    # Where all are no other place is asked.
    place = next(
        (each for each in places if all((each / path).is_file() for path in read.paths)), None
    ) or max(places, key=number_in)
    if not number_in(place):
        raise UserError(
            f"No picture of {harmless(str(file))} is there. Looked for "
            f"{harmless(str(read.paths[0]))} in {', '.join(harmless(str(p)) for p in places)}."
        )
    there = [index for index, path in enumerate(read.paths) if (place / path).is_file()]
    notes = read.notes
    if len(there) < len(read.paths):
        notes = notes + collections.Counter({WITHOUT_PICTURE: len(read.paths) - len(there)})
        read = annotations.part(read, np.array(there))
    paths = tuple(place / path for path in read.paths)
    return dataclasses.replace(read, paths=paths, notes=notes)
