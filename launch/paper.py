"""Computes what the paper claims, beside what it published.

  python launch/paper.py networks
  python launch/paper.py tables
  python launch/paper.py degradation --dataset=fashion_mnist --train_epochs=5
  python launch/paper.py responses runs/paper/degradation/residual-*
  python launch/paper.py construction runs/paper/degradation/residual-20 --depth=56

SUBCOMMAND is one of
  networks            draws the blocks of Figures 2 and 5 and the columns of Figure 3 and Table 1
  tables              parameters, multiply-adds, projections and output sizes of Table 1 and its
                      variants, and the networks for CIFAR-10, counted from the networks as built
  errors [RUN...]     Table 6 with the errors of trained networks beside it, and errors by depth
  construction RUN... the argument of section 1 for trained CIFAR networks, residual or plain: a
                      deeper network whose added blocks are identities computes the same
  responses RUN...    Figure 7: how strongly each 3x3 layer of trained networks responds
  gradients RUN...    section 4.1: the norm of the gradient of each 3x3 layer, through training
  degradation         Figure 6: trains plain and residual networks of several depths alike; with
                      --recipe=imagenet those of Table 2 and Figure 4
  shortcuts           Table 3: trains a network with options A, B and C, and without shortcuts
  warm_up             section 4.2: trains 110 layers with a low rate at the beginning, and without
  single_layer        section 3.2: trains with a shortcut around each layer, and around each two
  ablation            trains ResNet-18 with other rates, activations, augmentations and blocks

Each prints what it found, and writes it as Markdown, JSON and pictures into --output. The first
three take a minute or two. The last five train for hours on a processor: started again, they
resume. "launch/paper.py SUBCOMMAND --help" lists the flags of one.
"""

import importlib
import sys

from absl import flags

from command_line import paper_trainings
from command_line.paper_programs import (
    Subcommand,
    define_data_flags,
    output_of,
    paper_program,
    runs_of,
    statistics_of,
)
from command_line.program import Program, existing, positional
from keras_resnet.checks import UserError, check_one_of
from keras_resnet.networks.families import check_cifar_depth
from keras_resnet.texts import harmless

# The help of each subcommand; see `help_text`.
NETWORKS = """\
Draws the blocks of Figures 2 and 5 and the columns of Figure 3 and Table 1.

  python launch/paper.py networks --output=runs/paper
"""

TABLES = """\
Counts parameters, multiply-adds, projections and output sizes of the paper's networks.

  python launch/paper.py tables --output=runs/paper
"""

ERRORS = """\
Puts the errors of trained networks beside Table 6, and draws errors by depth.

  python launch/paper.py errors runs/paper/degradation/*
"""

CONSTRUCTION = """\
Puts trained networks into deeper ones whose added blocks are identities (section 1).

  python launch/paper.py construction runs/cifar10-cifarresnet20 --depth=56
"""

RESPONSES = """\
Measures how strongly each 3x3 layer of trained networks responds (Figure 7).

  python launch/paper.py responses runs/paper/degradation/residual-*
"""

GRADIENTS = """\
Measures the norm of the gradient of each 3x3 layer (section 4.1).

  python launch/paper.py gradients runs/paper/degradation/plain-56

It does so at initialization, at each checkpoint that the run has kept, and at its end: with
--keep_checkpoints=100 a training keeps more of them.
"""


def _of_networks(doc, name):
    """A subcommand that needs nothing but a place to write to."""
    program = paper_program(doc, f"{name} [flags]")
    program.document("Flags", "output")

    def read(arguments):
        positional(arguments)
        return (output_of(program),)

    return Subcommand(program, read, f"commands.write_{name}")


def networks():
    """Figures 2, 3 and 5 and Table 1, drawn."""
    return _of_networks(NETWORKS, "networks")


def tables():
    """Tables 1 and 6, counted."""
    return _of_networks(TABLES, "tables")


def errors():
    """Table 6, and errors by depth."""
    program = paper_program(ERRORS, "errors [RUN ...] [flags]")
    program.document("Flags", "output")

    def read(arguments):
        return output_of(program), [existing("RUN", run) for run in arguments]

    return Subcommand(program, read, "commands.write_errors")


def construction():
    """Section 1, for trained networks."""
    program = paper_program(CONSTRUCTION, "construction RUN ... [flags]")
    flags.DEFINE_integer(
        "depth", 56, "layers of the deeper network, 6n+2", flag_values=program.flags
    )
    program.document("To begin with", "depth", "output")
    define_data_flags(program, with_statistics=True)

    def read(arguments):
        check_cifar_depth(program.flags.depth)
        runs, depth = runs_of(arguments), program.flags.depth
        return output_of(program), runs, depth, program.flags.data_dir, statistics_of(program)

    return Subcommand(program, read, "commands.write_construction")


def responses():
    """Figure 7, of trained networks."""
    program = paper_program(RESPONSES, "responses RUN ... [flags]")
    program.document("To begin with", "output")
    define_data_flags(program, with_statistics=True)

    def read(arguments):
        runs = runs_of(arguments)
        return output_of(program), runs, program.flags.data_dir, statistics_of(program)

    return Subcommand(program, read, "commands.write_responses")


def gradients():
    """Section 4.1, of networks in training."""
    program = paper_program(GRADIENTS, "gradients RUN ... [flags]")
    program.document("To begin with", "output")
    define_data_flags(program, with_statistics=False)

    def read(arguments):
        return output_of(program), runs_of(arguments), program.flags.data_dir

    return Subcommand(program, read, "commands.write_gradients")


SUBCOMMANDS = {
    "networks": networks,
    "tables": tables,
    "errors": errors,
    "construction": construction,
    "responses": responses,
    "gradients": gradients,
    "degradation": paper_trainings.degradation,
    "shortcuts": paper_trainings.shortcuts,
    "warm_up": paper_trainings.warm_up,
    "single_layer": paper_trainings.single_layer,
    "ablation": paper_trainings.ablation_study,
}


def unknown():
    """The program where no subcommand comes first: its help, or a mistake."""
    program = Program(__doc__, "SUBCOMMAND [RUN ...] [flags]", in_batches=True)
    given = sys.argv[1:]

    def read(arguments):
        check_one_of("SUBCOMMAND", (arguments or given)[0], SUBCOMMANDS)
        raise UserError(f"SUBCOMMAND must come first. Received: {' '.join(given)}")

    if not given:
        sys.argv[1:] = ["--help"]
    elif not program.asks(given):
        # Flags are those of subcommands.
        sys.argv[1:] = [argument for argument in given if not argument.startswith("-")]
    return Subcommand(program, read, "")


def run():
    """Runs the subcommand that the command line names."""
    name = (sys.argv[1:] or [""])[0]
    is_known = name in SUBCOMMANDS
    program, read, work_name = SUBCOMMANDS.get(name, unknown)()

    def work(output, *request):
        module, function = work_name.split(".")
        module = importlib.import_module(f"keras_resnet.paper.{module}")
        getattr(module, function)(output, *request)
        for path in sorted(output.glob(f"{name}*.*")):
            print(f"Written: {harmless(str(path))}")

    # The name of the subcommand is the first argument.
    program.run((lambda arguments: read(arguments[1:])) if is_known else read, work)


if __name__ == "__main__":
    run()
