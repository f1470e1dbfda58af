"""Which images a configuration trains on, and on which it is validated."""

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import datasets
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.runs.config import TrainConfig


def make_sources(config: TrainConfig) -> tuple[Source, Source]:
    """The images to train on and those to validate on.

    Images are kept for validation, and left out of training, by one permutation of the training
    images that depends on nothing but their number: the same for all networks and seeds.

    Returns:
      Two `Source`.

    Raises:
      UserError: the data set cannot be used, or has too few images.
    """
    train = datasets.load(config.dataset, "train", config.data_dir, config.skip_corrupt)
    used, kept = divided(train, config)
    if kept is not None:
        return used, kept
    return used, datasets.load(config.dataset, "validation", config.data_dir, config.skip_corrupt)


def divided(train: Source, config: TrainConfig) -> tuple[Source, Source | None]:
    """Of the training images those to train on, and those that are kept for validation, if any.

    Raises:
      UserError: there are too few.
    """
    remaining = len(train) - config.validation_images
    if remaining < (config.train_images or 1):
        raise UserError(
            f"`train_images` and `validation_images` must leave {len(train)} images, those of the "
            f"training set, enough. Received: train_images={config.train_images!r}, "
            f"validation_images={config.validation_images!r}"
        )
    order = np.random.default_rng(0).permutation(len(train))
    kept = order[: config.validation_images]
    used = order[config.validation_images :][: config.train_images]
    held_out = SubsetSource(train, np.sort(kept)) if config.validation_images else None
    return train if len(used) == len(train) else SubsetSource(train, np.sort(used)), held_out
