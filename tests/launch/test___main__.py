"""The programs as they are installed: `keras-resnet NAME`."""

import os
import re
import subprocess
import sys

from processes import LAUNCH, ROOT, run_command

from keras_resnet.version import __version__


def keras_resnet(*arguments, **environment):
    """Runs the command of the environment that the tests run in."""
    command = os.path.join(os.path.dirname(sys.executable), "keras-resnet")
    return subprocess.run(
        [command, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_alone_it_says_what_one_can_do():
    said = keras_resnet()
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"keras_resnet {__version__}: ")
    assert keras_resnet("--help").stdout == said.stdout
    named = set(re.findall(r"keras-resnet (\w+)", said.stdout)) | set(
        re.findall(r"^  (\w+)   ", said.stdout, re.MULTILINE)
    )
    assert {path.stem for path in LAUNCH.glob("[a-z]*.py")} <= named
    assert keras_resnet("--version").stdout == f"keras_resnet {__version__}\n"


def test_it_runs_the_programs_of_the_repository():
    """Which name themselves as they were called."""
    installed = keras_resnet("evaluate", "--help", COLUMNS="100").stdout
    assert "keras-resnet evaluate runs/" in installed
    environment = {**os.environ, "COLUMNS": "100"}
    file = run_command("evaluate", "--help", env=environment).stdout
    assert re.sub(r"python launch/(\w+)\.py", r"keras-resnet \1", file) == installed
    mistake = keras_resnet("evaluate", "absent")
    assert mistake.returncode == 1
    assert "MODEL does not exist. Received: absent" in mistake.stderr


def test_an_unknown_program_names_a_near_one():
    said = keras_resnet("evalute")
    assert said.returncode == 1
    assert "There is no program 'evalute'. Did you mean evaluate?" in said.stderr
