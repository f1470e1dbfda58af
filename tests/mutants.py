"""Faults put into the code by hand, each with the test that must notice it: `make mutants`.

Each row of `MUTANTS` is a file, a text that occurs once in it, what takes its place, and the test
that must fail then. A row is tried in a copy of the repository, by a process that forks from one
that has imported what the package imports.
"""

import contextlib
import multiprocessing.pool
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
COPIED = ("keras_resnet", "launch", "tests", "docs", "examples", "benchmarks")
PROCESSES = 2

MUTANTS = ()

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["tensorflow", "keras", "tensorflow_datasets", "tensorflow_serving.apis.predict_pb2", "pytest"]
)


def verdict(mutant):
    """What is wrong with a row, in words; None where its test notices the fault."""
    file, old, new, test = mutant
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        return f"the text occurs {text.count(old)} times"
    with tempfile.TemporaryDirectory() as name:
        copy = pathlib.Path(name)
        for part in COPIED:
            shutil.copytree(ROOT / part, copy / part)
        for path in ROOT.glob("*.*"):
            shutil.copy(path, copy)
        (copy / file).write_text(text.replace(old, new))
        process = _FORKS.Process(target=_run_test, args=(copy, test))
        process.start()
        process.join()
        if process.exitcode == pytest.ExitCode.TESTS_FAILED:
            return None
        if process.exitcode == pytest.ExitCode.OK:
            return "the test passes"
        return f"the test does not run: {(copy / 'output').read_text()[-2000:]}"


def _run_test(copy, test):
    os.chdir(copy)
    sys.path[:0] = [str(copy)]
    with open("output", "w") as output, contextlib.redirect_stdout(output):
        sys.exit(pytest.main(["-x", "-p", "no:cacheprovider", "-p", "no:xdist", test]))


def main():
    survivors = 0
    with multiprocessing.pool.ThreadPool(PROCESSES) as pool:
        for mutant, wrong in zip(MUTANTS, pool.imap(verdict, MUTANTS), strict=True):
            file, old, new, test = mutant
            if wrong is not None:
                survivors += 1
                print(f"{file}: {old!r} -> {new!r}, {test}: {wrong}", flush=True)
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} faults are noticed.")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
