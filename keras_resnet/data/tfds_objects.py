"""Data sets of pictures with boxes that TensorFlow Datasets (TFDS) has prepared on disk.

The pictures stay in their records; their objects are read once.
"""

import dataclasses
import os
import typing
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.checks import UserError
from keras_resnet.data import integrity, tfds
from keras_resnet.data.annotations import Annotations, checked_objects, turned
from keras_resnet.data.sources import RecordSource
from keras_resnet.images.exif import exif_orientation
from keras_resnet.images.headers import encoded_shape
from keras_resnet.process.processor import usable_processors

if typing.TYPE_CHECKING:
    import tensorflow_datasets

_BOXES, _LABELS = "objects/bbox", "objects/label"

# Of objects that are neither to be learned nor to be found.
_IGNORED = ("is_difficult", "is_crowd")

# What a set calls its pictures: the number is COCO's own.
_IDS = {"image/id": tf.int64, "image/filename": tf.string}

# As TFDS calls top, left, bottom and right edge, relative to the picture.
_BOX_FORMAT = "REL_YXYX"

# Records that are read at once.
_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class ObjectBuilder:
    """A set of TFDS that has objects.

    Attributes:
      name: of the set, with its configuration.
      data_dir: where it is; None: where TFDS looks.
      builder: TFDS's.
      class_names: of the objects.
    """

    name: str
    data_dir: str | os.PathLike[str] | None
    builder: "tensorflow_datasets.core.DatasetBuilder"
    class_names: tuple[str, ...]

    def read(self, split: str) -> tuple[RecordSource, Annotations]:
        """The pictures of a split, and their annotations; these have no paths.

        Args:
          split: "train" or "validation", see `tfds.load_tfds`.

        Raises:
          UserError: it cannot be downloaded, its files are damaged, or an object cannot be.
        """
        found, _ = tfds.split_records(self.builder, self.name, split, self.data_dir)
        image = self.builder.info.features["image"]
        source = RecordSource(
            found, "image", None, self.class_names, tfds.channels_of(image, self.name)
        )
        with integrity.faults_named(source, range(len(source))):
            return source, self._annotations(source, split)

    def _annotations(self, source: RecordSource, split: str) -> Annotations:
        found = rows(source, self._wanted(), f"Reading the objects of the {split} split")
        names = [source.describe(index) for index in range(len(source))]
        shapes, boxes, labels, is_ignored = [], [], [], []
        for row, name in zip(found, names, strict=True):
            shape, orientation = row["shape"], int(row["orientation"])
            self._check(row, name)
            # What TFDS gives are pixels as they are stored, whatever their EXIF says.
            pixels = turned(self._pixels(row[_BOXES], shape), shape, orientation)
            boxes.append(pixels)
            labels.append(row[_LABELS])
            flags = [row[f"objects/{key}"] for key in _IGNORED if f"objects/{key}" in row]
            is_ignored.append(np.any([np.zeros(len(pixels)), *flags], axis=0))
            shapes.append(shape[::-1] if orientation >= 5 else shape)
        of_upright = np.array(shapes)
        objects, notes = checked_objects(boxes, labels, is_ignored, of_upright, names)
        identities = [next((row[key] for key in _IDS if key in row), None) for row in found]
        return Annotations(
            (),
            of_upright,
            objects,
            self.class_names,
            notes,
            image_ids=tuple(
                each.decode(errors="replace") if isinstance(each, bytes) else int(each)
                for each in identities
                if each is not None
            ),
        )

    def _wanted(self) -> dict[str, typing.Any]:
        """The features to read, as `tf.io.parse_example` wants to know them."""
        features = dict(self.builder.info.features)
        flags = [key for key in _IGNORED if key in dict(features["objects"].feature)]
        return {
            "image": tf.io.FixedLenFeature([], tf.string),
            _BOXES: tf.io.RaggedFeature(tf.float32),
            _LABELS: tf.io.RaggedFeature(tf.int64),
            **{f"objects/{key}": tf.io.RaggedFeature(tf.int64) for key in flags},
            **{
                key: tf.io.FixedLenFeature([], kind)
                for key, kind in _IDS.items()
                if key in features
            },
        }

    def _check(self, row: Mapping[str, typing.Any], name: str) -> None:
        labels = row[_LABELS]
        if any(len(row[key]) != len(labels) for key in row if key.startswith("objects/is_")) or (
            row[_BOXES].size != 4 * len(labels)
        ):
            raise UserError(f"The objects of {name} have not each a box and a label.")
        for label in labels[(labels < 0) | (labels >= len(self.class_names))][:1]:
            raise UserError(
                f"{name} has an object of the class {label}; there are {len(self.class_names)}."
            )

    def _pixels(self, relative: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """Left, top, right and bottom edges in pixels of the stored picture, float64 [n, 4]."""
        top, left, bottom, right = relative.reshape(-1, 4).T.astype(np.float64)
        height, width = shape
        boxes = np.stack([left * width, top * height, right * width, bottom * height], axis=1)
        # Its pixels are numbered from 1, both edges belong to a box, and TFDS divides as they are.
        return boxes - [1, 1, 0, 0] if self.builder.name == "voc" else boxes


def opened(name: str, data_dir: str | os.PathLike[str] | None, expected: str) -> ObjectBuilder:
    """A set of TFDS that has an image and objects with boxes and labels.

    Args:
      name: of the data set, with its configuration where it has several ("voc/2007").
      data_dir: where the data are; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      expected: what a name may be, for the message.

    Raises:
      UserError: there is no such set, or it has no such objects.
    """
    import tensorflow_datasets

    builder = tfds.builder_of(name, data_dir, expected)
    features = dict(builder.info.features)
    objects = dict(getattr(features.get("objects"), "feature", {}))
    label = objects.get("label")
    if (
        not isinstance(features.get("image"), tensorflow_datasets.features.Image)
        or not isinstance(label, tensorflow_datasets.features.ClassLabel)
        or not _is_relative(objects.get("bbox"))
    ):
        raise UserError(
            "`dataset` must have `image` and `objects`, each with a `bbox` (its edges relative to "
            f"the picture) and a `label`. Received: dataset={name!r} with "
            f"{', '.join(sorted(features))}"
        )
    return ObjectBuilder(name, data_dir, builder, tuple(label.names))


def _is_relative(box: typing.Any) -> bool:
    """Whether a feature is of top, left, bottom and right edges, relative to the picture."""
    box_format = getattr(box, "bbox_format", None)
    return (
        getattr(box, "shape", None) == (4,)
        and getattr(box_format, "value", _BOX_FORMAT) == _BOX_FORMAT
    )


def rows(
    source: RecordSource,
    wanted: Mapping[str, typing.Any],
    description: str,
    image_key: str = "image",
    indices: np.ndarray | None = None,
) -> list[dict[str, typing.Any]]:
    """Of each record the features wanted, but of its picture `shape` and `orientation`.

    Args:
      source: `RecordSource`.
      wanted: features, among them the picture, as `tf.io.parse_example` wants to know them.
      description: of the work, for the progress bar.
      image_key: name of the picture's feature.
      indices: of the records; None: all.
    """

    def without_image(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image = features.pop(image_key)
        return {**features, "shape": encoded_shape(image), "orientation": exif_orientation(image)}

    threads = usable_processors()
    indices = np.arange(len(source)) if indices is None else indices
    records = tf.data.Dataset.from_tensor_slices(indices).batch(_AT_ONCE)
    records = records.map(lambda indices: source.features(indices, wanted), threads).unbatch()
    records = records.map(without_image, threads)
    found = tqdm.tqdm(
        records.as_numpy_iterator(), description, len(indices), leave=False, disable=None
    )
    return list(found)
