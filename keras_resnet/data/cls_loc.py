"""Boxes in XML files beside a TensorFlow Datasets set whose pictures have one class each.

So are those of ImageNet's localization, CLS-LOC: a file for each picture, with its name.
"""

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.checks import UserError, check_local
from keras_resnet.class_names import as_seen
from keras_resnet.data import cache, integrity, tfds, tfds_objects, voc_xml
from keras_resnet.data.annotated_sets import say_skipped, told
from keras_resnet.data.annotations import Annotations, checked_objects, upright
from keras_resnet.data.records import Records
from keras_resnet.data.sources import RecordSource, Source, SubsetSource
from keras_resnet.data.survey import survey
from keras_resnet.texts import harmless

# What is counted of pictures and boxes that are not taken.
WITHOUT_FILE = "pictures without an XML file left out"
WITHOUT_BOX = "pictures without a box of their class left out"
OF_ANOTHER_SIZE = "pictures of another size than their XML file says left out"
OF_ANOTHER_CLASS = "boxes of another class than their picture's left out"

# The features in which sets keep the names of files.
_NAMES = ("file_name", "image/filename", "filename")

# Of a name, by which it is known again.
_DIGEST_BYTES = 32


@dataclasses.dataclass(frozen=True)
class _Pictures:
    """What the records of a split say of their pictures.

    Attributes:
      names: digests of the names of their files, see `_digest`.
      labels: int64 [n].
      shapes: height and width as they are stored, int64 [n, 2].
      orientations: by their EXIF, int64 [n].
    """

    names: list[bytes]
    labels: np.ndarray
    shapes: np.ndarray
    orientations: np.ndarray


class ClsLocBuilder:
    """A set of TFDS that names the files of its pictures, and the XML files of these.

    Args:
      name: of the data set.
      data_dir: where it is; None: where TFDS looks.
      folder: directory that holds the XML files, at any depth.
      expected: what a name may be, for the message.
      skip_corrupt: leave out pictures that cannot be used, count and name them.

    Attributes:
      class_names: those of the pictures.

    Raises:
      UserError: there is no such set or directory, or its pictures have no names.
    """

    def __init__(
        self,
        name: str,
        data_dir: str | os.PathLike[str] | None,
        folder: str | os.PathLike[str],
        expected: str,
        skip_corrupt: bool = False,
    ) -> None:
        self._name, self._data_dir, self._skip_corrupt = name, data_dir, skip_corrupt
        self._folder = _checked_folder(folder)
        self._builder = tfds.builder_of(name, data_dir, expected)
        self._image_key, self._label_key = tfds.keys_of(self._builder, name)
        features = dict(self._builder.info.features)
        name_key = next((key for key in _NAMES if key in features), None)
        if name_key is None:
            raise UserError(
                f"`boxes` is for sets that name the files of their pictures ({', '.join(_NAMES)}). "
                f"Received: dataset={name!r} with {', '.join(sorted(features))}"
            )
        self._name_key = name_key
        self.class_names = tuple(features[self._label_key].names)
        self._files = _xml_files(self._folder)

    def read(self, split: str) -> tuple[Source, Annotations]:
        """The pictures of a split that have boxes, and their annotations; these have no paths.

        Args:
          split: "train" or "validation", see `tfds.load_tfds`.

        Raises:
          UserError: the data set cannot be read, no picture has a file, or a file cannot be used.
        """
        found, _ = tfds.split_records(
            self._builder, self._name, split, self._data_dir, self._skip_corrupt
        )
        channels = tfds.channels_of(self._builder.info.features[self._image_key], self._name)
        source = RecordSource(found, self._image_key, None, self.class_names, channels)
        usable = np.arange(len(source))
        if self._skip_corrupt:
            usable = survey(source, usable, f"Checking the {split} pictures").indices
            say_skipped(source, usable)
        with integrity.faults_named(source, usable):
            pictures = self._pictures(source, usable, found, split)
        rows = [row for row, name in enumerate(pictures.names) if name in self._files]
        if not rows:
            raise UserError(
                f"No picture of the {split} split of {self._name!r} has an XML file of its name "
                f"below {harmless(str(self._folder))}. Name the directory of those with `boxes`."
            )
        self._check_once(pictures, rows)
        notes = collections.Counter({WITHOUT_FILE: len(usable) - len(rows)})
        kept, annotations = self._annotations(pictures, rows, notes, split)
        return SubsetSource(source, usable[kept]), annotations

    def _pictures(
        self, source: RecordSource, usable: np.ndarray, found: Records, split: str
    ) -> _Pictures:
        """What the records say; remembered, since of ImageNet they are 140 GB."""
        wanted = {
            self._image_key: tf.io.FixedLenFeature([], tf.string),
            self._name_key: tf.io.FixedLenFeature([], tf.string),
            self._label_key: tf.io.FixedLenFeature([], tf.int64),
        }

        def read() -> np.ndarray:
            description = f"Reading the names of the {split} split"
            rows = tfds_objects.rows(source, wanted, description, self._image_key, usable)
            return np.array([self._packed(row) for row in rows], np.int64)

        if self._skip_corrupt:
            # What is damaged is not remembered: mended, it may look the same from outside.
            table = read()
        else:
            shape = len(usable), 4 + _DIGEST_BYTES // 8
            table = cache.remembered(f"names-{split}", found.paths, shape, read)
        labels = table[:, 0]
        for row in np.flatnonzero((labels < 0) | (labels >= len(self.class_names)))[:1]:
            raise UserError(
                f"{harmless(source.describe(int(usable[row])))} has the label {labels[row]}; there "
                f"are {len(self.class_names)} classes. Boxes need the class of each picture."
            )
        names = [row.tobytes() for row in table[:, 4:]]
        return _Pictures(names, labels, table[:, 1:3], table[:, 3])

    def _packed(self, row: Mapping[str, Any]) -> np.ndarray:
        """Label, shape, orientation and name of a picture as integers."""
        name = os.path.splitext(os.path.basename(os.fsdecode(row[self._name_key])))[0]
        of_name = np.frombuffer(_digest(name), np.int64)
        return np.array([row[self._label_key], *row["shape"], row["orientation"], *of_name])

    def _check_once(self, pictures: _Pictures, rows: Sequence[int]) -> None:
        """Raises UserError where two pictures have the name of one XML file."""
        (name, number), *_ = collections.Counter(pictures.names[row] for row in rows).most_common(1)
        if number > 1:
            raise UserError(
                f"{harmless(str(self._files[name]))} has the name of {number} pictures of "
                f"{self._name!r}: names must differ, but for their directories."
            )

    def _annotations(
        self,
        pictures: _Pictures,
        rows: Sequence[int],
        notes: collections.Counter[str],
        split: str,
    ) -> tuple[np.ndarray, Annotations]:
        """Which pictures have boxes of theirs, and the annotations of those."""
        kept, entries, boxes = [], [], []
        description = f"Reading the boxes of the {split} split"
        for row in tqdm.tqdm(rows, description, leave=False, disable=None):
            entry = voc_xml.Entry(self._files[pictures.names[row]])
            shape = pictures.shapes[row].tolist()
            if entry.shape != shape and (
                pictures.orientations[row] < 5 or entry.shape != shape[::-1]
            ):
                notes[OF_ANOTHER_SIZE] += 1
                continue
            is_other = [self._is_other(name, int(pictures.labels[row])) for name in entry.names]
            notes[OF_ANOTHER_CLASS] += sum(is_other)
            edges = np.maximum(entry.boxes[~np.array(is_other, bool)], 0)
            if not _is_inside(edges, entry.shape).any():
                notes[WITHOUT_BOX] += 1
                continue
            kept.append(row)
            entries.append(entry)
            boxes.append(edges)
        if not kept:
            raise UserError(
                f"Of no picture of the {split} split can the XML file below "
                f"{harmless(str(self._folder))} be used. {told(+notes)}"
            )
        labels = [
            np.full(len(each), pictures.labels[row]) for row, each in zip(kept, boxes, strict=True)
        ]
        shapes = np.array([entry.shape for entry in entries])
        names = [harmless(str(entry.path)) for entry in entries]
        not_ignored = [np.zeros(len(each), bool) for each in boxes]
        objects, of_objects = checked_objects(boxes, labels, not_ignored, shapes, names)
        annotations = Annotations(
            tuple(entry.path for entry in entries),
            shapes,
            objects,
            self.class_names,
            +(notes + of_objects),
            image_ids=tuple(entry.path.stem for entry in entries),
        )
        places = np.array(kept)
        turns = pictures.orientations[places]
        stored = pictures.shapes[places]
        of_upright = np.where((turns >= 5)[:, np.newaxis], stored[:, ::-1], stored)
        return places, upright(annotations, of_upright, turns)

    def _is_other(self, name: str, label: int) -> bool:
        """Whether an object of a name is not of a picture's class.

        What the set does not know as a class may be another word for it.
        """
        known = [as_seen(each) for each in self.class_names]
        return as_seen(name) in known and as_seen(name) != known[label]


