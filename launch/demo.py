"""Trains a small network on drawn shapes, evaluates it, exports it, and asks it about a star.

  python launch/demo.py

It takes about two minutes on two cores and downloads nothing. Each step is one of the other
programs, and its command is printed: they are the commands for pictures of your own.
"""

import pathlib
import shlex
import subprocess
import sys

from absl import flags

from command_line.program import Program, command, positional
from keras_resnet.checks import UserError

FOLDER = pathlib.Path(__file__).resolve().parent
STAR = FOLDER / "star.jpg"

PROGRAM = Program(__doc__, "[flags]", in_batches=None)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "output", ".", "directory in which runs/demo and exports/demo are written", flag_values=FLAGS
)
PROGRAM.document("Flags", "output")


def read(arguments):
    positional(arguments)
    output = pathlib.Path(FLAGS.output).expanduser()
    if not output.is_dir():
        raise UserError(f"--output=DIR must be a directory. Received: {FLAGS.output!r}")
    return (output,)


def work(output):
    run, exports = output / "runs" / "demo", output / "exports" / "demo"
    steps = (
        (
            *("imagenet", "--dataset=shapes", "--network=CifarResNet", "--depth=14"),
            *("--image_size=32", "--train_resize=36", "--global_batch_size=32"),
            *("--train_epochs=4", f"--run_dir={run}"),
        ),
        ("evaluate", run),
        ("export", run, f"--output={exports}"),
        ("predict", exports, STAR),
    )
    for name, *arguments in steps:
        arguments = [str(argument) for argument in arguments]
        print(f"\n$ {command(name)} {shlex.join(arguments)}")
        finished = subprocess.run([*program(name), *arguments])
        if finished.returncode != 0:
            raise UserError(f"The demonstration ended: {name} did, with {finished.returncode}.")


def program(name):
    """The beginning of the command that runs a program as this one was run."""
    if "keras_resnet_launch" in sys.modules:
        return [sys.executable, "-m", "keras_resnet_launch", name]
    return [sys.executable, str(FOLDER / f"{name}.py")]


if __name__ == "__main__":
    PROGRAM.run(read, work)
