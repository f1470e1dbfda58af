"""Prepares ImageNet for training from the two archives that image-net.org offers.

DIR holds ILSVRC2012_img_train.tar (148 GB) and ILSVRC2012_img_val.tar (6.7 GB). Their names, sizes,
MD5 and members and the free disk (162 GB) are checked first; then TensorFlow Datasets writes its
imagenet2012 as ArrayRecord files, which launch/imagenet.py reads.

  python launch/prepare_imagenet.py --source=DIR --data_dir=/data
  python launch/imagenet.py --depth=50 --data_dir=/data
"""

import program
from absl import flags

from keras_resnet.archives import prepare
from keras_resnet.checks import UserError

flags.DEFINE_string("source", None, "directory of the two archives, required")
flags.DEFINE_string(
    "data_dir", None, "where the data go; unset: TFDS_DATA_DIR, else ~/tensorflow_datasets"
)
flags.DEFINE_bool(
    "verify",
    True,
    "compare sizes and MD5 with the published ones (about 10 minutes); false: for other pictures "
    "in the same layout, such as a part of ImageNet",
)
program.document("Flags", "source", "data_dir", "verify")


def main(arguments):
    program.positional(arguments)
    if flags.FLAGS.source is None:
        raise UserError("--source=DIR must say where the archives are.")
    prepared = prepare(flags.FLAGS.source, flags.FLAGS.data_dir, flags.FLAGS.verify)
    data_dir = f" --data_dir={flags.FLAGS.data_dir}" if flags.FLAGS.data_dir else ""
    print(f"Prepared: {prepared}\n  train:  python launch/imagenet.py --depth=50{data_dir}")


if __name__ == "__main__":
    program.run(main, "--source=DIR [--data_dir=DIR]")
