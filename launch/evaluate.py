"""Evaluates a trained network: top-1, top-5 and loss, every image of the data set counted once.

RUN_OR_MODEL is a run directory or a .keras file. The images are preprocessed as in training and
serving.

  python launch/evaluate.py runs/cifar10-cifarresnet20
  python launch/evaluate.py model.keras --dataset=folder:my_pictures
"""

import program
from absl import flags

from keras_resnet import datasets
from keras_resnet.checks import UserError, check_integer, check_one_of
from keras_resnet.evaluation import Evaluator
from keras_resnet.runs import load_config, load_network

flags.DEFINE_string(
    "dataset", None, "shapes, folder:PATH or the name of a TFDS set; unset: the run's"
)
flags.DEFINE_string("data_dir", None, "where TensorFlow Datasets are; unset: the run's")
flags.DEFINE_string("split", "validation", "train or validation (for most TFDS sets: test)")
flags.DEFINE_integer("batch_size", 128, "images at once; the result does not depend on it")
flags.DEFINE_bool("skip_corrupt", False, "leave out pictures of a folder that do not decode")
program.document("Flags", "dataset", "data_dir", "split", "batch_size", "skip_corrupt")


def main(arguments):
    (run,) = program.positional(arguments, "RUN_OR_MODEL")
    check_one_of("split", flags.FLAGS.split, ("train", "validation"))
    check_integer("batch_size", flags.FLAGS.batch_size, 1)
    model = load_network(run)
    config = load_config(run)
    dataset = flags.FLAGS.dataset or (config and config.dataset)
    if not dataset:
        raise UserError("--dataset=NAME must say what to evaluate on: a .keras file does not know.")
    data_dir = flags.FLAGS.data_dir or (config and config.data_dir)
    source = datasets.load(dataset, flags.FLAGS.split, data_dir, flags.FLAGS.skip_corrupt)
    result = Evaluator(model, source, flags.FLAGS.batch_size)()
    print(f"{dataset}, {flags.FLAGS.split}: {program.describe(result)}")


if __name__ == "__main__":
    program.run(main, "RUN_OR_MODEL [--dataset=NAME]")
