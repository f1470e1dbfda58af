"""A program: its flags, its help, how it starts and ends, and errors without tracebacks."""

import contextlib
import itertools
import os
import pathlib
import re
import signal
import sys

# Ctrl-C ends the seconds of importing at once and without a traceback; `run` makes it an exception.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from absl import flags, logging

from command_line import mistakes, start
from command_line.help_text import help_text
from keras_resnet.checks import UserError, check_local
from keras_resnet.data.names import FOLDER, canonical, paths_of
from keras_resnet.process.signals import STOP_SIGNALS
from keras_resnet.serving.addresses import SCHEMES
from keras_resnet.texts import harmless, harmless_lines
from keras_resnet.version import __version__

EXIT_USER_ERROR = 1
EXIT_INTERRUPTED = 130

# Flags that absl would take from any program.
_OF_ABSL = ("flagfile", "undefok")

_HELP = ("--help", "-help", "-h", "--h", "--helpfull", "--helpshort")


def command(name):
    """How a program is called, as this one was: `keras-resnet NAME`, or as a file."""
    if "keras_resnet_launch" in sys.modules:
        return f"keras-resnet {name}"
    return f"python launch/{name}.py"


class Program:
    """A program, in two parts: what it reads of its flags, and its work.

    Mistakes that show in flags, paths and names are found before TensorFlow is imported, which
    takes seconds. The flags are the program's own, not absl's global ones, so that several programs
    can run in one process.

    Args:
      doc: what the program does, for the help text; see `help_text`.
      usage: what follows the program's name on the command line, for the help text.
      in_batches: whether the work computes in batches, or on single pictures, see `start`; None: it
        does not compute, and needs no TensorFlow.

    Attributes:
      flags: `absl.flags.FlagValues`, to define the flags in and to read them from.
    """

    def __init__(self, doc, usage, in_batches):
        self.flags = flags.FlagValues()
        self._doc = doc
        self._usage = usage
        self._in_batches = in_batches
        self._groups = {}

    def document(self, group, *names):
        """Shows flags in the help text, in the order of the calls."""
        shown = {name for others in self._groups.values() for name in others}
        if new := [name for name in names if name not in shown]:
            self._groups.setdefault(group, []).extend(new)

    def run(self, read, work):
        """Runs the program on the command line; a mistake of the user's becomes one message.

        Args:
          read: function of the positional arguments that checks them and the flags, with the
            standard library alone, and returns the arguments of `work`.
          work: function that does the rest, and may import what it needs.
        """
        for number in STOP_SIGNALS:
            signal.signal(number, signal.default_int_handler)
        _open_closed_streams()
        # Names of files need not be text, and a log shows each line at once.
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
        with mistakes_explained():
            if self._asks_for_help(sys.argv[1:]):
                print_text(self._help())
            elif self._asks_for_version(sys.argv[1:]):
                print_text(f"keras_resnet {__version__}\n")
            else:
                arguments = self._parsed(sys.argv)
                self._check_places(arguments)
                request = read(arguments)
                if self._in_batches is None:
                    work(*request)
                else:
                    self._start()
                    _with_workers(work, request)
                _leave_workers(0)

    def _start(self):
        """Imports TensorFlow and the package."""
        # During the import Python's handlers would come too late.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        start.start(self._in_batches)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.default_int_handler)
        # Libraries tell more of their doings than a user wants to know.
        logging.set_verbosity(logging.ERROR)

    def _help(self):
        name = pathlib.Path(sys.argv[0]).stem
        usage = f"{command(name)} {self._usage}"
        return help_text(self._doc, usage, self.flags, self._groups, command)

    def asks(self, given):
        """Whether a command line asks for help or the version."""
        return self._asks_for_help(given) or self._asks_for_version(given)

    @staticmethod
    def _asks_for_help(given):
        return any(argument.partition("=")[0] in _HELP for argument in given)

    def _asks_for_version(self, given):
        """Whether it is the package's that is asked for; `version` may be a flag of its own."""
        if "version" in self.flags:
            return given in (["--version"], ["-version"])
        return any(argument in ("--version", "-version") for argument in given)

    def _parsed(self, argv):
        """The positional arguments; the flags are parsed."""
        self._check_values_are_given(argv[1:])
        try:
            return self.flags(argv)[1:]
        except flags.UnrecognizedFlagError as error:
            raise UserError(mistakes.unknown_flag(error.flagname, list(self.flags))) from error
        except flags.IllegalFlagValueError as error:
            match = re.fullmatch(r"flag --(\w+)=(.*?): (.*)", str(error), re.DOTALL)
            if match is None:
                raise
            name, value, reason = match.groups()
            message = mistakes.impossible_value(self.flags[name], value, reason)
            raise UserError(message) from error
        except ValueError as error:  # --noNAME=VALUE
            raise UserError(f"{error}. --help lists all flags.") from error

    def _check_places(self, arguments):
        """Raises UserError where a path has a scheme, such as gs://, before TensorFlow is there."""
        names = [name for name in self.flags if self.flags[name].present and name != "license"]
        given = [(name, self.flags[name].value) for name in names]
        given += [("PATH", argument) for argument in arguments if not _is_server(argument)]
        for name, value in given:
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    for part in text.removeprefix(FOLDER).split(","):
                        check_local(name, part)

    def _check_values_are_given(self, arguments):
        """Raises UserError where a flag would take the next one for its value, or has none."""
        for argument, following in itertools.pairwise([*arguments, "--"]):
            if argument == "--":
                break
            if not argument.startswith("-"):
                continue
            name, equals, value = argument.lstrip("-").partition("=")
            if name in _OF_ABSL:
                raise UserError(mistakes.unknown_flag(name, list(self.flags)))
            if name not in self.flags or self.flags[name].boolean:
                continue
            # An empty list is a value.
            is_empty = equals and not value and self.flags[name].parser.flag_type() == "string"
            if is_empty or (not equals and following.startswith("--")):
                raise UserError(f"--{name} needs a value: --{name}=VALUE. --help lists all flags.")


