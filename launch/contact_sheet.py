"""Draws what a network sees of training images: cropped, mirrored and colored at random.

Each row is an image as evaluation shows it, and as eight epochs of training do.

  python launch/contact_sheet.py --dataset=folder:my_pictures --output=sheet.png
"""

import pathlib

import numpy as np
import program
import tensorflow as tf
from absl import flags

program.import_package(in_batches=False)

from keras_resnet import plots
from keras_resnet.checks import UserError
from keras_resnet.classification.examples import make_augmentation, make_preprocessing
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.data import datasets
from keras_resnet.images import augmentation

ROWS = 6
EPOCHS = 8

PROGRAM = program.Program(__doc__, "--output=FILE [flags]")
FLAGS = PROGRAM.flags

program.define_train_flags(PROGRAM, RECIPES["imagenet"])
flags.DEFINE_string(
    "output", None, "the picture to write (.png or .jpg), required", flag_values=FLAGS
)
PROGRAM.document("Contact sheet", "output")


def main(arguments):
    program.positional(arguments)
    output = pathlib.Path(FLAGS.output or "")
    if output.suffix not in (".jpg", ".png") or not output.parent.is_dir():
        raise UserError(
            "--output=FILE must say where the picture goes: a .jpg or .png in a directory that "
            f"exists. Received: {FLAGS.output!r}"
        )
    config = program.train_config(RECIPES["imagenet"], FLAGS)
    source = datasets.load(config.dataset, "train", config.data_dir, config.skip_corrupt)
    preprocessing = make_preprocessing(config.task, source)
    augment = make_augmentation(config.task, preprocessing, source)
    # Shown without the subtraction of the mean.
    black = preprocessing.with_mean((0.0,) * preprocessing.channels)

    @tf.function
    def augmented(image, draws, copy):
        return augmentation.augment(image, draws, black, augment, copy)

    indices = np.linspace(0, len(source) - 1, min(ROWS, len(source))).astype(int)
    images = [source.example(index)[0] for index in indices]
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
        to_bytes([black(image) for image in images]),
        to_bytes(variants),
        output,
        title=f"{augment.kind}, shorter side {augment.resize[0]} to {augment.resize[1]}, "
        f"colors {augment.pca_color:g}",
    )
    print(f"Drawn: {output}")


def to_bytes(images):
    """Pixels of 0 to 255 as uint8."""
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    PROGRAM.run(main)
