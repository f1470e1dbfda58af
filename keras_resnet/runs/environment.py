"""What a training runs with: software, machine and settings, on which its bits depend."""

import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.process import keras_settings, onednn
from keras_resnet.process.processor import processor_name
from keras_resnet.version import __version__

# Of one worker: names to JSON values.
Environment: TypeAlias = dict[str, Any]

_PACKAGE = pathlib.Path(__file__).parents[1]

# A commit may change nothing of the code.
_NOT_OF_BITS = ("host", "commit")

# Numbers of threads, by which sums are split.
_OF_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")


def software() -> Environment:
    """What all workers of a training must have alike."""
    return {
        "keras_resnet": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "onednn": onednn.is_on(),
    }


def _code() -> str:
    """A digest of the package's own code, by which changes are noticed that have no commit."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def environment(gpus: Sequence[str], replicas: int, dtype: str, xla: bool) -> Environment:
    """That of this process, by what its bits may depend on, and the name of its host.

    Args:
      gpus: names of those that it uses.
      replicas: number of replicas of the whole training.
      dtype: name of the precision.
      xla: whether training steps are compiled.
    """
    return {
        "host": socket.gethostname(),
        **software(),
        "commit": commit(),
        "code": _code(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": processor_name(),
        "gpus": list(gpus),
        "replicas": replicas,
        "dtype": dtype,
        "xla": xla,
        "threads": _threads(),
        "variables": keras_settings.of_numbers(),
    }


def _threads() -> str:
    threading = tf.config.threading
    numbers = {
        "intra_op": threading.get_intra_op_parallelism_threads(),
        "inter_op": threading.get_inter_op_parallelism_threads(),
    }
    numbers |= {name: os.environ[name] for name in _OF_THREADS if os.environ.get(name)}
    return ", ".join(f"{name}={value or 'all'}" for name, value in numbers.items())


@functools.cache
def commit() -> str | None:
    """The commit of this package, "+changes" where files were changed since; None: unknown."""
    git = ["git", "-C", str(_PACKAGE), "-c", f"safe.directory={_PACKAGE.parent}"]
    try:
        # It may be installed within another repository.
        _said(git, "ls-files", "--error-unmatch", "__init__.py")
        head = _said(git, "rev-parse", "HEAD")
        changes = _said(git, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return _installed_commit()
    return f"{head}{'+changes' if changes else ''}"


def _said(git: list[str], *arguments: str) -> str:
    process = subprocess.run(
        [*git, *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return process.stdout.strip()


def _installed_commit() -> str | None:
    """That which pip installed from a repository, as it notes (PEP 610)."""
    try:
        text = importlib.metadata.distribution("keras-resnet-paper").read_text("direct_url.json")
        return json.loads(text or "{}").get("vcs_info", {}).get("commit_id")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


def start(step: int, workers: Sequence[Environment]) -> dict[str, Any]:
    """What a run remembers of a start, JSON values.

    Args:
      step: after which it begins, or goes on.
      workers: host and environment of each.
    """
    return {
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "step": step,
        "command": shlex.join(sys.orig_argv),
        "workers": list(workers),
    }


def are_starts(values: Any) -> bool:
    """Whether JSON values are a list of what `start` gives."""
    texts = ("time", "command")
    return isinstance(values, list) and all(
        isinstance(each, dict)
        and all(isinstance(each.get(name), str) for name in texts)
        and isinstance(each.get("step"), int)
        and isinstance(each.get("workers"), list)
        and each["workers"]
        and all(isinstance(worker, dict) for worker in each["workers"])
        for each in values
    )


def differing(was: Environment, now: Environment) -> list[str]:
    """Names of that on which bits depend and which is otherwise, where both know it."""
    return [
        name for name in now if name in was and was[name] != now[name] and name not in _NOT_OF_BITS
    ]
