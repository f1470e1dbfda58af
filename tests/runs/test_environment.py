import datetime
import json
import platform
import shlex
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT

from keras_resnet.process import onednn
from keras_resnet.runs.environment import differing, environment, start
from keras_resnet.version import __version__


def test_an_environment_is_what_runs_here():
    found = environment(["NVIDIA H100"], 4, "mixed_bfloat16", xla=True)
    assert found["keras_resnet"] == __version__
    assert (found["tensorflow"], found["keras"]) == (tf.__version__, keras.__version__)
    assert (found["numpy"], found["python"]) == (np.__version__, platform.python_version())
    assert found["host"] == platform.node()
    assert found["onednn"] is onednn.is_on()
    assert found["gpus"] == ["NVIDIA H100"] and found["replicas"] == 4
    assert (found["dtype"], found["xla"]) == ("mixed_bfloat16", True)
    assert json.loads(json.dumps(found)) == found


def test_a_start_says_when_and_by_which_command():
    found = start(7, [{"host": "here"}])
    assert abs(datetime.datetime.now(datetime.UTC).timestamp() - seconds(found["time"])) < 60
    assert shlex.split(found["command"]) == sys.orig_argv
    assert found["step"] == 7 and found["workers"] == [{"host": "here"}]


def seconds(time):
    return datetime.datetime.fromisoformat(time).timestamp()


def test_threads_are_a_part_of_it(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = environment([], 1, "float32", xla=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    after = environment([], 1, "float32", xla=False)
    assert differing(before, after) == ["threads"]
    assert "OMP_NUM_THREADS=1" in after["threads"]


# The module alone, of a copy of the package: to import the package takes seconds.
COMMIT = """
import runpy, sys, types
for name in ("keras", "numpy", "tensorflow"):
    sys.modules[name] = types.ModuleType(name)
package = types.ModuleType("keras_resnet")
package.__path__ = [sys.argv[1]]
sys.modules["keras_resnet"] = package
print(runpy.run_path(f"{sys.argv[1]}/runs/environment.py")["commit"]())
"""


@pytest.fixture
def commit_of(tmp_path):
    """A copy of the package, and what it finds its commit to be."""
    package = tmp_path / "clone" / "keras_resnet"
    for path in ("__init__.py", "version.py", "runs/environment.py", "process"):
        source, target = ROOT / "keras_resnet" / path, package / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)

    def found():
        return subprocess.run(
            [sys.executable, "-c", COMMIT, package], capture_output=True, text=True, check=True
        ).stdout.strip()

    return package, found


def git(directory, *arguments):
    own = ["-c", "user.name=me", "-c", "user.email=me@here"]
    process = subprocess.run(
        ["git", "-C", directory, *own, *arguments], capture_output=True, text=True, check=True
    )
    return process.stdout.strip()


def test_the_commit_is_that_of_the_package_and_changes_are_said(commit_of):
    package, found = commit_of
    clone = package.parent
    git(clone, "init", "--quiet")
    # Of a repository around it that it is no part of it is not.
    git(clone, "commit", "--quiet", "--allow-empty", "--message=others")
    assert found() == "None" or found() != git(clone, "rev-parse", "HEAD")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message=ours")
    assert found() == git(clone, "rev-parse", "HEAD")
    for directory in (clone, package):
        (directory / "notes.txt").write_text("x")
    assert found() == git(clone, "rev-parse", "HEAD")
    (package / "version.py").write_text("__version__ = 'mine'")
    assert found() == f"{git(clone, 'rev-parse', 'HEAD')}+changes"
