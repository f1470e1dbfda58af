"""Data sets of pictures with boxes by name: embedded, folders, or TensorFlow Datasets."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import annotations, object_folders, scenes, tfds_objects
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
    say_skipped,
    told,
)
from keras_resnet.data.annotations import Annotations
from keras_resnet.data.names import FOLDER, canonical, paths_of
from keras_resnet.data.objects import table_of
from keras_resnet.data.shapes import CLASS_NAMES
from keras_resnet.data.sources import MemorySource, Source, SubsetSource
from keras_resnet.data.survey import survey
from keras_resnet.texts import harmless

_EXPECTED = (
    "'scenes' or 'mixed_scenes', the path of a folder or file of pictures with boxes, or the name "
    "of a TensorFlow Datasets set with objects, such as 'voc/2007' or 'coco/2017'"
)


class ObjectSet(AnnotatedSet):
    """A data set of pictures with boxes."""

    def _check(self, split: str, found: AnnotatedSplit) -> None:
        if table_of(found.source).is_ignored.all():
            purpose = {"train": "train", "validation": "validate"}[split]
            raise UserError(
                f"There is no object to {purpose} on in {len(found.source)} pictures, such as "
                f"{harmless(found.source.describe(0))}. {told(found.notes)}"
            )


class _Scenes(ObjectSet):
    """An embedded set."""

    def __init__(self, name: str) -> None:
        super().__init__(CLASS_NAMES)
        self._name = name

    def _open(self, split: str) -> AnnotatedSplit:
        jpegs = [each.jpeg for each in scenes.scenes(self._name, split)]
        pictures = MemorySource(jpegs, np.zeros(len(jpegs), np.int64))
        objects = scenes.objects(self._name, split)
        return AnnotatedSplit(AnnotatedSource(pictures, objects, CLASS_NAMES))


class _OfTFDS(ObjectSet):
    """A set of TensorFlow Datasets."""

    def __init__(self, builder: tfds_objects.ObjectBuilder, skip_corrupt: bool) -> None:
        super().__init__(builder.class_names)
        self._builder = builder
        self._skip_corrupt = skip_corrupt

    def _open(self, split: str) -> AnnotatedSplit:
        pictures: Source
        pictures, found = self._builder.read(split)
        if self._skip_corrupt:
            usable = survey(pictures, range(len(pictures)), f"Checking the {split} pictures")
            say_skipped(pictures, usable.indices)
            found = annotations.part(found, usable.indices)
            pictures = SubsetSource(pictures, usable.indices)
        source = AnnotatedSource(pictures, found.objects, self.class_names)
        return AnnotatedSplit(source, found.notes, found.image_ids)


class _Folder(ObjectSet):
    """Pictures in files, all of which are looked at before any is learned from."""

    def __init__(
        self, paths: Sequence[pathlib.Path], kept: int | float, skip_corrupt: bool
    ) -> None:
        parts = object_folders.parts(paths)
        name = harmless(",".join(map(str, paths)))
        for part in parts.values():
            check_there(part.paths)
        read = {split: _read(part, name, skip_corrupt) for split, part in parts.items()}
        self.lacks_validation = "validation" not in read
        self._read = read if "validation" in read else _divided(*read["train"], kept, name)
        super().__init__(self._read["train"][1].class_names)

    def _open(self, split: str) -> AnnotatedSplit:
        pictures, found = self._read[split]
        notes = found.notes.copy()
        if split == "validation":
            notes[IN_BOTH] = number_in_both(self._read["train"][0], pictures)
        source = AnnotatedSource(pictures, found.objects, self.class_names)
        return AnnotatedSplit(source, +notes, found.image_ids, found.class_ids)


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
    dataset = canonical(dataset, "boxes")
    if os.path.exists(dataset):
        # Of what is there it is said what it lacks.
        dataset = FOLDER + dataset
    if dataset.startswith(FOLDER):
        return _Folder(paths_of(dataset, "boxes"), kept, skip_corrupt)
    try:
        return _OfTFDS(tfds_objects.opened(dataset, data_dir, _EXPECTED), skip_corrupt)
    except UserError as error:
        raise UserError(f"{error} Nor is there a folder {harmless(dataset)} here.") from error


def _read(part: object_folders.Part, name: str, skip_corrupt: bool) -> tuple[Source, Annotations]:
    """The pictures of a part, each of which is decoded once, and the annotations of them."""
    pictures, indices = looked_at(part.paths, name, skip_corrupt)
    assert pictures.survey is not None
    shapes, orientations = pictures.survey.shapes, pictures.survey.orientations
    return pictures, part.of(indices).upright(shapes, orientations)


def _divided(
    pictures: Source, whole: Annotations, kept: int | float, name: str
) -> dict[str, tuple[Source, Annotations]]:
    """The pictures to train on, and those that are kept for validation."""
    divided: dict[str, tuple[Source, Annotations]] = {
        split: (SubsetSource(pictures, indices), annotations.part(whole, indices))
        for split, indices in kept_rows(len(pictures), kept, name).items()
    }
    # What is said of all is said once.
    of_kept, said = divided["validation"]
    divided["validation"] = of_kept, dataclasses.replace(said, notes=collections.Counter())
    return divided
