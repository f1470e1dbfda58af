"""Data sets of pictures with boxes by name: embedded, folders, or TensorFlow Datasets."""

import abc
import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError, check_one_of, shown
from keras_resnet.class_names import as_seen, check_exportable
from keras_resnet.data import annotations, object_folders, scenes, tfds_objects
from keras_resnet.data.annotations import Annotations
from keras_resnet.data.folders import surveyed
from keras_resnet.data.integrity import complaint
from keras_resnet.data.names import BOXES_HELP, FOLDER, of_objects, paths_of
from keras_resnet.data.objects import ObjectSource, table_of
from keras_resnet.data.shapes import CLASS_NAMES
from keras_resnet.data.sources import FileSource, MemorySource, Source, SubsetSource
from keras_resnet.data.survey import survey
from keras_resnet.texts import harmless

# What is kept for validation of folders that have no pictures for it.
KEPT = 0.1

IN_BOTH = "pictures to validate on that are also among those to train on"

_SPLITS = ("train", "validation")

_EXPECTED = (
    "'scenes' or 'mixed_scenes', the path of a folder or file of pictures with boxes, or the name "
    "of a TensorFlow Datasets set with objects, such as 'voc/2007' or 'coco/2017'"
)


@dataclasses.dataclass(frozen=True)
class ObjectSplit:
    """The pictures of a split, and what should be known of them.

    Attributes:
      source: `ObjectSource`.
      notes: see `Annotations`.
      image_ids: what the data set calls each picture; empty: nothing.
      class_ids: what it calls each class; empty: as the labels.
    """

    source: ObjectSource
    notes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    image_ids: tuple[int | str, ...] = ()
    class_ids: tuple[int, ...] = ()


class ObjectSet(abc.ABC):
    """A data set of pictures with boxes, of which the splits "train" and "validation" can be read.

    Attributes:
      class_names: which the labels of the objects index.
      lacks_validation: whether it has no pictures to validate on, and keeps some of the others.
    """

    lacks_validation = False

    def __init__(self, class_names: tuple[str, ...]) -> None:
        _check_names(class_names)
        self.class_names = class_names
        self._opened: dict[str, ObjectSplit] = {}

    @abc.abstractmethod
    def _open(self, split: str) -> ObjectSplit: ...

    def split(self, split: str) -> ObjectSplit:
        """A split with its objects, read once.

        Raises:
          UserError: there are no objects to train or to validate on, or the pictures cannot be
            used.
        """
        check_one_of("split", split, _SPLITS)
        if split not in self._opened:
            found = self._open(split)
            if table_of(found.source).is_ignored.all():
                purpose = {"train": "train", "validation": "validate"}[split]
                raise UserError(
                    f"There is no object to {purpose} on in {len(found.source)} pictures, such as "
                    f"{harmless(found.source.describe(0))}. {_told(found.notes)}"
                )
            self._opened[split] = found
        return self._opened[split]

    def source(self, split: str) -> ObjectSource:
        """The pictures of a split; see `split`."""
        return self.split(split).source

    @property
    def notes(self) -> dict[str, collections.Counter[str]]:
        """What a person should know of each split that was read."""
        return {split: found.notes for split, found in self._opened.items()}


def _check_names(class_names: Sequence[str]) -> None:
    """Raises UserError for classes that could not be exported, or not be told apart."""
    check_exportable(class_names)
    seen: dict[str, str] = {}
    for name in class_names:
        other = seen.setdefault(as_seen(name), name)
        if other is not name:
            raise UserError(
                f"Two classes look the same, {shown(other)} and {shown(name)}. Rename one."
            )


def _told(notes: Mapping[str, int]) -> str:
    return " ".join(f"{what}: {number}." for what, number in notes.items())


class _Scenes(ObjectSet):
    """An embedded set."""

    def __init__(self, name: str) -> None:
        super().__init__(CLASS_NAMES)
        self._name = name

    def _open(self, split: str) -> ObjectSplit:
        jpegs, objects = scenes.examples(self._name, split)
        pictures = MemorySource(jpegs, np.zeros(len(jpegs), np.int64))
        return ObjectSplit(ObjectSource(pictures, objects, CLASS_NAMES))


class _OfTFDS(ObjectSet):
    """A set of TensorFlow Datasets."""

    def __init__(self, builder: tfds_objects.ObjectBuilder, skip_corrupt: bool) -> None:
        super().__init__(builder.class_names)
        self._builder = builder
        self._skip_corrupt = skip_corrupt

    def _open(self, split: str) -> ObjectSplit:
        pictures: Source
        pictures, found = self._builder.read(split)
        if self._skip_corrupt:
            usable = survey(pictures, range(len(pictures)), f"Checking the {split} pictures")
            _say_skipped(pictures, usable.indices)
            found = annotations.part(found, usable.indices)
            pictures = SubsetSource(pictures, usable.indices)
        source = ObjectSource(pictures, found.objects, self.class_names)
        return ObjectSplit(source, found.notes, found.image_ids)


