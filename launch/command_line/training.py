"""The flags of a training: one for each option of its configuration, and of its task."""

import os
import pathlib
import types
import typing

from absl import flags

from command_line.program import (
    Program,
    command,
    dataset_name,
    existing,
    integers,
    numbers,
    positional,
)
from keras_resnet.checks import UserError, check_positive
from keras_resnet.data.names import short_name
from keras_resnet.runs.options import accepts_none, fields
from keras_resnet.texts import harmless

# The recipe of trainings that begin with weights.
FINE_TUNING = "fine_tuning"

# What a first training needs.
FIRST = ("dataset", "depth", "train_epochs", "global_batch_size", "run_dir")

GROUPS = ("Network", "Data", "Training", "Devices", "Run directory")


def define_train_flags(program, recipes, without=(), only=None, helps=types.MappingProxyType({})):
    """Defines a flag for each option of `TrainConfig` and of its task, and `recipe`, `run_dir`.

    Args:
      program: `Program` that gets the flags.
      recipes: dict of `TrainConfig` by name; the first gives the defaults that the help shows.
      without: names of flags that the program does not have.
      only: names of those that it has; None: all others.
      helps: what a flag is for this program, where that is not what it is for others; by name.
    """
    defaults = next(iter(recipes.values()))
    options = {
        field: getattr(values, field.name)
        for values in (defaults, defaults.task)
        for field in fields(values)
        if field.name not in without and (only is None or field.name in only)
    }
    for field, default in options.items():
        define = _definer(field.type)
        if isinstance(default, tuple):
            default = [str(value) for value in default]
        help_text = helps.get(field.name, field.metadata["help"])
        define(field.name, default, help_text, flag_values=program.flags)
    if "run_dir" not in without and only is None:
        _define_run_dir(program, defaults)
    program.document("To begin with", *(name for name in FIRST if name in program.flags))
    if len(recipes) > 1:
        _define_recipe(program, recipes)
    for group in GROUPS:
        program.document(
            group, *(field.name for field in options if field.metadata["group"] == group)
        )


def _define_run_dir(program, config):
    flags.DEFINE_string(
        "run_dir",
        None,
        f"directory of the run; unset: runs/<dataset>-{_of_task(config)}<network><depth>",
        flag_values=program.flags,
    )


def _define_recipe(program, recipes):
    has_fine_tuning = FINE_TUNING in recipes and "weights" in program.flags
    flags.DEFINE_string(
        "recipe",
        next(iter(recipes)),
        f"where the defaults come from; shown here are those of the first: {', '.join(recipes)}"
        + (f" (unset with weights: {FINE_TUNING})" if has_fine_tuning else ""),
        flag_values=program.flags,
    )
    program.document("Recipe", "recipe")


def _definer(field_type):
    """The absl function that defines a flag of a type, optional or not."""
    if isinstance(field_type, types.UnionType):
        (field_type,) = set(typing.get_args(field_type)) - {types.NoneType}
    field_type = typing.get_origin(field_type) or field_type
    return {
        str: flags.DEFINE_string,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_bool,
        tuple: flags.DEFINE_list,
    }[field_type]


def _readers(field_type):
    """The function that reads the numbers of a flag of several; None: it is of none."""
    kinds = [each for each in (field_type, *typing.get_args(field_type)) if typing.get_args(each)]
    of_tuple = next((typing.get_args(k) for k in kinds if typing.get_origin(k) is tuple), ())
    return {int: integers, float: numbers}.get(next(iter(of_tuple), None))


def train_config(recipes, values):
    """The configuration that flags describe: the recipe, and what was given beside it.

    Args:
      recipes: as for `define_train_flags`.
      values: the `FlagValues` of the program.
    """
    base = recipes[_recipe(recipes, values)]
    return base.with_options(**_given(base, values))


def _given(base, values):
    """The options that were given as flags, by name, of those of a configuration."""
    given = {
        field.name: values[field.name].value
        for field in (*fields(base), *fields(base.task))
        if field.name in values and values[field.name].present
    }
    # One of the two replaces the other of the recipe.
    for name, other in (("train_epochs", "train_steps"), ("train_steps", "train_epochs")):
        if given.get(name) is not None and other not in given:
            given[other] = None
    for field in (*fields(base), *fields(base.task)):
        # What a recipe sets can be unset.
        if given.get(field.name) in ("none", ["none"]) and accepts_none(field):
            given[field.name] = None
        read = _readers(field.type)
        if read is not None and given.get(field.name) is not None:
            given[field.name] = read(field.name, given[field.name])
    if "dataset" in given:
        given["dataset"] = dataset_name(given["dataset"], base.task.annotated_with)
    return given


