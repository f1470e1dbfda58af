"""Computes what the paper claims, beside what it published.

  tables   parameters, multiply-adds, projections and output sizes of Table 1 and its variants, and
           the networks for CIFAR-10, all counted from the networks as they are built

Each prints Markdown and writes it, JSON and a picture into a directory.

  python launch/paper.py tables --output=runs/paper
"""

import json
import pathlib

import program
from absl import flags

from keras_resnet import files, plots, tables
from keras_resnet.checks import UserError, check_one_of

flags.DEFINE_string("output", "runs/paper", "directory for Markdown, JSON and picture")
program.document("Flags", "output")


def write_tables(output):
    """Writes tables.md, tables.json and tables.png into a directory."""
    imagenet, cifar = tables.imagenet_rows(), tables.cifar_rows()
    text = (
        f"Table 1, ImageNet, 224x224:\n\n{tables.markdown(imagenet)}\n"
        f"Table 6, CIFAR-10, 32x32:\n\n{tables.markdown(cifar)}"
    )
    print(text)
    files.write_text(output / "tables.md", text)
    rows = {"imagenet": imagenet, "cifar10": cifar}
    files.write_text(output / "tables.json", json.dumps(rows, indent=2) + "\n")
    plots.draw_costs(imagenet, output / "tables.png")


SUBCOMMANDS = {"tables": write_tables}


def main(arguments):
    (subcommand,) = program.positional(arguments, "SUBCOMMAND")
    check_one_of("SUBCOMMAND", subcommand, SUBCOMMANDS)
    if not flags.FLAGS.output:
        raise UserError("--output=DIR must name a directory.")
    output = pathlib.Path(flags.FLAGS.output).expanduser()
    output.mkdir(parents=True, exist_ok=True)
    SUBCOMMANDS[subcommand](output)
    print(f"Written: {output}")


if __name__ == "__main__":
    program.run(main, "SUBCOMMAND [flags]")
