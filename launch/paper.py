"""Computes what the paper claims, beside what it published.

  tables              parameters, multiply-adds, projections and output sizes of Table 1 and its
                      variants, and the networks for CIFAR-10, counted from the networks as built
  construction RUN... the argument of section 1 for trained CIFAR networks, residual or plain: a
                      deeper network whose added blocks are identities computes the same
  responses RUN...    Figure 7: how strongly each 3x3 layer of trained networks responds
  degradation         Figure 6: trains plain and residual networks of several depths alike
  ablation            trains ResNet-18 with other rates, activations, augmentations and blocks

Each prints Markdown and writes it, JSON and a picture into a directory. The last two train: started
again, they go on where they were. "launch/paper.py SUBCOMMAND --help" lists the flags of one.

  python launch/paper.py tables --output=runs/paper
  python launch/paper.py construction runs/cifar10-cifarresnet20 --depth=56
  python launch/paper.py degradation --dataset=fashion_mnist --train_epochs=5
  python launch/paper.py responses runs/paper/degradation/residual-*
"""

import collections
import json
import pathlib
import sys

import numpy as np
import program
from absl import flags

program.import_package(in_batches=True)

from keras_resnet import constructors, files, plots
from keras_resnet.checks import UserError, check_one_of, check_positive
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import ablation, degradation, tables
from keras_resnet.paper.construction import deeper_copy, logits
from keras_resnet.paper.responses import responses, summary
from keras_resnet.paper.trainings import train_all
from keras_resnet.runs.run_directory import load_network
from keras_resnet.tasks import load_config
from keras_resnet.training.inputs import make_sources

PROGRAM = program.Program(__doc__, "SUBCOMMAND [RUN ...] [flags]")
FLAGS = PROGRAM.flags


def write_tables(output, arguments):
    """Writes tables.md, tables.json and tables.png into a directory."""
    program.positional(arguments)
    imagenet, cifar = tables.imagenet_rows(), tables.cifar_rows()
    text = (
        f"Table 1, ImageNet, 224x224:\n\n{tables.markdown(imagenet)}\n"
        f"Table 6, CIFAR-10, 32x32:\n\n{tables.markdown(cifar)}"
    )
    _write(output / "tables", text, {"imagenet": imagenet, "cifar10": cifar})
    plots.draw_costs(imagenet, output / "tables.png")


