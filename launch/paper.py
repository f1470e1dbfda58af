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
  construction RUN... the argument of section 1 for trained CIFAR networks, residual or plain: a
                      deeper network whose added blocks are identities computes the same
  responses RUN...    Figure 7: how strongly each 3x3 layer of trained networks responds
  degradation         Figure 6: trains plain and residual networks of several depths alike
  ablation            trains ResNet-18 with other rates, activations, augmentations and blocks

Each prints what it found, and writes it as Markdown, JSON and a picture into --output. The first
two take a minute or two. The last two train for hours on a processor: started again, they resume.
"launch/paper.py SUBCOMMAND --help" lists the flags of one.
"""

import pathlib
import sys

from absl import flags

from command_line.program import Program, existing, integers, numbers, positional
from command_line.training import define_train_flags, train_config
from keras_resnet.checks import UserError, check_one_of, check_positive
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.networks.families import check_cifar_depth
from keras_resnet.paper import ablation
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

CONSTRUCTION = """\
Puts trained networks into deeper ones whose added blocks are identities (section 1).

  python launch/paper.py construction runs/cifar10-cifarresnet20 --depth=56
"""

RESPONSES = """\
Measures how strongly each 3x3 layer of trained networks responds (Figure 7).

  python launch/paper.py responses runs/paper/degradation/residual-*
"""

DEGRADATION = """\
Trains plain and residual networks of several depths alike (Figure 6).

  python launch/paper.py degradation --dataset=fashion_mnist --train_epochs=5

It compares their training errors: those of deeper plain networks are higher, says the paper,
and those of deeper residual ones are not. The same command resumes.
"""

ABLATION = """\
Trains ResNet-18 with other rates, activations, augmentations and blocks.

  python launch/paper.py ablation --dataset=fashion_mnist --train_images=5000 \\
      --train_epochs=5 --activations=relu --augmentations=none

