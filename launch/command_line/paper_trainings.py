"""The subcommands of `paper` that train: comparisons, and a study of ResNet-18."""

from absl import flags

from command_line.paper_programs import Subcommand, output_of, paper_program
from command_line.program import integers, numbers, positional
from command_line.training import define_train_flags, train_config
from keras_resnet.checks import UserError, check_integer, check_positive
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.paper import ablation, comparisons

# The help of each subcommand; see `help_text`.
DEGRADATION = """\
Trains plain and residual networks of several depths alike (Figure 6).

  python launch/paper.py degradation --dataset=fashion_mnist --train_epochs=5

It compares their training errors: those of deeper plain networks are higher, says the paper,
and those of deeper residual ones are not. With --recipe=imagenet it trains those of 18 and 34
layers, with option A (Table 2, Figure 4). The same command resumes.
"""

SHORTCUTS = """\
Trains a network with shortcuts A, B and C, and without any (Table 3).

  python launch/paper.py shortcuts --recipe=cifar10 --depth=20 --dataset=fashion_mnist \\
      --train_epochs=5

The same command resumes.
"""

WARM_UP = """\
Trains a deep network with a low rate until it has begun to learn, and without (section 4.2).

  python launch/paper.py warm_up --dataset=fashion_mnist --train_steps=2000

The same command resumes.
"""

SINGLE_LAYER = """\
Trains with a shortcut around each layer, around each two, and without (section 3.2).

  python launch/paper.py single_layer --dataset=fashion_mnist --train_epochs=5

The same command resumes.
"""

ABLATION = """\
Trains ResNet-18 with other rates, activations, augmentations and blocks.

  python launch/paper.py ablation --dataset=fashion_mnist --train_images=5000 \\
      --train_epochs=5 --activations=relu --augmentations=none --seeds=3

It repeats a course project's study: 39 trainings without flags, 18 with those above. The same
command resumes.
"""

# The paper trains from scratch.
OF_FINE_TUNING = ("weights", "freeze", "freeze_batch_norm")

_CIFAR10 = {"cifar10": RECIPES["cifar10"]["paper"], "modern": RECIPES["cifar10"]["modern"]}
_IMAGENET = {"imagenet": RECIPES["imagenet"]["paper"].with_options(depth=34, shortcut="A")}

# Layers of plain and residual networks: Figure 6, and Table 2.
_DEPTHS = {"CifarResNet": (20, 56), "ResNet": (18, 34)}


def _comparison(name, doc, recipes, compared, make, errors=("30", "20", "15", "10")):
    """A subcommand that trains what a function of `comparisons` makes of a configuration.

    Args:
      name: of the subcommand.
      doc: its help.
      recipes: dict of `TrainConfig` by name.
      compared: names of the options that are not flags: what is compared, and what excludes it.
      make: from the program and the configuration to a `Comparison`.
      errors: the default of --errors.
    """
    program = paper_program(doc, f"{name} [flags]")
    flags.DEFINE_list(
        "errors",
        list(errors),
        "training errors in % whose first steps are compared",
        flag_values=program.flags,
    )
    _define_seeds(program)
    program.document("To begin with", "seeds", "output")
    define_train_flags(program, recipes, (*compared, "network", "run_dir", *OF_FINE_TUNING))
    program.document("Report", "errors")

    def read(arguments):
        positional(arguments)
        found = numbers("errors", program.flags.errors)
        for error in found:
            check_positive("errors", error)
        comparison = make(program, train_config(recipes, program.flags))
        return output_of(program), name, comparison, _seeds(program), found

    return Subcommand(program, read, "studies.write_comparison")


def _define_seeds(program):
    flags.DEFINE_integer(
        "seeds",
        1,
        "trainings of each network, with seeds from --seed on: their spread is said, and a "
        "difference within it is no verdict",
        flag_values=program.flags,
    )


def _seeds(program):
    return check_integer("seeds", program.flags.seeds, 1)


def degradation():
    """Figure 6, or Table 2 and Figure 4, by training."""
    # Both kinds and any depth: no shortcut, no other stem, no bottlenecks.
    compared = ("depth", "shortcut", "bottleneck_stride")
    subcommand = _comparison(
        "degradation", DEGRADATION, _CIFAR10 | _IMAGENET, compared, _degradation
    )
    flags.DEFINE_list(
        "depths",
        None,
        "layers of the networks; unset: 20,56 of the networks for CIFAR, which may have any 6n+2, "
        "and 18,34 of those for ImageNet",
        flag_values=subcommand.program.flags,
    )
    subcommand.program.document("To begin with", "depths")
    return subcommand


def _degradation(program, config):
    depths = program.flags.depths
    if depths is None:
        return comparisons.degradation(config, _DEPTHS[config.network])
    depths = integers("depths", depths)
    if not depths:
        raise UserError("`depths` must name at least one, such as 20,56. Received: nothing")
    return comparisons.degradation(config, depths)


def shortcuts():
    """Table 3, by training."""
    compared = ("shortcut", "bottleneck_stride")
    recipes = _IMAGENET | _CIFAR10
    return _comparison(
        "shortcuts", SHORTCUTS, recipes, compared, lambda _, config: comparisons.shortcuts(config)
    )


def warm_up():
    """The warm-up of section 4.2, by training."""
    recipes = {name: config.with_options(depth=110) for name, config in _CIFAR10.items()}
    return _comparison(
        "warm_up",
        WARM_UP,
        {"cifar10": recipes["cifar10"]},
        ("stem", "bottleneck_stride"),
        lambda _, config: comparisons.warm_up(config),
        errors=("90", "80", "50", "30"),
    )


def single_layer():
    """Section 3.2, by training."""
    compared = ("block", "bottleneck_stride")
    return _comparison(
        "single_layer",
        SINGLE_LAYER,
        _CIFAR10 | _IMAGENET,
        compared,
        lambda _, config: comparisons.single_layer(config),
    )


def ablation_study():
    """A study of ResNet-18, by training."""
    program = paper_program(ABLATION, "ablation [flags]")
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
    _define_seeds(program)
    program.document("To begin with", "seeds", "output")
    define_train_flags(program, RECIPES["ablation"], without)
    program.document("Compared", "shares", "activations", "augmentations", "variants")

    def read(arguments):
        positional(arguments)
        shares = [_share(text) for text in program.flags.shares]
        if not shares:
            raise UserError("`shares` must name at least one, such as 2:1:1. Received: nothing")
        base = train_config(RECIPES["ablation"], program.flags)
        names = ("activations", "augmentations", "variants")
        values = ([value for value in program.flags[name].value if value] for name in names)
        trainings = ablation.configs(base, shares, *values)
        if not trainings:
            raise UserError("Nothing to train: name --activations, --augmentations or --variants.")
        return output_of(program), base, trainings, _seeds(program)

    return Subcommand(program, read, "studies.write_ablation")


def _share(text):
    try:
        return tuple(int(number) for number in text.split(":"))
    except ValueError:
        raise UserError(
            f"`shares` must be integers and colons, such as 2:1:1. Received: {text!r}"
        ) from None
