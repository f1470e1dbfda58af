"""Exports a trained network as the next version of a SavedModel, ready for TF Serving.

RUN is a run directory or a .keras file. The export takes the bytes of JPEGs and PNGs of any sizes.

  python launch/export.py runs/cifar10-cifarresnet20 --output=exports/cifar10
"""

import program
from absl import flags

from keras_resnet.checks import UserError
from keras_resnet.export import export
from keras_resnet.runs import load_network

flags.DEFINE_string(
    "output", None, "directory of versions, required; the next free number is written"
)
program.document("Flags", "output")


def main(arguments):
    (run,) = program.positional(arguments, "RUN")
    if flags.FLAGS.output is None:
        raise UserError("--output=DIR must say where the versions of the export are.")
    print(f"Exported: {export(load_network(run), flags.FLAGS.output)}")


if __name__ == "__main__":
    program.run(main, "RUN --output=DIR")
