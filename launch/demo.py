"""Trains a small network on drawn shapes, evaluates it, exports it, and asks it about a star.

  python launch/demo.py
  python launch/demo.py --task=detection
  python launch/demo.py --task=segmentation
  python launch/demo.py --task=localization

It takes about two minutes on two cores and downloads nothing. Each step is one of the other
programs, and its command is printed: they are the commands for pictures of your own. With another
--task it goes on to find shapes in drawn scenes (detection), their pixels (segmentation), or one
among other things (localization), in some minutes more.
"""

import pathlib
import shlex
import subprocess
import sys

from absl import flags

from command_line.program import Program, command, positional
from keras_resnet.checks import UserError, check_one_of

FOLDER = pathlib.Path(__file__).resolve().parent
STAR, SCENE, HIDDEN = (FOLDER / f"{name}.jpg" for name in ("star", "scene", "hidden"))

PROGRAM = Program(__doc__, "[flags]", in_batches=None)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "output", ".", "directory in which runs/demo and exports/demo are written", flag_values=FLAGS
)
flags.DEFINE_string(
    "task",
    "classification",
    "what is shown: classification, detection, segmentation or localization",
    flag_values=FLAGS,
)
PROGRAM.document("Flags", "output", "task")


def read(arguments):
    positional(arguments)
    check_one_of("task", FLAGS.task, TASKS)
    output = pathlib.Path(FLAGS.output).expanduser()
    if not output.is_dir():
        raise UserError(f"--output=DIR must be a directory. Received: {FLAGS.output!r}")
    return output, TASKS[FLAGS.task]


def of_classification(output):
    """The programs that are run, with their arguments."""
    run, exports = output / "runs" / "demo", output / "exports" / "demo"
    return (
        (
            *("imagenet", "--dataset=shapes", "--network=CifarResNet", "--depth=14"),
            *("--image_size=32", "--train_resize=36", "--global_batch_size=32"),
            *("--train_epochs=4", f"--run_dir={run}"),
        ),
        ("evaluate", run),
        ("export", run, f"--output={exports}"),
        ("predict", exports, STAR),
    )


def of_detection(output):
    """The same for a detector, whose network learns to classify first."""
    shapes, run = output / "runs" / "demo-shapes", output / "runs" / "demo-detection"
    exports, drawn = output / "exports" / "demo-detection", output / "exports" / "demo-drawn"
    return (
        *classified_first(shapes),
        ("detection", "--recipe=scenes", f"--weights={shapes}", f"--run_dir={run}"),
        ("evaluate", run),
        ("evaluate", run, "--voting"),
        ("export", run, f"--output={exports}"),
        ("predict", exports, SCENE, f"--draw={drawn}"),
    )


def of_segmentation(output):
    """The same for a segmenter."""
    shapes, run = output / "runs" / "demo-shapes", output / "runs" / "demo-segmentation"
    exports, drawn = output / "exports" / "demo-segmentation", output / "exports" / "demo-masks"
    return (
        *classified_first(shapes),
        ("segmentation", "--recipe=scenes", f"--weights={shapes}", f"--run_dir={run}"),
        ("evaluate", run),
        ("evaluate", run, "--mirrored"),
        ("export", run, f"--output={exports}"),
        ("predict", exports, SCENE, f"--draw={drawn}"),
    )


def of_localization(output):
    """The same for a localizer."""
    shapes, run = output / "runs" / "demo-shapes", output / "runs" / "demo-localization"
    exports, drawn = output / "exports" / "demo-localization", output / "exports" / "demo-places"
    return (
        *classified_first(shapes),
        ("localization", "--recipe=hidden_shapes", f"--weights={shapes}", f"--run_dir={run}"),
        ("evaluate", run),
        ("export", run, f"--output={exports}"),
        ("predict", exports, HIDDEN, f"--draw={drawn}"),
    )


def classified_first(run):
    """The training of a network on single shapes, unless there is one already."""
    training = (
        *("imagenet", "--dataset=shapes", "--depth=10", "--width=32", "--image_size=64"),
        *("--global_batch_size=32", "--train_epochs=6", "--learning_rate=0.05"),
        *("--schedule=cosine", f"--run_dir={run}"),
    )
    return () if (run / "model.keras").exists() else (training,)


TASKS = {
    "classification": of_classification,
    "detection": of_detection,
    "segmentation": of_segmentation,
    "localization": of_localization,
}


def work(output, steps_of):
    for name, *arguments in steps_of(output):
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
