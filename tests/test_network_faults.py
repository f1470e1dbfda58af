"""Workers on machines of their own, whose network fails: `make faults`, as root."""

import json
import os
import pathlib
import re
import signal
import time

import numpy as np
import pytest
from harness import Training, assert_same_bits, flags, tf_config_of, tiny_training
from network import Network
from pictures import make_picture_folder
from processes import Process
from schedulers import EXAMPLES, Script

from keras_resnet.distribution.watchdog import EXIT_WORKER_LOST

pytestmark = pytest.mark.faults

STEPS = 120


@pytest.fixture
def network():
    with Network(2) as network:
        yield network


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The configuration of a run of two workers that nothing happened to, and its directory."""
    root = tmp_path_factory.mktemp("undisturbed")
    folder = make_picture_folder(
        root / "pictures", np.random.default_rng(0), {"train": 13, "val": 6}
    )
    config = tiny_training(
        dataset=f"folder:{folder}",
        train_steps=STEPS,
        learning_rate=0.05,
        evaluate_every_steps=50,
        checkpoint_every_steps=7,
    )
    Training(config, root / "run", 2).finish()
    return config, root / "run"


def test_a_short_cut_of_the_network_is_survived(undisturbed, network, tmp_path):
    config, expected = undisturbed
    training = Training(config, tmp_path / "run", 2, network=network)
    training.wait_for_step(30)
    network.cut(1)
    time.sleep(10)
    network.heal(1)
    training.finish()
    assert_same_bits(tmp_path / "run", expected)


@pytest.mark.parametrize("seconds", [20, 180])
def test_a_long_cut_is_named_on_both_sides(undisturbed, network, tmp_path, seconds):
    config, expected = undisturbed
    training = Training(config, tmp_path / "run", 2, network=network)
    training.wait_for_step(30)
    started = time.monotonic()
    network.cut(1)
    ends = {}
    while len(ends) < 2:
        passed = time.monotonic() - started
        if passed > seconds:
            network.heal(1)
        assert passed < 120, training.outputs()
        for index, process in enumerate(training.processes):
            if process.poll() is not None:
                ends.setdefault(index, round(passed, 1))
        time.sleep(0.1)
    network.heal(1)
    print(f"cut for {seconds} s: workers ended after (index: seconds) {ends}")
    for index in range(2):
        assert_ended_by_the_loss_of_the_other(training, index)
    Training(config, tmp_path / "run", 2, network=network).finish()
    assert_same_bits(tmp_path / "run", expected)


def assert_ended_by_the_loss_of_the_other(training, index):
    output = training.output(index)
    assert training.processes[index].returncode == EXIT_WORKER_LOST, output
    assert output.strip().splitlines()[-1].startswith(f"worker {1 - index} (10.9.0."), output


def test_a_slow_network_makes_a_training_slow(undisturbed, network, tmp_path):
    config, expected = undisturbed
    config = config.with_options(train_steps=10)
    network.slow_down("1mbit")
    started = time.monotonic()
    Training(config, tmp_path / "run", 2, network=network).finish()
    print(f"10 steps at 1 Mbit/s: {time.monotonic() - started:.0f} s")
    Training(config, tmp_path / "fast", 2).finish()
    assert_same_bits(tmp_path / "run", tmp_path / "fast")


@pytest.mark.parametrize("victim", [0, 1])
def test_a_stopped_worker_that_continues_says_that_it_was_stopped(
    undisturbed, network, tmp_path, victim
):
    config, expected = undisturbed
    # It is stopped for longer than its own watchdog waits.
    config = config.with_options(stall_seconds=10)
    training = Training(config, tmp_path / "run", 2, network=network)
    training.wait_for_step(30)
    training.send(signal.SIGSTOP, victim)
    started = time.monotonic()
    training.processes[1 - victim].wait(60)
    print(f"worker {victim} stopped: the other ended in {time.monotonic() - started:.1f} s")
    assert_ended_by_the_loss_of_the_other(training, 1 - victim)
    training.send(signal.SIGCONT, victim)
    assert training.processes[victim].wait(60) == EXIT_WORKER_LOST, training.output(victim)
    said = training.output(victim).strip().splitlines()[-1]
    assert said.startswith(f"worker {victim} (10.9.0.") and "did not run for" in said
    Training(config, tmp_path / "run", 2, network=network).finish()
    assert_same_bits(tmp_path / "run", expected)


def steps_taken(run_dir):
    path = run_dir / "metrics.jsonl"
    lines = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


# Each a function of the run directory and the logs of all workers.
MOMENTS = {
    "while they connect": lambda run_dir, logs: all(
        log.exists() and "workers are here" in log.read_text() for log in logs
    ),
    "in a step": lambda run_dir, logs: steps_taken(run_dir) >= 30,
    "in a checkpoint": lambda run_dir, logs: any((run_dir / "checkpoints").glob("step-*.tmp")),
    "after the last step": lambda run_dir, logs: steps_taken(run_dir) == STEPS,
}


def kill_at(moment, run_dir, logs, pids, victim):
    """Kills a worker at a moment, for which the chief stands still so that it does not pass."""
    is_now, deadline = MOMENTS[moment], time.monotonic() + 200
    while True:
        while not is_now(run_dir, logs):
            assert time.monotonic() < deadline, "\n".join(log.read_text() for log in logs)
            time.sleep(0.001)
        os.kill(pids[0], signal.SIGSTOP)
        time.sleep(0.05)
        if is_now(run_dir, logs):
            break
        os.kill(pids[0], signal.SIGCONT)
    os.kill(pids[victim], signal.SIGKILL)
    if victim:
        os.kill(pids[0], signal.SIGCONT)


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_moment_ends_the_other_and_changes_no_bit(
    undisturbed, network, tmp_path, moment, victim
):
    config, expected = undisturbed
    run_dir = tmp_path / "run"
    training = Training(config, run_dir, 2, network=network)
    logs = [tmp_path / f"run-{index}.log" for index in range(2)]
    kill_at(moment, run_dir, logs, [process.pid for process in training.processes], victim)
    started = time.monotonic()
    status = training.processes[1 - victim].wait(90)
    print(f"worker {victim} killed {moment}: {status} after {time.monotonic() - started:.1f} s")
    # Where TensorFlow has not begun to watch over a worker the chief waits for it until an alarm.
    if status != -signal.SIGALRM or (moment, victim) != ("while they connect", 1):
        assert_ended_by_the_loss_of_the_other(training, 1 - victim)
    Training(config, run_dir, 2, network=network).finish()
    assert_same_bits(run_dir, expected)


def begin_until_done(config, network, directory):
    """examples/cluster/until_done.sh, whose hosts are those of the network."""
    words = ["--", "keras-resnet", "imagenet", f"--run_dir={directory / 'run'}", *flags(config)]
    command = [EXAMPLES / "until_done.sh", *network.addresses(), *words]
    return Script(directory, command, PAUSE=0, NETWORK=network.name).start()


def pids_of(workers, start):
    """Of the workers of the first, second... start, the chief first."""

    def index(pid):
        environment = pathlib.Path(f"/proc/{pid}/environ").read_text()
        return re.search(r'"index": (\d)', environment)[1]

    workers.wait_for_lines("pids", 2 * start, 120)
    return sorted(map(int, workers.lines("pids")[2 * start - 2 :]), key=index)


def test_a_loop_around_it_goes_on_after_kills_at_all_moments(undisturbed, network, tmp_path):
    config, expected = undisturbed
    workers = begin_until_done(config, network, tmp_path)
    logs = [tmp_path / f"worker-{index}.log" for index in range(2)]
    victims = (1, 0, 1, 0)
    for start, (moment, victim) in enumerate(zip(MOMENTS, victims, strict=True), 1):
        kill_at(moment, tmp_path / "run", logs, pids_of(workers, start), victim)
    assert workers.wait(200) == 0, workers.lines("said")
    assert len(workers.lines("pids")) == 2 * 5
    assert_same_bits(tmp_path / "run", expected)


def test_a_loop_around_it_goes_on_after_a_cut_of_the_network(undisturbed, network, tmp_path):
    config, expected = undisturbed
    workers = begin_until_done(config, network, tmp_path)
    workers.wait_for_lines("run/metrics.jsonl", 30, 200)
    network.cut(1)
    time.sleep(20)
    network.heal(1)
    assert workers.wait(300) == 0, workers.lines("said")
    assert sum("status 75" in line for line in workers.lines("said")) == 2
    assert_same_bits(tmp_path / "run", expected)


PROGRAM = """
from keras_resnet.checks import UserError
from keras_resnet.distribution.cluster import cluster_of_environment
from keras_resnet.distribution.rendezvous import meet

