"""Exports a trained network for TF Serving: a SavedModel with all that belongs to it.

  python launch/export.py runs/cifar10-cifarresnet20 --output=exports/cifar10
  python launch/export.py model.keras --output=exports/mine --optimize --dataset=my_pictures

RUN is a run directory, of which the network at the last evaluation is taken (model.keras), or a
.keras file. What is written is a version below --output, complete from the moment it exists; its
README.md is the model card. --optimize folds batch normalizations into the convolutions,
--optimize=bfloat16 computes in bfloat16 besides; both are compared on a data set with the network
as it was trained, by default on the run's validation images.
"""

import pathlib

from absl import flags

from command_line.program import Program, command, dataset_name, existing, positional, required
from keras_resnet.checks import UserError, check_number
from keras_resnet.runs.config import run_of
from keras_resnet.serving.options import OPTIMIZATIONS, TOP, Limits, checked_directory
from keras_resnet.texts import harmless


class OptimizeParser(flags.ArgumentParser):
    """Of a flag that may come without a value."""

    syntactic_help = "a precision, or no value for float32"

    def parse(self, argument):
        """The precision, or None for --nooptimize."""
        names = {"true": "float32", "false": None, **{name: name for name in OPTIMIZATIONS}}
        text = str(argument).lower()
        if text not in names:
            raise ValueError(f"must be one of {', '.join(OPTIMIZATIONS)}")
        return names[text]


PROGRAM = Program(__doc__, "RUN --output=DIR [flags]", in_batches=False)
FLAGS = PROGRAM.flags

flags.DEFINE_string(
    "output", None, "directory of versions, required; its name is the model's", flag_values=FLAGS
)
flags.DEFINE_integer(
    "version", None, "number of the version; unset: the next free one", flag_values=FLAGS
)
flags.DEFINE_integer("top", TOP, "classes that are named for each picture", flag_values=FLAGS)
flags.DEFINE_integer(
    "max_bytes", Limits.max_bytes, "longest picture that is decoded, in bytes", flag_values=FLAGS
)
flags.DEFINE_integer(
    "max_pixels", Limits.max_pixels, "largest picture that is decoded, in pixels", flag_values=FLAGS
)
flags.DEFINE_string("license", None, "of the weights, for the model card", flag_values=FLAGS)
flags.DEFINE_flag(
    flags.Flag(
        OptimizeParser(),
        flags.ArgumentSerializer(),
        "optimize",
        None,
        "fold batch normalizations into convolutions, and compute in float32 or bfloat16",
        boolean=True,
    ),
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "max_difference",
    None,
    "largest difference of a probability that an optimized network may have; unset: "
    + ", ".join(f"{bound:g} for {name}" for name, (_, bound) in OPTIMIZATIONS.items()),
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "dataset",
    None,
    "to compare on: a folder of pictures, shapes, or the name of a TFDS set; unset: the run's",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "data_dir", None, "where TensorFlow Datasets are; unset: the run's", flag_values=FLAGS
)
PROGRAM.document("Bundle", "output", "version", "top", "max_bytes", "max_pixels", "license")
PROGRAM.document("Optimization", "optimize", "max_difference", "dataset", "data_dir")


def read(arguments):
    if len(arguments) == 2 and arguments[1] in OPTIMIZATIONS:
        raise UserError(f"A precision follows an equals sign: --optimize={arguments[1]}.")
    (run,) = positional(arguments, "RUN")
    required("output=DIR", FLAGS.output, "where the versions of the export are")
    checked_directory(FLAGS.output, FLAGS.version, FLAGS.top)
    existing("RUN", run)
    if FLAGS.optimize is not None and not FLAGS.dataset and run_of(run) is None:
        raise UserError(
            "--dataset=NAME must say what to compare on: a .keras file outside of a run directory "
            "does not know."
        )
    if FLAGS.optimize is None:
        for name in ("max_difference", "dataset", "data_dir"):
            if FLAGS[name].present:
                raise UserError(f"--{name} is for --optimize.")
    if FLAGS.dataset:
        dataset_name(FLAGS.dataset)
    if FLAGS.max_difference is not None:
        check_number("max_difference", FLAGS.max_difference, 0)
    return run, Limits(FLAGS.max_bytes, FLAGS.max_pixels)


def work(run, limits):
    from keras_resnet.serving.export import export
    from keras_resnet.tasks import load_config, load_network

    config, model = load_config(run), load_network(run)
    check_kind(model)
    optimized = optimized_network(model, config)
    version = export(
        model,
        FLAGS.output,
        origin=origin(run, config),
        optimized=optimized,
        version=FLAGS.version,
        top=FLAGS.top,
        limits=limits,
    )
    version, output = harmless(str(version)), harmless(FLAGS.output)
    print(f"Exported: {version}")
    if optimized is not None:
        print(optimized.describe())
    print(
        f"  model card:  {version}/README.md\n"
        f"  try it:      {command('predict')} {output} PICTURE ...\n"
        f"  serve it:    {command('serve')} {output}; for others by TF Serving, with\n"
        f"               {output}/compose.yaml"
    )


def check_kind(model):
    """Refuses flags that are for networks that classify, if it is another."""
    from keras_resnet.networks.resnet import ResNet

    if not isinstance(model, ResNet):
        for name in ("top", "optimize"):
            if FLAGS[name].present:
                raise UserError(
                    f"--{name} is for networks that classify; RUN has a {type(model).__name__}."
                )


def origin(run, config):
    """What the model card says of where the network comes from."""
    from keras_resnet.runs.run_directory import load_data, load_evaluation, load_starts
    from keras_resnet.serving.card import Origin

    name = pathlib.Path(run).resolve().name.removesuffix(".keras")
    if config is None:
        return Origin(name, license=FLAGS.license)
    evaluation = load_evaluation(run)
    if evaluation is not None:
        protocol = "1-crop" if config.task.name == "classification" else "one scale"
        evaluation = {**evaluation, "split": "validation", "protocol": protocol}
    known = load_data(run)
    return Origin(
        name,
        config.to_json(),
        config.dataset,
        evaluation,
        FLAGS.license,
        load_starts(run),
        None if evaluation is None else evaluation.get("step"),
        {each: known[each] for each in known if each.endswith(("_images", "_fingerprint"))},
    )


def optimized_network(model, config):
    """What --optimize asks for; None if it does not."""
    from keras_resnet.classification.evaluation import fitted
    from keras_resnet.serving.optimization import optimize
    from keras_resnet.training.inputs import opened_for

    if FLAGS.optimize is None:
        return None
    dataset = dataset_name(FLAGS.dataset) if FLAGS.dataset else config and config.dataset
    source = fitted(model, opened_for(config, dataset, FLAGS.data_dir).source("validation"))
    name = f"{dataset}, validation"
    return optimize(model, FLAGS.optimize, source, name, FLAGS.max_difference)


if __name__ == "__main__":
    PROGRAM.run(read, work)
