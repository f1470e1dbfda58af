"""What the subcommands of `paper` share: their program, where they write, what they measure."""

import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

from absl import flags

from command_line.program import Program, existing, positional
from keras_resnet.checks import UserError, check_integer


class Subcommand(NamedTuple):
    """A subcommand: its program, what it reads, and what does its work.

    Attributes:
      program: `Program`.
      read: from the arguments after the name of the subcommand to what the work takes, the
        directory first.
      work: name of a function, such as "commands.write_tables", in `keras_resnet.paper`.
    """

    program: Program
    read: Callable[[list[str]], tuple[Any, ...]]
    work: str


def paper_program(doc, usage):
    """A `Program` with --output."""
    program = Program(doc, usage, in_batches=True)
    flags.DEFINE_string(
        "output",
        "runs/paper",
        "directory for Markdown, JSON and pictures",
        flag_values=program.flags,
    )
    return program


def output_of(program):
    """The directory of --output, which may not exist yet."""
    output = pathlib.Path(program.flags.output).expanduser()
    existing = next(path for path in (output, *output.absolute().parents) if path.exists())
    if not program.flags.output or not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(
            "--output=DIR must be a directory that can be written. "
            f"Received: {program.flags.output!r}"
        )
    return output


def runs_of(arguments):
    """The paths of run directories, at least one."""
    return [existing("RUN", run) for run in positional(arguments, "RUN ...")]


def define_data_flags(program, with_statistics):
    """Defines --data_dir, and --precise_bn where the network itself is measured."""
    flags.DEFINE_string(
        "data_dir",
        None,
        "where TensorFlow Datasets are; unset: the runs'",
        flag_values=program.flags,
    )
    if with_statistics:
        flags.DEFINE_integer(
            "precise_bn",
            10_000,
            "compute the statistics of batch normalizations from so many training images, or from "
            "all where there are fewer; 0: take the moving averages, which lag behind the weights",
            flag_values=program.flags,
        )
    program.document("Data", "data_dir", *(["precise_bn"] if with_statistics else []))


def statistics_of(program):
    """The value of --precise_bn."""
    return check_integer("precise_bn", program.flags.precise_bn, 0)
