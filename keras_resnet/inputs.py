"""How a configuration presents a data set to a network: preprocessing and augmentation."""

from keras_resnet import batches
from keras_resnet.augmentation import Augmentation
from keras_resnet.checks import UserError
from keras_resnet.preprocessing import Preprocessing


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
