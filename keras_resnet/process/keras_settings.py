"""What a user has set for all of Keras and TensorFlow: refused, set aside, or said.

Keras reads it when it is imported, from the environment and from keras.json in its home.
"""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator

from keras_resnet.checks import UserError

# With them `predict` and `fit` of Keras end early, unsaid.
_FOR_DEBUGGING = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")

# With them the libraries below TensorFlow compute other numbers.
_OF_NUMBERS = (
    "DNNL_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def check_backend() -> None:
    """Raises UserError where Keras computes with another framework than TensorFlow, or would."""
    backend, where = _backend()
    if backend != "tensorflow":
        raise UserError(
            f"keras_resnet computes with TensorFlow, and Keras is set to {backend} ({where}). Set "
            "KERAS_BACKEND=tensorflow in the environment of this program."
        )


def _backend() -> tuple[str, str]:
    """The framework that Keras takes, and where that is said."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend(), "it is imported already"
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "KERAS_BACKEND"
    path = settings_path()
    try:
        with open(path) as file:
            return json.load(file).get("backend", "tensorflow"), path
    except (OSError, ValueError, AttributeError):
        return "tensorflow", "Keras's default"


def settings_path() -> str:
    """The file that Keras reads its settings from: not in a home that cannot be written."""
    home = os.path.expanduser("~")
    home = home if os.access(home, os.W_OK) else "/tmp"
    directory = os.environ.get("KERAS_HOME", os.path.join(home, ".keras"))
    return os.path.expanduser(os.path.join(directory, "keras.json"))


@contextlib.contextmanager
def some_home() -> Iterator[None]:
    """Within the context HOME is set, to /tmp where this process has no home.

    TensorFlow writes settings when it is imported, and without one into a directory called "~".
    """
    has_home = not os.path.expanduser("~").startswith("~")
    if not has_home:
        os.environ["HOME"] = "/tmp"
    try:
        yield
    finally:
        if not has_home:
            del os.environ["HOME"]


def keras_home() -> pathlib.Path:
    """Where downloads and the like are kept: KERAS_HOME, else ~/.keras, else /tmp/.keras.

    A process may have no home: no HOME, and a user without an entry in the system's list.
    """
    home = os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))
    return pathlib.Path("/tmp/.keras" if home.startswith("~") else home)


def set_aside_limits() -> None:
    """Has Keras, when it is imported, compute to the end."""
    for name in _FOR_DEBUGGING:
        os.environ.pop(name, None)


def set_aside_types() -> None:
    """Gives Keras its own defaults again, whatever keras.json says."""
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")


def of_numbers() -> str:
    """The variables of the environment by which numbers may differ, as NAME=VALUE; "": none."""
    found = [f"{name}={os.environ[name]}" for name in _OF_NUMBERS if os.environ.get(name)]
    return ", ".join(found)
