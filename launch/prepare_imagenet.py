"""Prepares ImageNet for training from the two archives that image-net.org offers.

  python launch/prepare_imagenet.py --source=DIR --data_dir=/data
  python launch/imagenet.py --depth=50 --data_dir=/data

DIR holds ILSVRC2012_img_train.tar (148 GB) and ILSVRC2012_img_val.tar (6.7 GB). Their sizes and
MD5, every header in them and the free disk (162 GB) are checked first; then TensorFlow Datasets
writes its imagenet2012 as ArrayRecord files, which launch/imagenet.py reads. An interrupted
preparation begins anew; of two at once one waits for the other.
"""

import os
import shlex

from absl import flags

from command_line.program import Program, command, existing, positional, required
from keras_resnet.texts import harmless

PROGRAM = Program(__doc__, "--source=DIR [flags]", in_batches=False)
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
    "demand the published sizes and MD5 (about 10 minutes) and the whole of ImageNet; false: for "
    "a part of it, or other pictures in the same layout",
    flag_values=FLAGS,
)
PROGRAM.document("Flags", "source", "data_dir", "verify")


def read(arguments):
    positional(arguments)
    source = required("source=DIR", FLAGS.source, "where the archives are")
    return (existing("--source=DIR", os.path.expanduser(source)),)


def work(source):
    from keras_resnet.data.imagenet_preparation import prepare

    info = prepare(source, FLAGS.data_dir, FLAGS.verify)
    given = FLAGS.data_dir
    data_dir = f" --data_dir={shlex.quote(os.path.expanduser(given))}" if given else ""
    for split, split_info in info.splits.items():
        print(f"{split}: {split_info.num_examples:,} images")
    prepared, train = harmless(str(info.data_dir)), f"{command('imagenet')} --depth=50{data_dir}"
    print(f"Prepared: {prepared}\n  train:  {train}")


if __name__ == "__main__":
    PROGRAM.run(read, work)
