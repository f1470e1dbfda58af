"""Computes what the paper claims, beside what it published.

  tables              parameters, multiply-adds, projections and output sizes of Table 1 and its
                      variants, and the networks for CIFAR-10, counted from the networks as built
  construction RUN... the argument of section 1 for trained CIFAR networks, residual or plain: a
                      deeper network whose added blocks are identities computes the same

Each prints Markdown and writes it, JSON and a picture into a directory.

  python launch/paper.py tables --output=runs/paper
  python launch/paper.py construction runs/cifar10-cifarresnet20 --depth=56
"""

import json
import pathlib

import numpy as np
import program
from absl import flags

from keras_resnet import datasets, files, models, plots, tables
from keras_resnet.checks import UserError, check_one_of
from keras_resnet.construction import deeper_copy, logits
from keras_resnet.runs import load_config, load_network

flags.DEFINE_string("output", "runs/paper", "directory for Markdown, JSON and picture")
flags.DEFINE_integer("depth", 56, "for construction: layers of the deeper network, 6n+2")
program.document("Flags", "output", "depth")


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
    models.check_cifar_depth(flags.FLAGS.depth)
    rows, pairs = [], {}
    for run in runs:
        model, config = load_network(run), load_config(run)
        if config is None or config.network not in models.CIFAR_NETWORKS:
            raise UserError(f"{run} must be a run directory of a CifarResNet or CifarPlainNet.")
        source = datasets.load(config.dataset, "validation", config.data_dir, config.skip_corrupt)
        deeper = deeper_copy(model, ((flags.FLAGS.depth - 2) // 6,) * 3)
        pair = [logits(network, source) for network in (model, deeper)]
        labels = source.fetch(np.arange(len(source)))[1].numpy()
        top1 = [round(100 * np.mean(answers.argmax(axis=1) == labels), 2) for answers in pair]
        rows.append(
            {
                "network": f"{config.network}-{config.depth}",
                "deeper": f"{config.network}-{flags.FLAGS.depth}",
                "images": len(source),
                "top-1 %": top1[0],
                "deeper top-1 %": top1[1],
                "largest logit": float(np.abs(pair[0]).max()),
                "largest difference": float(np.abs(pair[1] - pair[0]).max()),
            }
        )
        pairs[f"{rows[-1]['network']} and {flags.FLAGS.depth}, {config.dataset}"] = pair
    _write(output / "construction", tables.markdown(rows), rows)
    plots.draw_agreement(pairs, output / "construction.png")


def _write(path, text, content):
    """Prints Markdown, and writes it and JSON beside it."""
    print(text)
    files.write_text(path.with_suffix(".md"), text)
    files.write_text(path.with_suffix(".json"), json.dumps(content, indent=2) + "\n")


SUBCOMMANDS = {"tables": write_tables, "construction": write_construction}


def main(arguments):
    (subcommand,) = program.positional(arguments[:1], "SUBCOMMAND")
    check_one_of("SUBCOMMAND", subcommand, SUBCOMMANDS)
    if not flags.FLAGS.output:
        raise UserError("--output=DIR must name a directory.")
    output = pathlib.Path(flags.FLAGS.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    SUBCOMMANDS[subcommand](output, arguments[1:])
    print(f"Written: {output}")


if __name__ == "__main__":
    program.run(main, "SUBCOMMAND [RUN ...] [flags]")