def _recipe(recipes, values):
    """The name of the recipe that flags ask for."""
    if "recipe" not in values:
        return next(iter(recipes))
    recipe = values.recipe
    if recipe not in recipes:
        raise UserError(f"`recipe` must be one of {', '.join(recipes)}. Received: {recipe!r}")
    begins_with_weights = "weights" in values and values.weights is not None
    if begins_with_weights and FINE_TUNING in recipes and not values["recipe"].present:
        return FINE_TUNING
    return recipe


def _run_dir(given, config):
    """The directory of a run: the given one, else it is named after what the run trains."""
    if given:
        return given
    network = f"{_of_task(config)}{config.network.lower()}{config.depth}"
    return os.path.join("runs", f"{short_name(config.dataset)}-{network}")


def _of_task(config):
    """What stands before the network in the name of a run; nothing where it classifies."""
    return "" if config.task.name == "classification" else f"{config.task.name}-"


def training_program(doc, recipes, **options):
    """The `Program` that trains, and the two parts of it; options as of `define_train_flags`."""
    program = Program(doc, "[flags]", in_batches=True)
    define_train_flags(program, recipes, **options)
    _define_more_epochs(program)

    def read(arguments):
        positional(arguments)
        if program.flags.more_epochs is not None:
            return _read_more_epochs(recipes, program.flags)
        config = train_config(recipes, program.flags)
        directory = pathlib.Path(_run_dir(program.flags.run_dir, config)).expanduser()
        if directory.exists() and not directory.is_dir():
            raise UserError(f"`run_dir` must be a directory. Received: {directory}, a file")
        return config, directory

    def work(*read):
        _train(*(_continuation(*read) if program.flags.more_epochs is not None else read))

    return program, read, work


def _define_more_epochs(program):
    flags.DEFINE_float(
        "more_epochs",
        None,
        "train the finished run in run_dir for so many epochs more: a run of its own, in run_dir"
        "-more, which begins with its weights and has its configuration, but for flags that are "
        "given; the schedule begins anew at a tenth of its learning_rate, without a warm-up",
        flag_values=program.flags,
    )
    program.document("More of a run", "more_epochs")


def _read_more_epochs(recipes, values):
    """The directory of the finished run, the number of epochs, and the options that are given."""
    given = _given(next(iter(recipes.values())), values)
    for name in ("train_epochs", "train_steps", "weights", "recipe"):
        if name in values and values[name].present:
            raise UserError(
                f"`more_epochs` says how long to train, and `run_dir` what begins: `{name}` has no "
                f"place beside them. Received: {name}={values[name].value!r}"
            )
    if not values.run_dir:
        raise UserError("`more_epochs` is for a finished run. Expected: --run_dir=DIRECTORY")
    check_positive("more_epochs", values.more_epochs)
    directory = existing("run_dir", pathlib.Path(values.run_dir).expanduser())
    return directory, values.more_epochs, given


def _continuation(directory, epochs, given):
    from keras_resnet.tasks import load_config
    from keras_resnet.training.continuation import continuation

    config, continued_in = continuation(directory, epochs, load_config, **given)
    print(f"{epochs:g} more epochs of {directory}, in {continued_in}.")
    return config, continued_in


def _train(config, directory):
    from keras_resnet.runs.figures import describe
    from keras_resnet.training.trainer import train

    result = train(config, directory)
    directory, task = harmless(str(directory)), config.task.task(config)
    print(
        f"Trained: {describe(task.figures, result)}\n"
        f"  evaluate:  {command('evaluate')} {directory}\n"
        f"  predict:   {command('predict')} {directory} IMAGE ...\n"
        f"  export:    {command('export')} {directory} --output=exports/NAME\n"
        f"  look at:   {directory}/curves.png, or tensorboard --logdir={directory}/events"
    )
    tested = task.number_of_test_images()
    if tested:
        print(
            f"  test:      {command('evaluate')} {directory}/best.keras --split=test"
            f"  ({tested} pictures, which have chosen nothing)"
        )
