"""Says what a data set holds: pictures per class, sizes, formats, copies, what is left out.

  python launch/data.py my_pictures
  python launch/data.py my_pictures --output=about

PATH is a folder of pictures, or whatever else --dataset of a training takes. With --output the same
is written to a directory (data_summary.txt and .json), with a picture of the numbers (classes.png)
and contact sheets of up to eight pictures of each class (classes-01.png, ...).
"""

import pathlib

from absl import flags

from command_line.program import Program, dataset_name, positional
from command_line.training import define_train_flags, train_config
from keras_resnet.checks import UserError
from keras_resnet.classification.recipes import RECIPES

PROGRAM = Program(__doc__, "PATH [flags]", in_batches=True)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "output", None, "directory for files and contact sheets; unset: none", flag_values=FLAGS
)
PROGRAM.document("To begin with", "output")
define_train_flags(
    PROGRAM,
    RECIPES["imagenet"],
    only=(
        *("data_dir", "classes", "train_images"),
        *("validation_images", "validation_share", "image_size"),
    ),
)


def read(arguments):
    (dataset,) = positional(arguments, "PATH")
    output = None if FLAGS.output is None else pathlib.Path(FLAGS.output).expanduser()
    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"`output` must be a directory. Received: {output}, a file")
    config = train_config(RECIPES["imagenet"], FLAGS)
    # What is broken is a part of what is said.
    return config.with_options(dataset=dataset_name(dataset), skip_corrupt=True), output


def work(config, output):
    from keras_resnet.classification.examples import input_size
    from keras_resnet.data.class_sheets import draw_sheets
    from keras_resnet.data.summary import summarize, surveys
    from keras_resnet.data.summary_files import ClassSummary
    from keras_resnet.data.summary_text import lines
    from keras_resnet.training.inputs import make_sources, opened

    sources = dict(zip(("train", "validation"), make_sources(config), strict=True))
    data = opened(config)
    if data.has_test and data.test_fits:
        sources["test"] = data.source("test")
    known = surveys(sources)
    summary = summarize(sources, known, input_size(config.task, sources["train"]))
    print("\n".join(lines(summary)))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        ClassSummary(summary).write(output)
        sheets = draw_sheets(sources["train"], known["train"], output)
        sheets = f"{sheets[0].name} to {sheets[-1].name}" if sheets[1:] else sheets[0].name
        print(f"Written to {output}: data_summary.txt and .json, classes.png, {sheets}")


if __name__ == "__main__":
    PROGRAM.run(read, work)
