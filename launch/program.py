"""What the programs share: flags from the configuration, help, errors without tracebacks."""

import importlib.util
import os
import signal
import sys
import textwrap
import types
import typing

# Ctrl-C ends the seconds of importing at once and without a traceback; `run` makes it an exception.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# Hide TensorFlow's notes; without an NVIDIA driver also its errors, which are about its absence.
has_nvidia_driver = os.path.exists("/proc/driver/nvidia")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if has_nvidia_driver else "3")

from absl import flags, logging

if "keras_resnet" not in sys.modules:
    # The package without its `__init__`, which imports TensorFlow: `import_package` does that.
    _spec = importlib.util.find_spec("keras_resnet")
    if _spec is None:
        sys.exit("The package keras_resnet is not installed here: pip install . (see BUILD.md)")
    sys.modules["keras_resnet"] = importlib.util.module_from_spec(_spec)

from keras_resnet.checks import UserError
from keras_resnet.process import onednn
from keras_resnet.process.signals import STOP_SIGNALS
from keras_resnet.runs.options import fields

EXIT_USER_ERROR = 1
EXIT_INTERRUPTED = 130

# The recipe of trainings that begin with weights.
FINE_TUNING = "fine_tuning"


def import_package(in_batches):
    """Imports the package, and TensorFlow with the kernels that are fast for a program's work.

    Args:
      in_batches: whether the program trains or infers in batches, or on single pictures.
    """
    if in_batches:
        onednn.turn_on()
    package = sys.modules["keras_resnet"]
    if not hasattr(package, "__version__"):
        package.__spec__.loader.exec_module(package)


class Program:
    """A program: its flags, its help, and how it runs.

    The flags are its own, not absl's global ones, so that several programs can run in one process.

    Args:
      doc: what the program does, for the help text.
      usage: what follows the program's name on the command line, for the help text.

    Attributes:
      flags: `absl.flags.FlagValues`, to define the flags in and to read them from.
      usage: the same as the argument.
    """

    def __init__(self, doc, usage):
        self.flags = flags.FlagValues()
        self._doc = doc
        self.usage = usage
        self._groups = {}

    def document(self, group, *names):
        """Shows flags in the help text, in the order of the calls."""
        self._groups.setdefault(group, []).extend(names)

    def run(self, main):
        """Parses the command line; prints help, or turns the user's mistakes into one message.

        Args:
          main: function of the positional arguments.
        """
        for number in STOP_SIGNALS:
            signal.signal(number, signal.default_int_handler)
        # Names of files need not be text, and a log shows each line at once.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.reconfigure(errors="backslashreplace", line_buffering=True)
        if any(argument in ("--help", "-help", "-h", "--h") for argument in sys.argv[1:]):
            print(self._help_text())
            return
        # They import TensorFlow, which `import_package` has done by now.
        from keras_resnet.distribution.watchdog import EXIT_WORKER_LOST
        from keras_resnet.distribution.workers import WorkerLostError

        # Libraries tell more of their doings than a user wants to know.
        logging.set_verbosity(logging.ERROR)
        try:
            main(self.flags(sys.argv)[1:])
            _leave_workers(0)
        except flags.Error as error:
            _end(EXIT_USER_ERROR, f"{error} See --help.")
        except UserError as error:
            _end(EXIT_USER_ERROR, error)
        except OSError as error:
            message = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
            _end(EXIT_USER_ERROR, message)
        except KeyboardInterrupt as interrupt:
            _end(EXIT_INTERRUPTED, str(interrupt) or "Interrupted.")
        except WorkerLostError as error:
            _end(EXIT_WORKER_LOST, error)

    def _help_text(self):
        """The program's description and its flags, grouped as they were documented."""
        name = os.path.basename(sys.argv[0])
        lines = [self._doc.strip(), "", f"usage: python launch/{name} {self.usage}"]
        for group, names in self._groups.items():
            lines += ["", f"{group}:"]
            for flag in (self.flags[name] for name in names):
                default = flag.default_as_str
                lines += [f"  --{flag.name}" + (f" [{default[1:-1]}]" if default else "")]
                indent = " " * 6
                lines += textwrap.wrap(
                    flag.help, 92, initial_indent=indent, subsequent_indent=indent
                )
        return "\n".join(lines)


def _end(status, message):
    """Ends the program with one message."""
    print(f"\n{message}", file=sys.stderr)
    _leave_workers(status)
    sys.exit(status)


def _leave_workers(status):
    """Of several workers ends this one at once: TensorFlow would first wait for the others."""
    if "TF_CONFIG" in os.environ:
        sys.stdout.flush()
        os._exit(status)


