"""Data sets by name: embedded, a folder of pictures, or TensorFlow Datasets."""

import os
import pathlib

from keras_resnet.checks import UserError
from keras_resnet.data import folders, shapes, tfds
from keras_resnet.data.names import FOLDER, GIVEN, canonical
from keras_resnet.data.sources import MemorySource, Source


def load(
    dataset: str,
    split: str,
    data_dir: str | os.PathLike[str] | None = None,
    skip_corrupt: bool = False,
) -> Source:
    """The source of one split of a data set.

    Args:
      dataset: "shapes" (embedded), a path or "folder:PATH" (PATH/train and PATH/val hold a
        directory of JPEGs and PNGs for each class), or the name of a TensorFlow Datasets image
        classification set. See `names.canonical` for what is a path.
      split: "train" or "validation". A TFDS set without a validation split gives its test split.
      data_dir: where TFDS data is; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      skip_corrupt: read and decode all images at once, and leave out, count and name those that
        cannot be used, instead of raising.

    Returns:
      A `sources.Source`.

    Raises:
      UserError: the data set is unknown, missing, empty, corrupt or not for classification.
    """
    if dataset == GIVEN:
        raise UserError(
            "The run was trained on images that were given to keras_resnet.train, which it does "
            "not keep: --dataset=NAME must say what to take in their place. To go on training, "
            "give them again: train(config, run_dir, sources)."
        )
    dataset = canonical(dataset)
    if dataset == "shapes":
        images, labels = shapes.examples(split)
        return MemorySource(images, labels, shapes.CLASS_NAMES)
    if dataset.startswith(FOLDER):
        path = pathlib.Path(dataset.removeprefix(FOLDER)).expanduser()
        return folders.load_folder(path, split, skip_corrupt)
    return tfds.load_tfds(dataset, split, data_dir, skip_corrupt)
