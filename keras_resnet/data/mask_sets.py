"""Data sets of pictures with masks by name: embedded, folders, or TensorFlow Datasets."""

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.checks import UserError
from keras_resnet.data import coco_masks, mask_folders, object_folders, scenes, tfds_masks
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.annotated_sets import (
    IN_BOTH,
    KEPT,
    AnnotatedSet,
    AnnotatedSplit,
    check_there,
    kept_rows,
    looked_at,
    number_in_both,
    told,
)
from keras_resnet.data.mask_keys import IGNORED, PLAIN, MaskKey, check_values
from keras_resnet.data.masks import MaskTable, counted, encoded, table_of
from keras_resnet.data.names import FOLDER, canonical, paths_of
from keras_resnet.data.sources import MemorySource, Source, SubsetSource
from keras_resnet.images.decoding import upright
from keras_resnet.process.processor import usable_processors
from keras_resnet.texts import harmless

TURNED = "masks made before their picture was turned by its EXIF, turned alike"
ALL_IGNORED = "pictures of which no pixel is of a class"

_EXPECTED = (
    "'scenes' or 'mixed_scenes', the path of a folder of pictures with masks, or the name of a "
    "TensorFlow Datasets set with masks, such as 'oxford_iiit_pet' or 'scene_parse150'"
)


class MaskSet(AnnotatedSet):
    """A data set of pictures with masks."""

    def _check(self, split: str, found: AnnotatedSplit) -> None:
        counts = table_of(found.source).counts
        if not counts[:, :IGNORED].any():
            purpose = {"train": "train", "validation": "validate"}[split]
            raise UserError(
                f"There is no pixel to {purpose} on in {len(found.source)} pictures, such as "
                f"{harmless(found.source.describe(0))}: all are of no class. {told(found.notes)}"
            )
        found.notes[ALL_IGNORED] = int((~counts[:, :IGNORED].any(axis=1)).sum())
        if not found.notes[ALL_IGNORED]:
            del found.notes[ALL_IGNORED]


class _Scenes(MaskSet):
    """An embedded set."""

    def __init__(self, name: str) -> None:
        super().__init__(scenes.MASK_NAMES)
        self._name = name

    def _open(self, split: str) -> AnnotatedSplit:
        jpegs = [each.jpeg for each in scenes.scenes(self._name, split)]
        pictures = MemorySource(jpegs, np.zeros(len(jpegs), np.int64))
        masks = scenes.masks(self._name, split)
        return AnnotatedSplit(AnnotatedSource(pictures, masks, self.class_names))


class _OfTFDS(MaskSet):
    """A set of TensorFlow Datasets."""

    def __init__(self, builder: tfds_masks.MaskBuilder, key: MaskKey) -> None:
        self._builder, self._key = builder, key
        self._read: dict[str, tuple[Source, MaskTable]] = {}
        super().__init__(self._names("train", None))

    def _names(self, split: str, class_names: tuple[str, ...] | None) -> tuple[str, ...]:
        if split not in self._read:
            self._read[split] = self._builder.read(split)
        source, numbers = self._read[split]
        where, is_whole = self._builder.name, split == "train"
        return _checked_names(source, numbers, self._key, class_names, where, is_whole)

    def _open(self, split: str) -> AnnotatedSplit:
        self._names(split, self.class_names)
        source, numbers = self._read[split]
        table = numbers.translated(np.frombuffer(self._key.ids(), np.uint8))
        return AnnotatedSplit(AnnotatedSource(source, table, self.class_names))


class Paired(Protocol):
    """Pictures of a split and their masks."""

    @property
    def pictures(self) -> Sequence[pathlib.Path]:
        """Paths."""

    @property
    def notes(self) -> collections.Counter[str]:
        """See `Annotations`."""

    def values(self, index: int, key: MaskKey) -> np.ndarray:
        """Those of a mask as numbers, uint8 [height, width]."""

    def name(self, index: int) -> str:
        """Of a mask, for messages."""


@dataclasses.dataclass(frozen=True)
class _Part:
    """The pictures of a split with their masks, whose values are still numbers of the files."""

    pictures: Source
    numbers: MaskTable
    notes: collections.Counter[str]


class _Files(MaskSet):
    """Pictures and masks in files, all of which are looked at before any is learned from."""

    def __init__(
        self,
        paired: Mapping[str, Paired],
        class_names: tuple[str, ...] | None,
        key: MaskKey,
        name: str,
        kept: int | float,
        skip_corrupt: bool,
    ) -> None:
        parts = {split: _read(each, key, name, skip_corrupt) for split, each in paired.items()}
        if key.has_colors:
            # Read are their places among the classes.
            key = MaskKey(tuple(range(len(key.values))))
        self.lacks_validation = "validation" not in parts
        if self.lacks_validation:
            parts = _divided(parts["train"], kept, name)
        self._parts, self._key = parts, key
        for split, part in parts.items():
            class_names = _checked_names(
                part.pictures, part.numbers, key, class_names, name, split == "train"
            )
        assert class_names is not None
        super().__init__(class_names)

    def _open(self, split: str) -> AnnotatedSplit:
        part = self._parts[split]
        notes = part.notes.copy()
        if split == "validation":
            notes[IN_BOTH] = number_in_both(self._parts["train"].pictures, part.pictures)
        table = part.numbers.translated(np.frombuffer(self._key.ids(), np.uint8))
        return AnnotatedSplit(AnnotatedSource(part.pictures, table, self.class_names), +notes)