It repeats a course project's study: 39 trainings without flags, 6 with those above. The same
command resumes.
"""

# The paper trains from scratch.
OF_FINE_TUNING = ("weights", "freeze", "freeze_batch_norm")


def _program(doc, usage):
    program = Program(doc, usage, in_batches=True)
    flags.DEFINE_string(
        "output",
        "runs/paper",
        "directory for Markdown, JSON and picture",
        flag_values=program.flags,
    )
    return program


def _runs(arguments):
    return [existing("RUN", run) for run in positional(arguments, "RUN ...")]


def _output(program):
    output = pathlib.Path(program.flags.output).expanduser()
    if not program.flags.output or (output.exists() and not output.is_dir()):
        raise UserError(f"--output=DIR must be a directory. Received: {program.flags.output!r}")
    return output


def _of_networks(doc, name):
    """A subcommand that needs nothing but a place to write to."""
    program = _program(doc, f"{name} [flags]")
    program.document("Flags", "output")

    def read(arguments):
        positional(arguments[1:])
        return (_output(program),)

    return program, read, f"write_{name}"


def networks():
    """Figures 2, 3 and 5 and Table 1, drawn."""
    return _of_networks(NETWORKS, "networks")


def tables():
    """Tables 1 and 6, counted."""
    return _of_networks(TABLES, "tables")


def construction():
    """Section 1, for trained networks."""
    program = _program(CONSTRUCTION, "construction RUN ... [flags]")
    flags.DEFINE_integer(
        "depth", 56, "layers of the deeper network, 6n+2", flag_values=program.flags
    )
    _define_data_dir(program)
    program.document("Flags", "depth", "data_dir", "output")

    def read(arguments):
        check_cifar_depth(program.flags.depth)
        runs = _runs(arguments[1:])
        return _output(program), runs, program.flags.depth, program.flags.data_dir

    return program, read, "write_construction"


def responses():
    """Figure 7, of trained networks."""
    program = _program(RESPONSES, "responses RUN ... [flags]")
    _define_data_dir(program)
    program.document("Flags", "data_dir", "output")

    def read(arguments):
        runs = _runs(arguments[1:])
        return _output(program), runs, program.flags.data_dir

    return program, read, "write_responses"


def _define_data_dir(program):
    flags.DEFINE_string(
        "data_dir",
        None,
        "where TensorFlow Datasets are; unset: the runs'",
        flag_values=program.flags,
    )


def degradation():
    """Figure 6, by training."""
    program = _program(DEGRADATION, "degradation [flags]")
    flags.DEFINE_list(
        "depths", ["20", "56"], "layers of the networks, 6n+2", flag_values=program.flags
    )
    flags.DEFINE_list(
        "errors",
        ["30", "20", "15", "10"],
        "training errors in % whose first steps are compared",
        flag_values=program.flags,
    )
    # Both kinds and any depth: no shortcut, no other stem, no bottlenecks.
    of_one_network = ("network", "depth", "shortcut", "stem", "bottleneck_stride")
    without = (*of_one_network, "run_dir", *OF_FINE_TUNING)
    program.document("To begin with", "depths", "output")
    define_train_flags(program, RECIPES["cifar10"], without)
    program.document("Report", "errors")

    def read(arguments):
        positional(arguments[1:])
        depths = integers("depths", program.flags.depths)
        if not depths:
            raise UserError("`depths` must name at least one, such as 20,56. Received: nothing")
        for depth in depths:
            check_cifar_depth(depth)
        errors = numbers("errors", program.flags.errors)
        for error in errors:
            check_positive("errors", error)
        config = train_config(RECIPES["cifar10"], program.flags)
        return _output(program), config, depths, errors

    return program, read, "write_degradation"


def ablation_study():
    """A study of ResNet-18, by training."""
    program = _program(ABLATION, "ablation [flags]")
    shares = [ablation.label(share) for share in ablation.SHARES]
    for name, default, text in (
        ("shares", shares, "shares of the training at rates 1, 1/10 and 1/100"),
        ("activations", list(ablation.ACTIVATIONS), "any of these"),
        ("augmentations", list(ablation.AUGMENTATIONS), "any of these"),
        (
            "variants",
            list(ablation.VARIANTS),
            "blocks in place of the basic one, trained with ReLU, without augmentation and with "
            "the first shares; any of these or, empty, none",
        ),
    ):
        flags.DEFINE_list(name, default, text, flag_values=program.flags)
    compared = ("block", "activation", "augmentation", "learning_rate_shares")
    # Shares divide a schedule of steps.
    of_schedules = ("schedule", "learning_rate_drops", "warmup_epochs", "plateau_evaluations")
    without = ("network", *compared, *of_schedules, "run_dir", *OF_FINE_TUNING)
    program.document("To begin with", "output")
    define_train_flags(program, RECIPES["ablation"], without)
    program.document("Compared", "shares", "activations", "augmentations", "variants")

    def read(arguments):
        positional(arguments[1:])
        shares = [_share(text) for text in program.flags.shares]
        if not shares:
            raise UserError("`shares` must name at least one, such as 2:1:1. Received: nothing")
        base = train_config(RECIPES["ablation"], program.flags)
        names = ("activations", "augmentations", "variants")
        values = ([value for value in program.flags[name].value if value] for name in names)
        trainings = ablation.configs(base, shares, *values)
        if not trainings:
            raise UserError("Nothing to train: name --activations, --augmentations or --variants.")
        return _output(program), base, trainings

    return program, read, "write_ablation"


def _share(text):
    try:
        return tuple(int(number) for number in text.split(":"))
    except ValueError:
        raise UserError(
            f"`shares` must be integers and colons, such as 2:1:1. Received: {text!r}"
        ) from None


# Each gives a program, what it reads, and the function of `paper.commands` that does the work.
SUBCOMMANDS = {
    "networks": networks,
    "tables": tables,
    "construction": construction,
    "responses": responses,
    "degradation": degradation,
    "ablation": ablation_study,
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
    return program, read, None


def run():
    """Runs the subcommand that the command line names."""
    program, read, name = SUBCOMMANDS.get((sys.argv[1:] or [""])[0], unknown)()

    def work(output, *request):
        from keras_resnet.paper import commands

        getattr(commands, name)(output, *request)
        for path in sorted(output.glob(f"{name.removeprefix('write_')}.*")):
            print(f"Written: {harmless(str(path))}")

    program.run(read, work)


if __name__ == "__main__":
    run()
