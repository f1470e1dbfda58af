"""Which images a configuration trains on, and on which it is validated."""

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import datasets
from keras_resnet.data.folders import Folder
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.runs.config import TrainConfig


def opened(config: TrainConfig) -> Folder | datasets.NamedSet:
    """The data set of a configuration, of which splits can be read."""
    return datasets.opened(
        config.dataset,
        config.data_dir,
        config.skip_corrupt,
        config.classes,
        config.validation_images or config.validation_share,
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