def _checked_folder(folder: str | os.PathLike[str]) -> pathlib.Path:
    """The path of a directory that is there."""
    path = os.path.expanduser(check_local("boxes", folder))
    if not os.path.isdir(path):
        raise UserError(
            "`boxes` must be a directory with an XML file for each picture, which is there. "
            f"Received: boxes={os.fspath(folder)!r}"
        )
    return pathlib.Path(path)


def _digest(name: str) -> bytes:
    """By which a name is known again, however its accents are written."""
    return hashlib.sha256(os.fsencode(as_seen(name))).digest()


def _is_inside(boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Whether anything of boxes, whose edges are numbers, is in a picture of a shape, bool [n].

    Those of other edges are, too: it is for `checked_objects` to refuse them.
    """
    height, width = shape
    clipped = np.clip(boxes, 0, [width, height, width, height])
    is_inverted = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    return (clipped[:, 2:] > clipped[:, :2]).all(axis=1) | is_inverted


def _xml_files(folder: pathlib.Path) -> dict[bytes, pathlib.Path]:
    """The XML files below a directory by the digests of their names without suffix."""
    files: dict[bytes, pathlib.Path] = {}
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() != ".xml":
                continue
            path = pathlib.Path(place, name)
            other = files.setdefault(_digest(stem), path)
            if other is not path:
                raise UserError(
                    f"`boxes` has two files of one name: {harmless(str(other))} and "
                    f"{harmless(str(path))}. Name the directory of one."
                )
    if not files:
        raise UserError(
            "`boxes` must be a directory with an XML file for each picture. "
            f"Received: boxes={str(folder)!r}, without any"
        )
    return files