def _is_server(argument):
    """Whether an argument may be the address of a server, where `predict` expects a model."""
    return argument.startswith(SCHEMES)


def print_text(text):
    """Prints a text; who reads may stop reading."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        _forget_unwritten()


def _open_closed_streams():
    """Opens what whoever started the program has closed, so that no file gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115


@contextlib.contextmanager
def mistakes_explained():
    """Within the context a mistake of the user's ends the process with one message."""
    try:
        yield
    except flags.Error as error:
        _end(EXIT_USER_ERROR, f"{error} --help lists all flags.")
    except UserError as error:
        _end(EXIT_USER_ERROR, error)
    except OSError as error:
        name = harmless(str(error.filename or ""))
        message = f"{error.strerror or error}: {name}".rstrip(": ")
        _end(EXIT_USER_ERROR, message)
    except KeyboardInterrupt as interrupt:
        _end(EXIT_INTERRUPTED, str(interrupt) or "Interrupted.")


def _with_workers(work, request):
    """Does the work; a worker that lost the others ends with a status that says so."""
    # They import TensorFlow.
    from keras_resnet.distribution.lost import WorkerLostError
    from keras_resnet.distribution.watchdog import EXIT_WORKER_LOST

    try:
        work(*request)
    except WorkerLostError as error:
        _end(EXIT_WORKER_LOST, error)


def _forget_unwritten():
    """Drops what cannot be written to stdout, which Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(status, message):
    """Ends the program with one message."""
    print(f"\n{harmless_lines(str(message))}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _forget_unwritten()
    _leave_workers(status)
    sys.exit(status)


def _leave_workers(status):
    """Of several workers ends this one at once: TensorFlow would first wait for the others."""
    if "TF_CONFIG" in os.environ and "tensorflow" in sys.modules:
        sys.stdout.flush()
        os._exit(status)


def positional(arguments, *names):
    """The positional arguments, one for each name; the last name may end in " ..." for any number.

    Raises:
      UserError: too few or too many came.
    """
    repeats = bool(names) and names[-1].endswith("...")
    if len(arguments) < len(names) or (len(arguments) > len(names) and not repeats):
        raise UserError(
            f"Expected {' '.join(names) or 'flags only'} on the command line. "
            f"Received: {harmless(' '.join(arguments)) or 'nothing'}. See --help."
        )
    return arguments


def required(name, value, meaning):
    """The value of a flag that must be given.

    Raises:
      UserError: it is not.
    """
    if not value:
        raise UserError(f"--{name} must say {meaning}. See --help.")
    return value


def existing(name, path):
    """A path that must be there.

    Raises:
      UserError: nothing is.
    """
    if not pathlib.Path(path).exists():
        raise UserError(f"{name} does not exist. Received: {harmless(str(path))}")
    return path


def dataset_name(text, annotated_with=None):
    """The name of a data set that a flag gives, of a folder its path.

    Args:
      text: what the flag gives.
      annotated_with: of pictures with "boxes" or "masks": that.

    Raises:
      UserError: there is no such folder.
    """
    name = canonical(text, annotated_with)
    if name.startswith(FOLDER):
        paths_of(name, annotated_with)
    return name


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
