"""Data sets of pictures with masks that TensorFlow Datasets (TFDS) has prepared on disk.

The pictures stay in their records; their masks are read once.
"""

import dataclasses
import os
import typing

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.checks import UserError
from keras_resnet.data import integrity, tfds
from keras_resnet.data.masks import MaskTable
from keras_resnet.data.sources import RecordSource
from keras_resnet.images.exif import exif_orientation
from keras_resnet.images.headers import encoded_shape
from keras_resnet.process.processor import usable_processors
from keras_resnet.texts import harmless

if typing.TYPE_CHECKING:
    import tensorflow_datasets

# What sets call their masks.
_MASKS = ("segmentation_mask", "annotation", "segmentation_label", "label_map", "mask")

# Records that are read at once.
_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class MaskBuilder:
    """A set of TFDS that has masks.

    Attributes:
      name: of the set, with its configuration.
      data_dir: where it is; None: where TFDS looks.
      builder: TFDS's.
      feature: the name of its masks.
    """

    name: str
    data_dir: str | os.PathLike[str] | None
    builder: "tensorflow_datasets.core.DatasetBuilder"
    feature: str

    def read(self, split: str) -> tuple[RecordSource, MaskTable]:
        """The pictures of a split, and the values of their masks as they are stored.

        Args:
          split: "train" or "validation", see `tfds.load_tfds`.

        Raises:
          UserError: it cannot be downloaded, its files are damaged, or a mask is of another size
            than its picture.
        """
        found, _ = tfds.split_records(self.builder, self.name, split, self.data_dir)
        image = self.builder.info.features["image"]
        channels = tfds.channels_of(image, self.name)
        source = RecordSource(found, "image", None, (), channels)
        with integrity.faults_named(source, range(len(source))):
            rows = _rows(source, self.feature, f"Reading the masks of the {split} split")
        for index, (_, _, shape, own_shape, orientation) in enumerate(rows):
            if tuple(shape) != tuple(own_shape) or orientation != 1:
                raise UserError(
                    f"{harmless(source.describe(index))} has a mask of {shape[1]}x{shape[0]} pixels"
                    f", and is of {own_shape[1]}x{own_shape[0]} (EXIF orientation {orientation})."
                )
        return source, MaskTable.of((row[0] for row in rows), (row[1] for row in rows))


def opened(name: str, data_dir: str | os.PathLike[str] | None, expected: str) -> MaskBuilder:
    """A set of TFDS that has an image and a mask of one channel.

    Args:
      name: of the data set, with its configuration where it has several.
      data_dir: where the data are; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      expected: what a name may be, for the message.

    Raises:
      UserError: there is no such set, or it has no masks.
    """
    import tensorflow_datasets

    builder = tfds.builder_of(name, data_dir, expected)
    features = dict(builder.info.features)
    image = tensorflow_datasets.features.Image
    masks = [
        key
        for key in _MASKS
        if isinstance(features.get(key), image) and features[key].shape[-1] == 1
    ]
    if not isinstance(features.get("image"), image) or not masks:
        raise UserError(
            "`dataset` must have an `image` and a mask, an image of one channel called one of "
            f"{', '.join(_MASKS)}. Received: dataset={name!r} with {', '.join(sorted(features))}"
        )
    return MaskBuilder(name, data_dir, builder, masks[0])


def _rows(
    source: RecordSource, feature: str, description: str
) -> list[tuple[bytes, np.ndarray, np.ndarray, np.ndarray, int]]:
    """Of each record the mask as a PNG, its counts and shape, and the picture's and orientation."""
    wanted = {key: tf.io.FixedLenFeature([], tf.string) for key in ("image", feature)}

    def looked_at(features: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        ids = tf.io.decode_png(features[feature], channels=1)
        counts = tf.math.bincount(tf.cast(ids, tf.int32), minlength=256, maxlength=256)
        image = features["image"]
        return (
            tf.io.encode_png(ids),
            tf.reshape(counts, [256]),
            tf.shape(ids)[:2],
            encoded_shape(image)[:2],
            exif_orientation(image),
        )

    threads = usable_processors()
    records = tf.data.Dataset.range(len(source)).batch(_AT_ONCE)
    records = records.map(lambda indices: source.features(indices, wanted), threads).unbatch()
    records = records.map(looked_at, threads)
    rows = tqdm.tqdm(
        records.as_numpy_iterator(), description, len(source), leave=False, disable=None
    )
    return list(rows)
