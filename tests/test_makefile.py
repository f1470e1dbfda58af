"""Which Python `make` takes for the environment that it makes."""

import os
import shutil
import subprocess
import sys

import pytest
from processes import ROOT

PYTHON = os.path.realpath(sys.executable)


@pytest.fixture
def make(tmp_path):
    """Runs `make` on a machine with these commands: to what each leads; None: it fails."""
    for name in ("Makefile", "setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()

    def run(*arguments, **pythons):
        tools = {name: shutil.which(name) for name in ("sh", "bash", "env", "test")}
        for name, target in {**tools, **pythons}.items():
            path = tmp_path / "bin" / name.replace("_", ".")
            if target:
                path.symlink_to(target)
            else:  # As pyenv answers for a version that is not chosen.
                path.write_text("#!/bin/sh\nexit 127\n")
                path.chmod(0o755)
        return subprocess.run(
            [shutil.which("make"), *arguments],
            cwd=tmp_path,
            env={"PATH": str(tmp_path / "bin")},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_it_is_the_first_that_runs(make):
    shown = make("-n", "test", python3_13=None, python3_12=PYTHON, python3=PYTHON).stdout
    assert "python3.12 -m venv .venv" in shown


def test_a_system_with_one_python_has_it_as_python3(make):
    assert "python3 -m venv .venv" in make("-n", "test", python3=PYTHON).stdout


def test_another_can_be_named(make):
    shown = make("-n", "test", "PYTHON=/opt/python", python3=PYTHON).stdout
    assert "/opt/python -m venv .venv" in shown


@pytest.mark.parametrize("pythons", [{}, {"python3": "/bin/false"}])
def test_without_any_it_says_what_to_install(make, pythons):
    process = make("test", **pythons)
    assert process.returncode != 0
    assert "apt-get install python3 python3-venv" in process.stdout
    assert "-m venv" not in process.stdout