def define_train_flags(program, recipes, without=()):
    """Defines a flag for each option of `TrainConfig` and of its task, and `recipe`, `run_dir`.

    Args:
      program: `Program` that gets the flags.
      recipes: dict of `TrainConfig` by name; the first gives the defaults that the help shows.
      without: names of flags that the program does not have.
    """
    if "run_dir" not in without:
        flags.DEFINE_string(
            "run_dir",
            None,
            "directory of the run; unset: runs/<dataset>-<network><depth>",
            flag_values=program.flags,
        )
    flags.DEFINE_string(
        "recipe",
        next(iter(recipes)),
        f"where the defaults come from; below are those of the first: {', '.join(recipes)}"
        + (f" (unset with weights: {FINE_TUNING})" if FINE_TUNING in recipes else ""),
        flag_values=program.flags,
    )
    program.document("Recipe", "recipe")
    defaults = next(iter(recipes.values()))
    values = {
        field: getattr(options, field.name)
        for options in (defaults, defaults.task)
        for field in fields(options)
        if field.name not in without
    }
    for field, default in values.items():
        define = _definer(field.type)
        if isinstance(default, tuple):
            default = [str(value) for value in default]
        define(field.name, default, field.metadata["help"], flag_values=program.flags)
    for group in ("Network", "Data", "Training", "Devices", "Run directory"):
        names = (field.name for field in values if field.metadata["group"] == group)
        program.document(group, *names)
    if "run_dir" not in without:
        program.document("Run directory", "run_dir")


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


def train_config(recipes, values):
    """The configuration that flags describe: the recipe, and what was given beside it.

    Args:
      recipes: as for `define_train_flags`.
      values: the `FlagValues` of the program.
    """
    recipe = values.recipe
    begins_with_weights = "weights" in values and values.weights is not None
    if begins_with_weights and FINE_TUNING in recipes and not values["recipe"].present:
        recipe = FINE_TUNING
    if recipe not in recipes:
        raise UserError(f"`recipe` must be one of {', '.join(recipes)}. Received: {recipe!r}")
    base = recipes[recipe]
    given = {
        field.name: values[field.name].value
        for field in (*fields(base), *fields(base.task))
        if field.name in values and values[field.name].present
    }
    # One of the two replaces the other of the recipe.
    for name, other in (("train_epochs", "train_steps"), ("train_steps", "train_epochs")):
        if given.get(name) is not None and other not in given:
            given[other] = None
    for name in ("learning_rate_drops", "learning_rate_shares", "train_resize"):
        if given.get(name) is not None:
            given[name] = integers(name, given[name])
    return base.with_options(**given)


def integers(name, texts):
    """The integers that the texts of a flag are."""
    return _numbers(name, texts, int, "integers")


def numbers(name, texts):
    """The numbers that the texts of a flag are."""
    return _numbers(name, texts, float, "numbers")


def _numbers(name, texts, kind, expected):
    try:
        return tuple(kind(text) for text in texts)
    except ValueError:
        received = ",".join(texts)
        message = f"`{name}` must be {expected} and commas. Received: {received!r}"
        raise UserError(message) from None


def _run_dir(given, config):
    """The directory of a run: the given one, else it is named after what the run trains."""
    if given:
        return given
    dataset = os.path.basename(config.dataset.rstrip("/")).replace(":", "-")
    return os.path.join("runs", f"{dataset}-{config.network.lower()}{config.depth}")


def positional(arguments, *names):
    """The positional arguments, one for each name; the last name may end in " ..." for any number.

    Raises:
      UserError: too few or too many came.
    """
    repeats = bool(names) and names[-1].endswith("...")
    if len(arguments) < len(names) or (len(arguments) > len(names) and not repeats):
        raise UserError(
            f"Expected {' '.join(names) or 'flags only, such as --depth=50'}. "
            f"Received: {' '.join(arguments) or 'nothing'}. See --help."
        )
    return arguments


def training_program(doc, recipes):
    """The `Program` that trains, and its main function."""
    import_package(in_batches=True)
    from keras_resnet.runs.figures import describe
    from keras_resnet.training.trainer import train

    program = Program(doc, "[flags]")
    define_train_flags(program, recipes)

    def main(arguments):
        positional(arguments)
        config = train_config(recipes, program.flags)
        directory = _run_dir(program.flags.run_dir, config)
        result = train(config, directory)
        print(
            f"Trained: {describe(config.task.task(config).figures, result)}\n"
            f"  evaluate:  python launch/evaluate.py {directory}\n"
            f"  export:    python launch/export.py {directory} --output=exports/NAME\n"
            f"  look at:   {directory}/curves.png, or tensorboard --logdir={directory}/events"
        )

    return program, main
