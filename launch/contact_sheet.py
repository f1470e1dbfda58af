"""Draws what a network sees of training images: cropped, mirrored and colored at random.

  python launch/contact_sheet.py --dataset=my_pictures --output=sheet.png

Each row is an image as evaluation shows it, and as eight epochs of training do.
"""

import pathlib

from absl import flags

from command_line.program import Program, positional
from command_line.training import define_train_flags, train_config
from keras_resnet.checks import UserError
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.texts import harmless

PROGRAM = Program(__doc__, "--output=FILE [flags]", in_batches=False)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "output", None, "the picture to write (.png or .jpg), required", flag_values=FLAGS
)
PROGRAM.document("To begin with", "output")
define_train_flags(
    PROGRAM,
    RECIPES["imagenet"],
    only=(
        *("dataset", "data_dir", "skip_corrupt", "seed"),
        *("augmentation", "image_size", "resize", "train_resize", "pca_color"),
    ),
)


def read(arguments):
    positional(arguments)
    output = pathlib.Path(FLAGS.output or "")
    if output.suffix not in (".jpg", ".png") or not output.parent.is_dir():
        raise UserError(
            "--output=FILE must say where the picture goes: a .jpg or .png in a directory that "
            f"exists. Received: {FLAGS.output!r}"
        )
    return train_config(RECIPES["imagenet"], FLAGS), output


def work(config, output):
    from keras_resnet.classification import contact_sheet

    contact_sheet.draw(config, output)
    print(f"Drawn: {harmless(str(output))}")


if __name__ == "__main__":
    PROGRAM.run(read, work)
