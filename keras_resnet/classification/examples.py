"""How a configuration presents images to a network: preprocessing, augmentation, batches."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.data import batches
from keras_resnet.data.sources import Source, SubsetSource
from keras_resnet.images.augmentation import Augmentation, augment, copies_of
from keras_resnet.images.preprocessing import Preprocessing


def input_size(options: ClassificationOptions, source: Source) -> int:
    """Side of the input of a network that is trained on a source, in pixels."""
    return options.image_size or (min(source.pixel_shape) if source.pixel_shape else 224)


def make_preprocessing(options: ClassificationOptions, source: Source) -> Preprocessing:
    """The `Preprocessing` of a network that is trained on a source, with the source's mean.

    Raises:
      UserError: an image cannot be read.
    """
    size = input_size(options, source)
    # 256 to 224 is the paper's single-crop test; small sets are used whole.
    resize = options.resize or (size if source.pixel_shape else round(size * 256 / 224))
    geometry = Preprocessing(
        size=size,
        resize=resize,
        mean=(0.0,) * source.channels,
        channels=source.channels,
        exif_orientation=True,
        background=options.background_color,
    )
    mean = batches.pixel_mean if options.mean == "pixel" else batches.channel_mean
    return geometry.with_mean(mean(source, geometry))


def with_copies(source: Source, augmentation: str) -> Source:
    """The source, with each image as often as an augmentation has copies of it."""
    copies = len(copies_of(augmentation))
    return source if copies == 1 else SubsetSource(source, np.tile(np.arange(len(source)), copies))


def make_augmentation(
    options: ClassificationOptions, preprocessing: Preprocessing, source: Source
) -> Augmentation:
    """The `Augmentation` of a training.

    Raises:
      UserError: the configuration does not fit the images.
    """
    if options.pca_color and preprocessing.channels != 3:
        raise UserError(
            "`pca_color` must be 0 for gray images, which have no colors to vary. "
            f"Received: pca_color={options.pca_color!r}"
        )
    resize = options.train_resize
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
    return Augmentation(options.augmentation, resize, options.pca_color)


def training_example(
    source: Source, preprocessing: Preprocessing, augmentation: Augmentation
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """What a training batch has of each image, for `batches.training_batches`.

    Args:
      source: of an epoch; all images come once for each of the augmentation's copies, first all
        first ones.
      preprocessing: `Preprocessing` of the network.
      augmentation: `Augmentation`.

    Returns:
      A function that gives float32 [size, size, channels] and the label, int64.
    """
    images_per_copy = len(source) // len(augmentation.kinds)

    def example(
        image: tf.Tensor, label: tf.Tensor, index: tf.Tensor, draws: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        copy = index // images_per_copy
        return augment(image, draws, preprocessing, augmentation, copy), label

    return example
