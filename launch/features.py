"""Writes the features that a trained network sees in pictures, as an array.

  python launch/features.py runs/mine my_pictures --output=features.npy

  features = numpy.load("features.npy", mmap_mode="r")  # [pictures, channels]
  names = open("features.txt", encoding="utf-8").read().splitlines()

MODEL is a run directory, of which the network at the last evaluation is taken (model.keras), or a
.keras file. FOLDER is searched for pictures at any depth; what is hidden is left out.
Features are the average over the last feature map, before the classifier: a row of float32 for each
picture. The list of the pictures, a line for each row, is written beside them (FILE.txt). What is
there already is never overwritten.
"""

from absl import flags

from command_line.program import Program, existing, positional, required
from keras_resnet.checks import UserError, check_integer
from keras_resnet.texts import harmless

PROGRAM = Program(__doc__, "MODEL FOLDER --output=FILE.npy [flags]", in_batches=True)
FLAGS = PROGRAM.flags

flags.DEFINE_string("output", None, "the array to write, a .npy file, required", flag_values=FLAGS)
flags.DEFINE_integer("batch_size", 32, "pictures at once", flag_values=FLAGS)
flags.DEFINE_bool(
    "skip_corrupt",
    False,
    "leave out pictures that do not decode, count and name them",
    flag_values=FLAGS,
)
PROGRAM.document("Flags", "output", "batch_size", "skip_corrupt")


def read(arguments):
    model, folder = positional(arguments, "MODEL", "FOLDER")
    existing("MODEL", model)
    existing("FOLDER", folder)
    output = required("output=FILE.npy", FLAGS.output, "where the features go")
    if not output.endswith(".npy"):
        raise UserError(f"`output` must be a .npy file. Received: {output}")
    check_integer("batch_size", FLAGS.batch_size, 1)
    return model, folder


def work(model, folder):
    from keras_resnet.evaluation.features import write_features
    from keras_resnet.runs.run_directory import load_network

    number, listing = write_features(
        load_network(model), folder, FLAGS.output, FLAGS.batch_size, FLAGS.skip_corrupt
    )
    output, listing = harmless(FLAGS.output), harmless(str(listing))
    print(f"Features of {number} pictures: {output}\n  in the order of:  {listing}")


if __name__ == "__main__":
    PROGRAM.run(read, work)