def write_construction(output, arguments):
    """Writes construction.md, construction.json and construction.png into a directory."""
    runs = program.positional(arguments, "RUN ...")
    constructors.check_cifar_depth(FLAGS.depth)
    rows, pairs = [], {}
    for run, label in _labels(runs, CIFAR_RUN).items():
        model, config, source = _trained(run)
        if FLAGS.depth < config.depth:
            raise UserError(
                f"`depth` must be at least {config.depth}, that of {run}. "
                f"Received: depth={FLAGS.depth}"
            )
        deeper = deeper_copy(model, ((FLAGS.depth - 2) // 6,) * 3)
        pair = [logits(network, source) for network in (model, deeper)]
        labels = source.fetch(np.arange(len(source)))[1].numpy()
        top1 = [round(100 * np.mean(answers.argmax(axis=1) == labels), 2) for answers in pair]
        rows.append(
            {
                "network": label,
                "deeper": f"{config.network}-{FLAGS.depth}",
                "images": len(source),
                "top-1 %": top1[0],
                "deeper top-1 %": top1[1],
                "largest logit": float(np.abs(pair[0]).max()),
                "largest difference": float(np.abs(pair[1] - pair[0]).max()),
            }
        )
        pairs[f"{label} and {FLAGS.depth}"] = pair
    _write(output / "construction", tables.markdown(rows), rows)
    plots.draw_agreement(pairs, output / "construction.png")


def write_responses(output, arguments):
    """Writes responses.md, responses.json and responses.png into a directory."""
    deviations = {}
    for run, label in _labels(program.positional(arguments, "RUN ...")).items():
        model, _, source = _trained(run)
        deviations[label] = responses(model, source)
    rows = [summary(label, of_layers) for label, of_layers in deviations.items()]
    text = (
        "Standard deviation of the responses of the 3x3 layers (Figure 7, which prints no "
        f"numbers):\n\n{tables.markdown(rows)}"
    )
    _write(output / "responses", text, {"summary": rows, "layers": deviations})
    plots.draw_responses(deviations, output / "responses.png")


def write_degradation(output, arguments):
    """Trains in directories of degradation/, and writes its .md, .json and .png."""
    program.positional(arguments)
    depths = program.integers("depths", FLAGS.depths)
    if not depths:
        raise UserError("`depths` must name at least one, such as 20,56. Received: nothing")
    errors = program.numbers("errors", FLAGS.errors)
    for error in errors:
        check_positive("errors", error)
    config = program.train_config(RECIPES["cifar10"], FLAGS)
    trainings = degradation.configs(config, depths)
    directory = output / "degradation"
    results, metrics = train_all(trainings, directory)
    rows = degradation.rows(trainings, results, metrics, directory, errors)
    verdicts = "".join(f"\n{sentence}\n" for sentence in degradation.verdicts(rows))
    text = f"Figure 6 on {config.dataset}:\n\n{tables.markdown(rows)}{verdicts}"
    _write(directory, text, {"rows": rows, "metrics": metrics})
    plots.draw_degradation(metrics, output / "degradation.png", degradation.split_name(config))


def write_ablation(output, arguments):
    """Trains in directories of ablation/, and writes its .md, .json and .png."""
    program.positional(arguments)
    shares = [_share(text) for text in FLAGS.shares]
    if not shares:
        raise UserError("`shares` must name at least one, such as 2:1:1. Received: nothing")
    base = program.train_config(RECIPES["ablation"], FLAGS)
    trainings = ablation.configs(
        base,
        shares,
        *(
            [value for value in FLAGS[name].value if value]
            for name in ("activations", "augmentations", "variants")
        ),
    )
    if not trainings:
        raise UserError("Nothing to train: name --activations, --augmentations or --variants.")
    results, metrics = train_all(trainings, output / "ablation")
    top1 = ablation.top1_of(results)
    parts = {
        "Top-1 in % by shares of the three rates": ablation.rows(trainings, top1),
        "Other blocks": ablation.variant_rows(trainings, top1),
        "MNIST after as many epochs": ablation.mnist_rows(trainings, metrics),
    }
    parts = {title: rows for title, rows in parts.items() if rows}
    text = f"ResNet-{base.depth} with the {base.stem} stem on {base.dataset}:\n"
    text += "".join(f"\n{title}:\n\n{tables.markdown(rows)}" for title, rows in parts.items())
    _write(output / "ablation", text, parts)
    converged = {name: value for name, value in top1.items() if value != ablation.DIVERGED}
    plots.draw_ablation(converged, output / "ablation.png")


def define_construction_flags():
    flags.DEFINE_integer("depth", 56, "layers of the deeper network, 6n+2", flag_values=FLAGS)
    PROGRAM.document("Flags", "depth")
    define_data_dir()


def define_data_dir():
    flags.DEFINE_string(
        "data_dir", None, "where TensorFlow Datasets are; unset: the runs'", flag_values=FLAGS
    )
    PROGRAM.document("Flags", "data_dir")


def define_degradation_flags():
    flags.DEFINE_list("depths", ["20", "56"], "layers of the networks, 6n+2", flag_values=FLAGS)
    flags.DEFINE_list(
        "errors",
        ["30", "20", "15", "10"],
        "training errors in % whose first steps are compared",
        flag_values=FLAGS,
    )
    PROGRAM.document("Flags", "depths", "errors")
    program.define_train_flags(
        PROGRAM, RECIPES["cifar10"], without=("network", "depth", "run_dir", *OF_FINE_TUNING)
    )


def define_ablation_flags():
    shares = [ablation.label(share) for share in ablation.SHARES]
    flags.DEFINE_list(
        "shares", shares, "shares of the training at rates 1, 1/10 and 1/100", flag_values=FLAGS
    )
    flags.DEFINE_list("activations", list(ablation.ACTIVATIONS), "any of these", flag_values=FLAGS)
    flags.DEFINE_list(
        "augmentations", list(ablation.AUGMENTATIONS), "any of these", flag_values=FLAGS
    )
    flags.DEFINE_list(
        "variants",
        list(ablation.VARIANTS),
        "blocks in place of the basic one, trained with ReLU, without augmentation and with the "
        "first shares; any of these or, empty, none",
        flag_values=FLAGS,
    )
    PROGRAM.document("Flags", "shares", "activations", "augmentations", "variants")
    program.define_train_flags(
        PROGRAM,
        RECIPES["ablation"],
        without=(
            "network",
            "block",
            "activation",
            "augmentation",
            "schedule",
            "learning_rate_drops",
            "learning_rate_shares",
            "warmup_epochs",
            "run_dir",
            *OF_FINE_TUNING,
        ),
    )


def _share(text):
    try:
        return tuple(int(number) for number in text.split(":"))
    except ValueError:
        raise UserError(
            f"`shares` must be integers and colons, such as 2:1:1. Received: {text!r}"
        ) from None


# The paper trains from scratch.
OF_FINE_TUNING = ("weights", "freeze", "freeze_batch_norm")

CIFAR_RUN = "a run directory of a CifarResNet or CifarPlainNet"


def _labels(runs, expected="a run directory, which knows its data set"):
    """What to call the network of each run: by its family and depth, and if need be its path."""
    names = {}
    for run in runs:
        # Whether there is a network comes first: it says more of what is missing.
        load_network(run)
        config = load_config(run)
        if config is None or (
            expected == CIFAR_RUN and config.network not in constructors.CIFAR_NETWORKS
        ):
            raise UserError(f"{run} must be {expected}.")
        names[run] = f"{config.network}-{config.depth}"
    counts = collections.Counter(names.values())
    return {run: name if counts[name] == 1 else f"{name}, {run}" for run, name in names.items()}


def _trained(run):
    """The network of a run, its configuration and the images that it is validated on."""
    config = load_config(run)
    data_dir = FLAGS.data_dir or config.data_dir
    _, source = make_sources(config.with_options(data_dir=data_dir))
    return load_network(run), config, source


def _write(path, text, content):
    """Prints Markdown, and writes it and JSON beside it."""
    print(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path.with_suffix(".md"), text)
    files.write_text(path.with_suffix(".json"), json.dumps(content, indent=2) + "\n")


# What a subcommand takes, what defines its flags, and what it does.
SUBCOMMANDS = {
    "tables": ("", lambda: None, write_tables),
    "construction": ("RUN ...", define_construction_flags, write_construction),
    "responses": ("RUN ...", define_data_dir, write_responses),
    "degradation": ("", define_degradation_flags, write_degradation),
    "ablation": ("", define_ablation_flags, write_ablation),
}


def main(arguments):
    (subcommand,) = program.positional(arguments[:1], "SUBCOMMAND")
    check_one_of("SUBCOMMAND", subcommand, SUBCOMMANDS)
    if sys.argv[1] != subcommand:
        raise UserError(f"SUBCOMMAND must come first. Received: {' '.join(sys.argv[1:])}")
    output = pathlib.Path(FLAGS.output).expanduser()
    if not FLAGS.output or (output.exists() and not output.is_dir()):
        raise UserError(f"--output=DIR must be a directory. Received: {FLAGS.output!r}")
    SUBCOMMANDS[subcommand][2](output, arguments[1:])
    print(f"Written: {output}")


if __name__ == "__main__":
    flags.DEFINE_string(
        "output", "runs/paper", "directory for Markdown, JSON and picture", flag_values=FLAGS
    )
    PROGRAM.document("Output", "output")
    # Each subcommand has flags of its own.
    if sys.argv[1:] and sys.argv[1] in SUBCOMMANDS:
        takes, define_flags, _ = SUBCOMMANDS[sys.argv[1]]
        define_flags()
        PROGRAM.usage = " ".join(filter(None, [sys.argv[1], takes, "[flags]"]))
    PROGRAM.run(main)
