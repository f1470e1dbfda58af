"""How a configuration presents a data set to a network: images, preprocessing, augmentation."""

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import batches, datasets
from keras_resnet.data.sources import SubsetSource
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing


def make_sources(config):
    """The images to train on and those to validate on.

    Images are kept for validation, and left out of training, by one permutation of the training
    images that depends on nothing but their number: the same for all networks and seeds.

    Returns:
      Two `Source`.

    Raises:
      UserError: the data set cannot be used, or has too few images.
    """
    train = datasets.load(config.dataset, "train", config.data_dir, config.skip_corrupt)
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
    if config.validation_images:
        validation = SubsetSource(train, np.sort(kept))
    else:
        validation = datasets.load(
            config.dataset, "validation", config.data_dir, config.skip_corrupt
        )
    return train if len(used) == len(train) else SubsetSource(train, np.sort(used)), validation


def make_preprocessing(config, source):
    """The `Preprocessing` of a network that is trained on a source, with the source's mean.

    Raises:
      UserError: an image cannot be read.
    """
    size = config.image_size or (min(source.pixel_shape) if source.pixel_shape else 224)
    # 256 to 224 is the paper's single-crop test; small sets are used whole.
    resize = config.resize or (size if source.pixel_shape else round(size * 256 / 224))
    geometry = Preprocessing(
        size=size,
        resize=resize,
        mean=(0.0,) * source.channels,
        channels=source.channels,
    )
    mean = batches.pixel_mean if config.mean == "pixel" else batches.channel_mean
    return geometry.with_mean(mean(source, geometry))


def with_copies(source, augmentation):
    """The source, with each image as often as the augmentation has copies of it."""
    copies = len(augmentation.kinds)
    return source if copies == 1 else SubsetSource(source, np.tile(np.arange(len(source)), copies))


def make_augmentation(config, preprocessing, source):
    """The `Augmentation` of a training.

    Raises:
      UserError: the configuration does not fit the images.
    """
    if config.pca_color and preprocessing.channels != 3:
        raise UserError(
            "`pca_color` must be 0 for gray images, which have no colors to vary. "
            f"Received: pca_color={config.pca_color!r}"
        )
    resize = config.train_resize
    if resize is None and source.pixel_shape:
        resize = (preprocessing.resize,) * 2
    elif resize is None:
        # Section 3.4: 256 to 480 for a crop of 224.
        resize = tuple(round(preprocessing.size * side / 224) for side in (256, 480))
    if resize[0] < preprocessing.size:
        raise UserError(
            f"`train_resize` must be at least the image size, {preprocessing.size}. "
            f"Received: train_resize={resize!r}"
        )
    return Augmentation(config.augmentation, resize, config.pca_color)