try:
    meet(cluster_of_environment(), {}, 60)
    print("All are there.")
except UserError as error:
    print(error)
"""


def meet_on(network, directory, indices):
    """What processes on the hosts say that have these indices, and after how many seconds."""
    path = directory / "program.py"
    path.write_text(PROGRAM)
    outputs = [directory / f"{host}.log" for host in range(len(indices))]
    started = time.monotonic()
    processes = [
        Process(
            path,
            stdout=outputs[host],
            stderr=outputs[host],
            env={**os.environ, "TF_CONFIG": tf_config_of(network.addresses(), index)},
            prepare=network.enter(host),
        )
        for host, index in enumerate(indices)
    ]
    for process in processes:
        process.wait(100)
    seconds = time.monotonic() - started
    return [output.read_text() for output in outputs], seconds


@pytest.mark.parametrize("indices", [(1, 0), (0, 0), (1, 1)])
def test_indices_that_are_not_those_of_the_hosts_are_named_by_both(network, tmp_path, indices):
    texts, seconds = meet_on(network, tmp_path, indices)
    print(f"indices {indices}: named in {seconds:.1f} s")
    assert seconds < 40
    wrong = [host for host, index in enumerate(indices) if host != index]
    for text in texts:
        assert "All are there" not in text
        assert all(f"on host{host}" in text for host in wrong), texts
        assert "Give each process the index at which the list" in text


def test_a_chief_that_does_not_reach_its_own_address_is_met(network, tmp_path):
    network.hide_from_itself(0)
    texts, _ = meet_on(network, tmp_path, (0, 1))
    assert [text.splitlines()[-1] for text in texts] == ["All are there."] * 2


def test_a_worker_behind_a_firewall_is_named(network, tmp_path):
    network.close_port(1)
    texts, seconds = meet_on(network, tmp_path, (0, 1))
    print(f"firewall: named in {seconds:.1f} s")
    for text in texts:
        assert "worker 1 (10.9.0.2:2222) reaches the chief from host1, but does not answer" in text