def opened(
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    kept: int | float = KEPT,
    skip_corrupt: bool = False,
    key: MaskKey = PLAIN,
) -> MaskSet:
    """A data set of pictures with masks, of which splits can be read.

    Args:
      dataset: "scenes" or "mixed_scenes" (embedded); the path of a folder, see
        `mask_folders.opened`, or of a JSON file of COCO's; or the name of a TensorFlow Datasets set
        with masks.
      data_dir: where TFDS data is; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      kept: of folders without pictures to validate on, how many of those to train on are kept for
        that: an integer, or a share below 1. They are drawn by the number of pictures alone.
      skip_corrupt: decode all pictures at once, and leave out, count and name those that cannot be
        used, instead of raising.
      key: which values of the masks stand for which class.

    Raises:
      UserError: the data set is unknown, missing, empty, or its masks cannot be.
    """
    if dataset in scenes.SETS:
        return _Scenes(dataset)
    dataset = canonical(dataset, "masks")
    if os.path.exists(dataset):
        # Of what is there it is said what it lacks.
        dataset = FOLDER + dataset
    if dataset.startswith(FOLDER):
        return _of_files(paths_of(dataset, "masks"), key, kept, skip_corrupt)
    try:
        return _OfTFDS(tfds_masks.opened(dataset, data_dir, _EXPECTED), key)
    except UserError as error:
        raise UserError(f"{error} Nor is there a folder {harmless(dataset)} here.") from error


def _of_files(
    paths: Sequence[pathlib.Path], key: MaskKey, kept: int | float, skip_corrupt: bool
) -> MaskSet:
    """The set of a folder, of a JSON file of COCO's, or of two: to train and to validate on."""
    name = harmless(",".join(map(str, paths)))
    files = object_folders.coco_files(paths)
    if files:
        if key != PLAIN:
            raise UserError("`mask_values` is for files of masks; outlines have classes.")
        read = {
            split: coco_masks.read(file, each.given)
            for (split, file), each in zip(
                files.items(), object_folders.of_coco(files).values(), strict=True
            )
        }
        paired = {split: outlined for split, (outlined, _) in read.items()}
        return _Files(paired, read["train"][1], key, name, kept, skip_corrupt)
    if len(paths) > 1:
        raise UserError(f"`dataset` must be one folder of pictures with masks. Received: {name}")
    folder = mask_folders.opened(paths[0])
    if folder.colors and not key.values:
        key = MaskKey(folder.colors, ())
    return _Files(folder.pairs, folder.class_names, key, name, kept, skip_corrupt)


def _read(paired: Paired, key: MaskKey, name: str, skip_corrupt: bool) -> _Part:
    """The pictures of a split, each decoded once, and the values of their masks.

    Raises:
      UserError: a mask cannot be read, or is of another size than its picture.
    """
    check_there(paired.pictures)
    pictures, indices = looked_at(paired.pictures, name, skip_corrupt)
    assert pictures.survey is not None
    shapes, orientations = pictures.survey.shapes, pictures.survey.orientations

    def read(place: int) -> tuple[bytes, np.ndarray, bool]:
        index = int(indices[place])
        values, of_mask = paired.values(index, key), harmless(paired.name(index))
        ids, is_turned = _fitted(values, shapes[place], int(orientations[place]), of_mask)
        return encoded(ids), counted(ids), is_turned

    found = _in_threads(read, len(indices), f"Reading the masks of {name}")
    table = MaskTable.of((png for png, _, _ in found), (counts for _, counts, _ in found))
    turned_masks = sum(is_turned for _, _, is_turned in found)
    notes = paired.notes + collections.Counter({TURNED: turned_masks})
    return _Part(pictures, table, +notes)


def _in_threads(
    function: Callable[[int], tuple[bytes, np.ndarray, bool]], number: int, description: str
) -> list[tuple[bytes, np.ndarray, bool]]:
    """What a function gives for 0, 1, ..., in order; the first error is raised."""
    with concurrent.futures.ThreadPoolExecutor(usable_processors()) as pool:
        found = pool.map(function, range(number))
        return list(tqdm.tqdm(found, description, number, leave=False, disable=None))


def _fitted(
    values: np.ndarray, shape: np.ndarray, orientation: int, name: str
) -> tuple[np.ndarray, bool]:
    """A mask as its picture is when it is upright, and whether it had to be turned."""
    if values.shape == tuple(shape):
        return values, False
    if orientation >= 5 and values.shape == tuple(shape[::-1]):
        pixels = upright(tf.constant(values[..., np.newaxis]), tf.constant(orientation))
        return pixels.numpy()[..., 0], True
    raise UserError(
        f"{name} is {values.shape[1]} pixels wide and {values.shape[0]} high, and "
        f"its picture {shape[1]} and {shape[0]}: make them alike, of masks without new values "
        "(nearest neighbor)."
    )


def _divided(part: _Part, kept: int | float, name: str) -> dict[str, _Part]:
    """The pictures to train on, and those that are kept for validation."""
    rows = kept_rows(len(part.pictures), kept, name)
    # What is said of all is said once.
    return {
        split: _Part(
            SubsetSource(part.pictures, indices),
            part.numbers.part(indices),
            part.notes if split == "train" else collections.Counter(),
        )
        for split, indices in rows.items()
    }


def _checked_names(
    pictures: Source,
    numbers: MaskTable,
    key: MaskKey,
    class_names: Sequence[str] | None,
    where: str,
    is_whole: bool,
) -> tuple[str, ...]:
    """The names of the classes: those that the data say, or their numbers.

    Raises:
      UserError: a value stands for none of them.
    """
    total = numbers.counts.sum(axis=0)
    found = {
        int(value): harmless(pictures.describe(int(numbers.counts[:, value].argmax())))
        for value in np.flatnonzero(total)
    }
    check_values(found, key, class_names, where, is_whole)
    if class_names is not None:
        return tuple(class_names)
    classes = len(key.values) or 1 + max(value for value in found if value not in key.ignored)
    return tuple(map(str, range(classes)))
