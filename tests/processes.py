"""Programs as tests run them: in this process, in one that forks, or as on the command line.

To import TensorFlow takes seconds. Where the process is not what is tested, a program runs within
that of the test. Where it is, because it is killed, or has a disk or a cluster of its own, it forks
from a server that has imported all and computed nothing. How a program starts and ends on the
command line is tested once for each.
"""

import atexit
import contextlib
import dataclasses
import io
import multiprocessing
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import traceback

from absl import logging

from keras_resnet.process.signals import STOP_SIGNALS

ROOT = pathlib.Path(__file__).parent.parent
LAUNCH = ROOT / "launch"

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["preload"])
_PATH = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])


@dataclasses.dataclass
class Finished:
    """How a program ended, as of `subprocess.run`."""

    returncode: int
    stdout: str
    stderr: str


def run_program(name, *arguments):
    """Runs launch/<name>.py within this process."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with (
        _restored(),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
    ):
        os.chdir(ROOT)
        status = _run_file(LAUNCH / f"{name}.py", arguments)
    return Finished(status, *(stream.buffer.getvalue().decode() for stream in streams))


def run_command(name, *arguments, **options):
    """Runs launch/<name>.py as a user does; options of `subprocess.run`."""
    defaults = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 300}
    command = [sys.executable, f"launch/{name}.py", *map(str, arguments)]
    return subprocess.run(command, **{**defaults, **options})


def assert_user_error(process, *texts):
    """The program ended with status 1 and one message that holds these texts."""
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr + process.stdout
    for text in texts:
        assert text in process.stderr


@contextlib.contextmanager
def _restored():
    """Restores what a program changes of its process."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    argv, path, directory = sys.argv, list(sys.path), os.getcwd()
    verbosity = logging.get_verbosity()
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path
        os.chdir(directory)
        logging.set_verbosity(verbosity)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _run_file(path, arguments):
    """Runs a file as Python does on the command line; returns the status."""
    sys.argv = [str(path), *map(str, arguments)]
    sys.path.insert(0, str(pathlib.Path(path).parent))
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


class Process:
    """A process of its own that runs a Python file, with the methods of `subprocess.Popen`.

    Args:
      path: the file.
      arguments: of its command line.
      stdout, stderr: paths of the files to which what it says is added; they may be one.
      cwd: its working directory.
      env: its environment; None: that of this process.
      prepare: importable function of nothing that it calls before.
    """

    def __init__(self, path, arguments=(), *, stdout, stderr, cwd=ROOT, env=None, prepare=None):
        arguments = [str(argument) for argument in arguments]
        environment = dict(os.environ if env is None else env)
        self._process = _FORKS.Process(
            target=_main,
            args=(str(path), arguments, str(stdout), str(stderr), str(cwd), environment, prepare),
        )
        with _environment(PYTHONPATH=_PATH):  # The server's, which starts with the first process.
            self._process.start()
        # multiprocessing waits at exit for whom a failed test has left behind.
        atexit.register(self.kill)
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self._process.exitcode

    def send_signal(self, number):
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def _environment(**variables):
    """Within the context the environment has these variables."""
    earlier = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(earlier)


def run_process(directory, path, *arguments, timeout=120, **options):
    """Runs a file in a `Process` and waits for its end.

    Args:
      directory: where its output may be kept meanwhile.
      path, arguments: see `Process`; so are the options.
      timeout: seconds after which it is killed.
    """
    outputs = [pathlib.Path(directory) / name for name in ("stdout", "stderr")]
    for output in outputs:
        output.write_bytes(b"")
    process = Process(path, arguments, stdout=outputs[0], stderr=outputs[1], **options)
    try:
        process.wait(timeout)
    finally:
        process.kill()
    return Finished(process.returncode, *(output.read_text() for output in outputs))


def _main(path, arguments, stdout, stderr, cwd, environment, prepare):
    """What a `Process` does."""
    assert "preload" in sys.modules, "The server of forks has imported nothing."
    for number, file in enumerate((stdout, stderr), 1):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if prepare is not None:
        prepare()
    sys.exit(_run_file(path, arguments))
