"""What a network sees of training images, drawn: cropped, mirrored and colored at random."""

import os

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.classification.examples import make_augmentation, make_preprocessing
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.images import augmentation
from keras_resnet.runs.config import TrainConfig
from keras_resnet.training.inputs import opened

ROWS = 6
EPOCHS = 8


def draw(config: TrainConfig, path: str | os.PathLike[str]) -> None:
    """Draws a row for each of some images: as evaluation shows it, and as eight epochs do.

    Args:
      config: `TrainConfig` of a classification.
      path: the picture to write, .png or .jpg.

    Raises:
      UserError: the data set or an option cannot be used.
      OSError: the picture cannot be written.
    """
    options = config.task
    assert isinstance(options, ClassificationOptions)
    source = opened(config).source("train")
    preprocessing = make_preprocessing(options, source)
    augment = make_augmentation(options, preprocessing, source)
    # Shown without the subtraction of the mean.
    black = preprocessing.with_mean((0.0,) * preprocessing.channels)

    @tf.function
    def augmented(image: tf.Tensor, draws: tf.Tensor, copy: tf.Tensor) -> tf.Tensor:
        return augmentation.augment(image, draws, black, augment, copy)

    indices = np.linspace(0, len(source) - 1, min(ROWS, len(source))).astype(int)
    images, labels = zip(*map(source.example, indices), strict=True)
    draws = [augmentation.draw(len(source), config.seed, epoch).numpy() for epoch in range(EPOCHS)]
    variants = [
        [
            # Where there are several copies of an image they are shown in turn.
            augmented(image, epoch_draws[index], tf.constant(epoch % len(augment.kinds)))
            for epoch, epoch_draws in enumerate(draws)
        ]
        for image, index in zip(images, indices, strict=True)
    ]
    plots.draw_contact_sheet(
        _to_bytes([black(image) for image in images]),
        _to_bytes(variants),
        [source.class_names[int(label)] for label in labels],
        path,
        title=f"{augment.kind}, shorter side {augment.resize[0]} to {augment.resize[1]}, "
        f"colors {augment.pca_color:g}",
    )


def _to_bytes(images: npt.ArrayLike) -> np.ndarray:
    """Pixels of 0 to 255 as uint8."""
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)
