"""Which images a configuration trains on, and on which it is validated."""

import collections
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import datasets
from keras_resnet.data.folders import Folder
from keras_resnet.data.layouts import counted
from keras_resnet.data.names import FOLDER, canonical
from keras_resnet.data.pictures import suffix_of
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.runs.config import TrainConfig

# Of the pictures that the first versions read.
_FORMER_SUFFIXES = (".jpg", ".jpeg", ".png")


def opened(config: TrainConfig) -> Folder | datasets.NamedSet:
    """The data set of a configuration, of which splits can be read."""
    return datasets.opened(
        config.dataset,
        config.data_dir,
        config.skip_corrupt,
        config.classes,
        config.validation_images or config.validation_share,
    )


def opened_for(
    config: TrainConfig | None,
    dataset: str | None,
    data_dir: str | None,
    skip_corrupt: bool = False,
) -> Folder | datasets.NamedSet:
    """The data set to evaluate a network on: that of its run, or another one.

    Of a folder the classes, and what is kept for validation, are as the run has them.

    Args:
      config: of the run; None: the network is of none.
      dataset, data_dir: in place of the run's; None: those.
      skip_corrupt: see `datasets.load`.

    Raises:
      UserError: there is no such data set, or neither of a run nor of another one.
    """
    if config is None:
        if not dataset:
            raise UserError(
                "--dataset=NAME must say what data to take: a .keras file outside of a run "
                "directory does not know."
            )
        return datasets.opened(dataset, data_dir, skip_corrupt)
    is_folder = canonical(dataset or config.dataset).startswith(FOLDER)
    return opened(
        config.with_options(
            dataset=dataset or config.dataset,
            data_dir=data_dir or config.data_dir,
            skip_corrupt=skip_corrupt,
            classes=config.classes if is_folder else None,
        )
    )


def read_besides(known: Mapping[str, Any], sources: Mapping[str, Source]) -> str:
    """What to say where a folder has pictures that earlier versions left out; or nothing.

    Args:
      known: what data.json says of the images that a run began with.
      sources: the images that are there now, "train" and "validation".
    """
    suffixes = [
        suffix_of(source.describe(index))
        for source in sources.values()
        for index in range(len(source))
    ]
    newer = collections.Counter(suffix for suffix in suffixes if suffix not in _FORMER_SUFFIXES)
    before = sum(known.get(f"{split}_images", 0) for split in sources)
    if not newer or before != len(suffixes) - newer.total():
        return ""
    return (
        f" Since it began {newer.total()} pictures more are read, of other formats than JPEG and "
        f"PNG ({counted(newer)}): to resume it, move them out of the folder; to use them, begin "
        "another run."
    )


def make_sources(config: TrainConfig) -> tuple[Source, Source]:
    """The images to train on and those to validate on.

    Images are kept for validation, and left out of training, by one permutation of the training
    images that depends on nothing but their number: the same for all networks and seeds. Of a
    folder without pictures to validate on some of each class are kept, see `held_out`.

    Returns:
      Two `Source`.

    Raises:
      UserError: the data set cannot be used, or has too few images.
    """
    data = opened(config)
    data.check_learnable()
    train = data.source("train")
    used, kept = divided(train, config, 0 if data.lacks_validation else config.validation_images)
    return used, data.source("validation") if kept is None else kept


def described(sources: Mapping[str, Source]) -> dict[str, Any]:
    """What a run knows its images again by: JSON values."""
    description: dict[str, Any] = {"class_names": list(sources["train"].class_names)}
    for split, source in sources.items():
        description[f"{split}_images"] = len(source)
        description[f"{split}_fingerprint"] = source.fingerprint()
    return description


def divided(train: Source, config: TrainConfig, number: int) -> tuple[Source, Source | None]:
    """Of the training images those to train on, and so many that are kept for validation.

    Raises:
      UserError: there are too few.
    """
    if len(train) - number < (config.train_images or 1):
        raise UserError(
            f"`train_images` and `validation_images` must leave {len(train)} images, those of the "
            f"training set, enough. Received: train_images={config.train_images!r}, "
            f"validation_images={config.validation_images!r}"
        )
    order = np.random.default_rng(0).permutation(len(train))
    kept, used = order[:number], order[number:][: config.train_images]
    held_out = SubsetSource(train, np.sort(kept)) if number else None
    return train if len(used) == len(train) else SubsetSource(train, np.sort(used)), held_out