class _Folder(ObjectSet):
    """Pictures in files, all of which are looked at before any is learned from."""

    def __init__(
        self, paths: Sequence[pathlib.Path], kept: int | float, skip_corrupt: bool
    ) -> None:
        parts = object_folders.parts(paths)
        name = harmless(",".join(map(str, paths)))
        for part in parts.values():
            _check_there(part.paths)
        read = {split: _read(part, name, skip_corrupt) for split, part in parts.items()}
        self.lacks_validation = "validation" not in read
        self._read = read if "validation" in read else _divided(*read["train"], kept, name)
        super().__init__(self._read["train"][1].class_names)

    def _open(self, split: str) -> ObjectSplit:
        pictures, found = self._read[split]
        notes = found.notes.copy()
        if split == "validation":
            contents = [_contents(self._read[each][0]) for each in _SPLITS]
            notes[IN_BOTH] = int(np.isin(contents[1], contents[0]).sum())
        source = ObjectSource(pictures, found.objects, self.class_names)
        return ObjectSplit(source, +notes, found.image_ids, found.class_ids)


def opened(
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    kept: int | float = KEPT,
    skip_corrupt: bool = False,
) -> ObjectSet:
    """A data set of pictures with boxes, of which splits can be read.

    Args:
      dataset: "scenes" or "mixed_scenes" (embedded); the path of a folder as VOC, COCO or YOLO have
        them, or of one of their files, see `object_folders.parts`; or the name of a TensorFlow
        Datasets set with objects.
      data_dir: where TFDS data is; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      kept: of folders without pictures to validate on, how many of those to train on are kept for
        that: an integer, or a share below 1. They are drawn by the number of pictures alone.
      skip_corrupt: decode all pictures at once, and leave out, count and name those that cannot be
        used, instead of raising.

    Raises:
      UserError: the data set is unknown, missing, empty, or its annotations cannot be.
    """
    if dataset in scenes.SETS:
        return _Scenes(dataset)
    dataset = of_objects(dataset)
    if os.path.exists(dataset):
        # Of what is there it is said what it lacks.
        dataset = FOLDER + dataset
    if dataset.startswith(FOLDER):
        return _Folder(paths_of(dataset, BOXES_HELP), kept, skip_corrupt)
    try:
        return _OfTFDS(tfds_objects.opened(dataset, data_dir, _EXPECTED), skip_corrupt)
    except UserError as error:
        raise UserError(f"{error} Nor is there a folder {harmless(dataset)} here.") from error


def _check_there(paths: Sequence[pathlib.Path]) -> None:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} pictures are not there, the first "
            f"{harmless(str(missing[0]))}. Restore them, or remove their annotations."
        )


def _read(part: object_folders.Part, name: str, skip_corrupt: bool) -> tuple[Source, Annotations]:
    """The pictures of a part, each of which is decoded once, and the annotations of them."""
    pictures = FileSource(part.paths, np.zeros(len(part.paths), np.int64), converts=True)
    if skip_corrupt:
        usable = survey(pictures, range(len(pictures)), f"Checking the pictures of {name}")
        _say_skipped(pictures, usable.indices)
        pictures, part = pictures.looked_at(usable), part.of(usable.indices)
    else:
        pictures = surveyed(pictures, pathlib.Path(name))
    assert pictures.survey is not None
    return pictures, part.upright(pictures.survey.shapes, pictures.survey.orientations)


def _say_skipped(pictures: Source, usable: np.ndarray) -> None:
    """Counts and names in print what cannot be used.

    Raises:
      UserError: nothing can.
    """
    if len(usable) < len(pictures):
        message = complaint(pictures, usable, "pictures cannot be used")
        if not len(usable):
            raise UserError(f"{message}\nRestore the data.")
        print(f"Skipped: {message}")


def _contents(pictures: Source) -> np.ndarray:
    assert pictures.survey is not None
    return pictures.survey.contents


def _divided(
    pictures: Source, whole: Annotations, kept: int | float, name: str
) -> dict[str, tuple[Source, Annotations]]:
    """The pictures to train on, and those that are kept for validation."""
    number = kept if isinstance(kept, int) else max(1, round(kept * len(pictures)))
    if not 0 < number < len(pictures):
        raise UserError(
            f"{name} has no pictures to validate on, and of its {len(pictures)} to train "
            f"on {shown(kept)} cannot be kept for that: some must be left."
        )
    order = np.random.default_rng(0).permutation(len(pictures))
    rows = {"train": np.sort(order[number:]), "validation": np.sort(order[:number])}
    divided: dict[str, tuple[Source, Annotations]] = {
        split: (SubsetSource(pictures, indices), annotations.part(whole, indices))
        for split, indices in rows.items()
    }
    # What is said of all is said once.
    of_kept, said = divided["validation"]
    divided["validation"] = of_kept, dataclasses.replace(said, notes=collections.Counter())
    return divided
