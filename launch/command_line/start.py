"""The package before TensorFlow, for flags, and with it, for the work.

To import any module of a package executes its `__init__`, which here imports TensorFlow: seconds
for whoever mistyped a flag. So the package is put among Python's modules unexecuted, its modules of
the standard library give what flags need, and `start` executes it.
"""

import contextlib
import importlib.util
import os
import signal
import sys

# Hide TensorFlow's notes; without an NVIDIA driver also its errors, which are about its absence.
_has_nvidia_driver = os.path.exists("/proc/driver/nvidia")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1" if _has_nvidia_driver else "3")

if "keras_resnet" not in sys.modules:
    _spec = importlib.util.find_spec("keras_resnet")
    if _spec is None:
        sys.exit("The package keras_resnet is not installed here: pip install . (see BUILD.md)")
    sys.modules["keras_resnet"] = importlib.util.module_from_spec(_spec)

from keras_resnet.checks import UserError
from keras_resnet.process import keras_settings, memory, onednn
from keras_resnet.process.signals import STOP_SIGNALS

# How the process that keeps the notes learns that TensorFlow started, or failed to.
_STARTED, _FAILED = b"\0started\0", b"\0failed\0"


def start(in_batches):
    """Imports the package, and TensorFlow with the kernels that are fast for a program's work.

    Args:
      in_batches: whether the program trains or infers in batches, or on single pictures.

    Raises:
      UserError: TensorFlow does not start, or Keras is set to another framework.
    """
    memory.grow_gpu_memory()
    if in_batches:
        onednn.turn_on()
    package = sys.modules["keras_resnet"]
    if hasattr(package, "__version__"):
        return
    keras_settings.check_backend()
    keras_settings.set_aside_limits()
    if variables := keras_settings.of_numbers():
        print(f"From the environment, by which numbers may differ: {variables}", file=sys.stderr)
    with announced(), notes_withheld(), keras_settings.some_home():
        try:
            import keras  # noqa: F401, it imports TensorFlow
        except Exception as error:
            raise UserError(
                f"TensorFlow or Keras does not start: {error} ({type(error).__name__}). pip check "
                f"says what does not fit; Keras has settings in {keras_settings.settings_path()}."
            ) from error
        keras_settings.set_aside_types()
        package.__spec__.loader.exec_module(package)


@contextlib.contextmanager
def announced():
    """Within the context a terminal says what it waits for: some seconds."""
    is_terminal = sys.stderr.isatty()
    if is_terminal:
        print("Starting TensorFlow ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # It leaves no trace.


@contextlib.contextmanager
def notes_withheld():
    """Within the context what the process writes to stderr is kept back, and shown if it fails.

    While it starts TensorFlow notes the processor, kernels and absent GPUs, whatever its log level.
    It may also end the process, on one without AVX such as by a signal, so it is another process
    that keeps the notes.
    """
    sys.stderr.flush()
    read_end, write_end = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(write_end)
        _keep_notes(read_end)
    os.close(read_end)
    stderr = os.dup(2)
    os.dup2(write_end, 2)
    os.close(write_end)
    outcome = _FAILED
    try:
        yield
        outcome = _STARTED
    finally:
        sys.stderr.flush()
        os.write(2, outcome)
        os.dup2(stderr, 2)
        os.close(stderr)
        os.waitpid(keeper, 0)


def _keep_notes(read_end):
    """Reads notes until the outcome is known, shows them unless it is good, and ends the process.

    After Ctrl-C, which ends the import at once, there is nothing to tell.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    notes = b""
    while not notes.endswith((_STARTED, _FAILED)):
        chunk = os.read(read_end, 1 << 16)
        if not chunk:
            break
        notes += chunk
    if not notes.endswith(_STARTED):
        os.write(2, b"".join(filter(_is_telling, notes.removesuffix(_FAILED).splitlines(True))))
    os._exit(0)


def _is_telling(line):
    """Whether a line is more than information, which TensorFlow marks with an I and the date."""
    return not line.startswith((b"I0000 ", b"WARNING: All log messages before absl::Initialize"))
