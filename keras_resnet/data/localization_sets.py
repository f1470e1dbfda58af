"""Data sets for localizers by name: pictures of one class each, with boxes around what is of it."""

import dataclasses
import os

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import cls_loc, object_sets, scenes
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.annotated_sets import KEPT, AnnotatedSet, AnnotatedSplit
from keras_resnet.data.layouts import named
from keras_resnet.data.names import FOLDER, canonical
from keras_resnet.data.objects import ObjectTable, objects_of, table_of
from keras_resnet.data.sources import Source
from keras_resnet.texts import harmless


class OneClassSet(AnnotatedSet):
    """A data set of pictures that have objects of one class each."""

    def _check(self, split: str, found: AnnotatedSplit) -> None:
        check_one_class(found.source)


class _OfObjects(OneClassSet):
    """One that would also do for a detector."""

    def __init__(self, found: object_sets.ObjectSet) -> None:
        super().__init__(found.class_names)
        self.lacks_validation = found.lacks_validation
        self._found = found

    def _open(self, split: str) -> AnnotatedSplit:
        found = self._found.split(split)
        table = of_pictures_classes(table_of(found.source))
        source = AnnotatedSource(found.source, table, self.class_names)
        return dataclasses.replace(found, source=source)


class _OfClsLoc(OneClassSet):
    """A set of TensorFlow Datasets, with XML files beside it."""

    def __init__(self, builder: cls_loc.ClsLocBuilder) -> None:
        super().__init__(builder.class_names)
        self._builder = builder

    def _open(self, split: str) -> AnnotatedSplit:
        pictures, found = self._builder.read(split)
        source = AnnotatedSource(pictures, found.objects, self.class_names)
        return AnnotatedSplit(source, found.notes, found.image_ids)


def opened(
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    kept: int | float = KEPT,
    skip_corrupt: bool = False,
    boxes: str | os.PathLike[str] | None = None,
) -> OneClassSet:
    """A data set for localizers, of which splits can be read.

    Args:
      dataset: "hidden_shapes" (embedded), a folder or TensorFlow Datasets set as for detectors, see
        `object_sets.opened`; or, with `boxes`, a TensorFlow Datasets set of one class for each
        picture, such as "imagenet2012".
      data_dir, kept, skip_corrupt: see `object_sets.opened`.
      boxes: directory of the XML files of its pictures, such as ImageNet's CLS-LOC; None: the set
        has boxes of its own.

    Raises:
      UserError: the data set is unknown, missing or empty, or a picture has no box, or boxes of
        several classes.
    """
    if boxes is None:
        try:
            return _OfObjects(object_sets.opened(dataset, data_dir, kept, skip_corrupt))
        except UserError as error:
            if "`objects`" not in str(error):
                raise
            raise UserError(
                f"{error} Where pictures have one class each, `boxes` names the directory of the "
                "XML files that have their boxes."
            ) from error
    if dataset in scenes.SETS or canonical(dataset, "boxes").startswith(FOLDER):
        raise UserError(
            "`boxes` is for sets of TensorFlow Datasets, such as 'imagenet2012'; folders hold "
            f"theirs. Received: dataset={dataset!r}, boxes={str(boxes)!r}"
        )
    expected = "the name of a TensorFlow Datasets image classification set, such as 'imagenet2012'"
    return _OfClsLoc(cls_loc.ClsLocBuilder(dataset, data_dir, boxes, expected, skip_corrupt))


def of_pictures_classes(table: ObjectTable) -> ObjectTable:
    """A table without the objects that are ignored and of another class than those that count."""
    kept = ~table.is_ignored
    owners = np.repeat(np.arange(len(table)), np.diff(table.splits))
    counting = set(zip(owners[kept].tolist(), table.labels[kept].tolist(), strict=True))
    every = zip(owners.tolist(), table.labels.tolist(), strict=True)
    kept |= np.array([each in counting for each in every], bool)
    return ObjectTable(
        table.boxes[kept],
        table.labels[kept],
        table.is_ignored[kept],
        table.areas[kept],
        np.cumsum([0, *np.bincount(owners[kept], minlength=len(table))]),
    )


def check_one_class(source: Source) -> None:
    """Raises UserError unless each picture of a source has objects of one class, one at least."""
    table = objects_of(source)
    owners = np.repeat(np.arange(len(table)), np.diff(table.splits))
    without = np.setdiff1d(np.arange(len(table)), owners[~table.is_ignored])
    for place in without[:1]:
        raise UserError(
            f"Each picture must have a box around what is of its class. {len(without)} of "
            f"{len(table)} have none, such as {harmless(source.describe(int(place)))}. Draw one, "
            "or remove the picture."
        )
    first = table.labels[table.splits[:-1]][owners]
    several = np.unique(owners[table.labels != first])
    for place in several[:1]:
        labels = np.unique(table.labels[table.splits[place] : table.splits[place + 1]])
        names = [source.class_names[label] for label in labels]
        raise UserError(
            f"Each picture must have boxes of one class. {len(several)} of {len(table)} have "
            f"several, such as {harmless(source.describe(int(place)))} with {named(names)}. For "
            "such pictures train a detector."
        )
