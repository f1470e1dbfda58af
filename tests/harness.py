"""Trainings as users run them: real processes, that are stopped and killed; and what they leave."""

import ctypes
import functools
import json
import os
import signal
import socket
import subprocess
import time

import numpy as np
import tensorflow as tf
from processes import LAUNCH, ROOT, Process

from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.options import fields

# A signal that makes a process of `Training` loop endlessly in Python.
LOOP_SIGNAL = signal.SIGRTMIN

# Of <sched.h>.
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000

_HELD = []

# Figures of metrics that differ between runs of the same bits.
_OF_SPEED = ("images_per_second", "images_per_second_per_replica", "peak_share", "input_wait")


def loop(*_):
    while True:
        pass


def _loop_when_told():
    signal.signal(LOOP_SIGNAL, loop)


def tiny_training(**options):
    """The configuration of a training of seconds, with these options for others."""
    settings = {
        "network": "CifarResNet",
        "depth": 8,
        "global_batch_size": 8,
        "learning_rate": 0.1,
        "weight_decay": 1e-4,
        "train_steps": None,
        "dataset": "shapes",
        "log_every_steps": 1,
    }
    of_task = ClassificationOptions(mean="channel", augmentation="crop_mirror", image_size=16)
    if "train_epochs" not in options:
        settings["train_steps"] = 1
    return TrainConfig(**settings, task=of_task).with_options(**options)


def free_ports(number):
    """Ports that nobody else is given while this process lives.

    A socket that is bound, but does not listen, holds each: who asks for any port, or connects, is
    given another one, and whoever allows reuse of the address, as servers do, can listen at it.
    """
    held = [socket.socket() for _ in range(number)]
    for each in held:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(("127.0.0.1", 0))
    _HELD.extend(held)
    return [each.getsockname()[1] for each in held]


def tf_config(ports, index):
    return tf_config_of([f"127.0.0.1:{port}" for port in ports], index)


def tf_config_of(workers, index):
    """Of the worker of an index, where these are the addresses of all."""
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def flags(config):
    """The flags that describe a configuration."""
    for options in (config, config.task):
        for field in fields(options):
            value = getattr(options, field.name)
            if value is not None:
                text = ",".join(map(str, value)) if isinstance(value, tuple) else value
                yield f"--{field.name}={text}"


class Training:
    """A program that trains, as a process or as a process for each of several workers.

    Args:
      config: `TrainConfig`.
      run_dir: pathlib.Path; the output of worker i goes to <run_dir>-<i>.log beside it.
      workers: number of processes.
      directories: working directory of each; None: that of the repository.
      flags_of_last: more flags for the last worker.
      program: path of the program.
      network: `Network` on whose hosts the workers run; None: all run on this one.
    """

    def __init__(
        self,
        config,
        run_dir,
        workers=1,
        directories=None,
        flags_of_last=(),
        program=LAUNCH / "imagenet.py",
        network=None,
    ):
        self.run_dir = run_dir
        ports = free_ports(workers)
        arguments = [f"--run_dir={run_dir}", *flags(config)]
        self.processes = []
        for index in range(workers):
            environment = dict(os.environ)
            if workers > 1:
                environment["TF_CONFIG"] = (
                    tf_config(ports, index)
                    if network is None
                    else tf_config_of(network.addresses(), index)
                )
            process = Process(
                program,
                [*arguments, *(flags_of_last if index == workers - 1 else ())],
                stdout=self._log(index),
                stderr=self._log(index),
                cwd=ROOT if directories is None else directories[index],
                env=environment,
                prepare=_loop_when_told if network is None else network.enter(index),
            )
            self.processes.append(process)

    def _log(self, index):
        return self.run_dir.with_name(f"{self.run_dir.name}-{index}.log")

    def output(self, index=0):
        """All that this worker said, in all starts."""
        return self._log(index).read_text()

    def outputs(self):
        return "\n".join(self.output(index) for index in range(len(self.processes)))

    def wait_for_step(self, step, seconds=200):
        """Waits until the metrics show a step, or a process has ended."""
        path = self.run_dir / "metrics.jsonl"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and all(p.poll() is None for p in self.processes):
            # Of the last whole line: steps only grow.
            lines = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
            if lines and json.loads(lines[-1])["step"] >= step:
                return
            time.sleep(0.01)

    def send(self, number, index=0):
        self.processes[index].send_signal(number)

    def statuses(self, seconds=300):
        """The exit status of each process; all are killed that have not ended in time."""
        deadline = time.monotonic() + seconds
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return [process.returncode for process in self.processes]

    def finish(self):
        """Waits for the end, which must be a good one."""
        statuses = self.statuses()
        assert statuses == [0] * len(statuses), self.outputs()


def on_small_disk(directory, size, command):
    """Runs a command in whose eyes a directory is a disk of its own of some size, such as "4m"."""
    mount = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, size, directory]
        + [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def small_disk(directory, size):
    """For `prepare` of a `Process`: gives it a disk of its own at a directory, of some size ("4m").

    What is on it vanishes with the process.
    """
    return functools.partial(_mount_disk, str(directory), size)


def _mount_disk(directory, size):
    library = ctypes.CDLL(None, use_errno=True)
    ids = os.getuid(), os.getgid()
    # A user may mount where he is root, which he is in a user namespace of his own.
    _check(library.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {ids[0]} 1"),
        ("gid_map", f"0 {ids[1]} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _check(library.mount(b"tmpfs", directory.encode(), b"tmpfs", 0, f"size={size}".encode()))


def _check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def checkpoint_values(run_dir):
    """All that the newest checkpoint holds: weights, statistics, optimizer slots, counters."""
    newest = max((run_dir / "checkpoints").glob("step-????????"))
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    return {name: reader.get_tensor(name) for name in names}


def metrics(run_dir):
    """The lines of metrics, but for the speed."""
    rows = map(json.loads, (run_dir / "metrics.jsonl").read_text().splitlines())
    return [{name: row[name] for name in row if name not in _OF_SPEED} for row in rows]


def losses(run_dir):
    return np.array([row["loss"] for row in metrics(run_dir) if row["split"] == "train"])


def assert_same_bits(run_dir, expected_run_dir, when=""):
    """Both runs ended with the same variables and the same metrics."""
    expected, actual = checkpoint_values(expected_run_dir), checkpoint_values(run_dir)
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(value, actual[name], err_msg=f"{name} {when}")
    assert metrics(expected_run_dir) == metrics(run_dir), when


def interrupt_at(config, run_dir, step, number, **options):
    """Starts a `Training` and sends it a signal as soon as the metrics show a step."""
    training = Training(config, run_dir, **options)
    training.wait_for_step(step)
    training.send(number)
    status = -number if number == signal.SIGKILL else 130
    assert training.statuses() == [status], training.output()
    return training
