"""Schedulers as far as processes of this machine can play them; see also stand_ins/."""

import atexit
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

from processes import ROOT

EXAMPLES = ROOT / "examples" / "cluster"


class Script:
    """A script as a process group of its own, in which the stand-ins come first in the PATH.

    Args:
      directory: pathlib.Path, where it runs; all starts add what they say to "said" in it.
      command: the words of its command line.
      program: text of a bash script that is `keras-resnet`; None: the real one.
      variables: more of its environment.
    """

    def __init__(self, directory, command, program=None, **variables):
        self.directory = directory
        self._command = [str(word) for word in command]
        programs = directory / "bin"
        programs.mkdir(exist_ok=True)
        if program is not None:
            (programs / "keras-resnet").write_text("#!/bin/bash\n" + textwrap.dedent(program))
            (programs / "keras-resnet").chmod(0o755)
        path = f"{programs}:{ROOT / 'tests' / 'stand_ins'}:{os.environ['PATH']}"
        of_stand_ins = {"STAND_INS": directory, "PYTHON": sys.executable, "PYTHONPATH": ROOT}
        environment = {**os.environ, **of_stand_ins, "PATH": path, **variables}
        self._environment = {name: str(value) for name, value in environment.items()}

    def start(self):
        with (self.directory / "said").open("a") as said:
            self.process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                # Whether or not the tests run under nohup: a shell cannot trap what was ignored.
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            )
        atexit.register(self.kill)  # What a failed test has left behind.
        return self

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, seconds=20):
        """Its status, as a shell has it; what does not end in time is killed."""
        try:
            status = self.process.wait(seconds)
        finally:
            self.kill()
        return 128 - status if status < 0 else status

    def lines(self, name):
        """What a stand-in or program remembered under a name."""
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_lines(self, name, number, seconds=10):
        deadline = time.monotonic() + seconds
        while len(self.lines(name)) < number:
            assert time.monotonic() < deadline, self.lines("said")
            time.sleep(0.01)


class Job(Script):
    """A batch script as a job of Slurm, which starts it again whenever it was requeued."""

    def __init__(self, directory, script, arguments, program=None, **variables):
        options = self.options(script)
        of_job = {
            "SLURM_JOB_ID": os.getpid(),  # Other tests of this machine have other ports.
            "SLURM_JOB_NAME": options["job-name"],
            "SLURM_CPUS_PER_TASK": options["cpus-per-task"],
            "SLURM_NTASKS": 2,
        }
        self._warning = signal.Signals[f"SIG{options['signal'].partition('@')[0]}"]
        command = ["bash", script, *arguments]
        super().__init__(directory, command, program, **of_job, **variables)

    @staticmethod
    def options(script):
        """The options of sbatch in a script."""
        return dict(re.findall(r"^#SBATCH --([\w-]+)=?(\S*)$", script.read_text(), re.M))

    def run(self, seconds=20):
        """The status of each start, until it is not requeued."""
        statuses = []
        while len(self.lines("scontrol")) == len(statuses):
            statuses.append(self.start().wait(seconds))
        return statuses

    def warn(self):
        """What Slurm does before the time of the job is up."""
        for task in self.lines("tasks")[0].split():
            os.kill(int(task), self._warning)
