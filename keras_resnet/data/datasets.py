"""Data sets by name: embedded, folders of pictures, or TensorFlow Datasets."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from keras_resnet.checks import UserError
from keras_resnet.data import folders, shapes, tfds
from keras_resnet.data.layouts import layout
from keras_resnet.data.names import FOLDER, GIVEN, canonical, paths_of
from keras_resnet.data.sources import MemorySource, Source

# What is kept for validation of folders that have no pictures for it, see `opened`.
KEPT = 0.1


@dataclasses.dataclass(frozen=True)
class NamedSet:
    """A data set that is no folder: the embedded one, or one of TensorFlow Datasets.

    Attributes: see `load`.
    """

    name: str
    data_dir: str | os.PathLike[str] | None
    skip_corrupt: bool
    lacks_validation = False
    has_test = test_fits = False

    def source(self, split: str) -> Source:
        """The images of a split, "train" or "validation"."""
        if split not in ("train", "validation"):
            raise UserError(
                f"The splits of {self.name!r} are train and validation. Received: split={split!r}"
            )
        if self.name == "shapes":
            images, labels = shapes.examples(split)
            return MemorySource(images, labels, shapes.CLASS_NAMES)
        try:
            return tfds.load_tfds(self.name, split, self.data_dir, self.skip_corrupt)
        except UserError as error:
            if os.path.exists(self.name):
                # What it lacks to be a folder of pictures; or only that it is not taken for one.
                layout(pathlib.Path(self.name))
                way = f"\nThe folder {self.name} that is here is --dataset={FOLDER}{self.name}."
                raise UserError(f"{error}{way}") from error
            raise UserError(f"{error} Nor is there a folder {self.name!r} here.") from error

    def number_of(self, split: str) -> int:
        """How many images a split has."""
        return len(self.source(split))

    def check_learnable(self) -> None:
        """Raises UserError where a training could not be of use; such sets are fit for it."""


def opened(
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    skip_corrupt: bool = False,
    classes: Sequence[str] | None = None,
    kept: int | float = KEPT,
) -> folders.Folder | NamedSet:
    """A data set, of which splits can be read.

    Args:
      dataset, data_dir, skip_corrupt: see `load`.
      classes: of folders, names of the classes to use; None: all.
      kept: of folders without pictures to validate on, how many of those to train on are kept for
        that: an integer, or a share of each class below 1.

    Raises:
      UserError: there is no such folder, or nothing in it that could be learned.
    """
    if dataset == GIVEN:
        raise UserError(
            "The run was trained on images that were given to keras_resnet.train, which it does "
            "not keep: --dataset=NAME must say what to take in their place. To go on training, "
            "give them again: train(config, run_dir, sources)."
        )
    dataset = canonical(dataset)
    if dataset.startswith(FOLDER):
        return folders.Folder(paths_of(dataset), skip_corrupt, classes, kept)
    if classes is not None:
        raise UserError(
            f"`classes` is for folders of pictures. Received: classes={tuple(classes)!r} with "
            f"dataset={dataset!r}"
        )
    return NamedSet(dataset, data_dir, skip_corrupt)


def load(
    dataset: str,
    split: str,
    data_dir: str | os.PathLike[str] | None = None,
    skip_corrupt: bool = False,
    classes: Sequence[str] | None = None,
    kept: int | float = KEPT,
) -> Source:
    """The source of one split of a data set.

    Args:
      dataset: "shapes" (embedded), a path or "folder:PATH" of a folder of pictures or of a list of
        them and their classes (docs/data.md), several such paths with commas between them, or the
        name of a TensorFlow Datasets image classification set. See `names.canonical` for what is a
        path.
      split: "train" or "validation"; of folders also "test" or "all". A TFDS set without a
        validation split gives its test split, as does a folder.
      data_dir: where TFDS data is; None: TFDS_DATA_DIR, else ~/tensorflow_datasets.
      skip_corrupt: read and decode all images at once, and leave out, count and name those that
        cannot be used, instead of raising.
      classes, kept: see `opened`.

    Returns:
      A `sources.Source`.

    Raises:
      UserError: the data set is unknown, missing, empty, corrupt or not for classification.
    """
    return opened(dataset, data_dir, skip_corrupt, classes, kept).source(split)
