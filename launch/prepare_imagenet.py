"""Prepares ImageNet for training from the two archives that image-net.org offers.

DIR holds ILSVRC2012_img_train.tar (148 GB) and ILSVRC2012_img_val.tar (6.7 GB). Their names, sizes,
MD5 and members and the free disk (162 GB) are checked first; then TensorFlow Datasets writes its
imagenet2012 as ArrayRecord files, which launch/imagenet.py reads.

  python launch/prepare_imagenet.py --source=DIR --data_dir=/data
  python launch/imagenet.py --depth=50 --data_dir=/data
"""

import os
import pathlib
import shlex

import program
from absl import flags

program.import_package(in_batches=False)

from keras_resnet.checks import UserError
from keras_resnet.data.imagenet_archives import prepare

PROGRAM = program.Program(__doc__, "--source=DIR [--data_dir=DIR]")
FLAGS = PROGRAM.flags

flags.DEFINE_string("source", None, "directory of the two archives, required", flag_values=FLAGS)
flags.DEFINE_string(
    "data_dir",
    None,
    "where the data go; unset: TFDS_DATA_DIR, else ~/tensorflow_datasets",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "verify",
    True,
    "compare sizes and MD5 with the published ones (about 10 minutes); false: for other pictures "
    "in the same layout, such as a part of ImageNet",
    flag_values=FLAGS,
)
PROGRAM.document("Flags", "source", "data_dir", "verify")


def main(arguments):
    program.positional(arguments)
    if not FLAGS.source:
        raise UserError("--source=DIR must say where the archives are.")
    info = prepare(FLAGS.source, FLAGS.data_dir, FLAGS.verify)
    given = FLAGS.data_dir
    data_dir = f" --data_dir={shlex.quote(os.path.expanduser(given))}" if given else ""
    for split, split_info in info.splits.items():
        print(f"{split}: {split_info.num_examples:,} images")
    print(f"Prepared: {info.data_dir}\n  train:  python launch/imagenet.py --depth=50{data_dir}")
    for leftover in pathlib.Path(info.data_dir).parent.glob("incomplete.*"):
        print(f"Left by an interrupted preparation, unless one is running, remove it: {leftover}")


if __name__ == "__main__":
    PROGRAM.run(main)
