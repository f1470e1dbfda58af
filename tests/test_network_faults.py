"""Workers on machines of their own, whose network fails: `make faults`, as root."""

import os
import signal
import time

import numpy as np
import pytest
from harness import Training, assert_same_bits, tf_config_of, tiny_training
from network import Network
from pictures import make_picture_folder
from processes import Process

from keras_resnet.distribution.watchdog import EXIT_WORKER_LOST

pytestmark = pytest.mark.faults


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
        train_steps=300,
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
    healed = False
    ends = {}
    while len(ends) < 2:
        passed = time.monotonic() - started
        assert passed < 120, training.outputs()
        if passed > seconds and not healed:
            network.heal(1)
            healed = True
        for index, process in enumerate(training.processes):
            if process.poll() is not None:
                ends.setdefault(index, (process.returncode, round(passed, 1)))
        time.sleep(0.1)
    print(f"cut for {seconds} s: (status, seconds) {ends}")
    network.heal(1)
    for index, (status, _) in ends.items():
        assert status in (0, EXIT_WORKER_LOST), training.output(index)
        if status:
            last = training.output(index).strip().splitlines()[-1]
            assert last.startswith(f"worker {1 - index} (10.9.0."), training.output(index)
    Training(config, tmp_path / "run", 2, network=network).finish()
    assert_same_bits(tmp_path / "run", expected)


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
    training = Training(config, tmp_path / "run", 2, network=network)
    training.wait_for_step(30)
    training.send(signal.SIGSTOP, victim)
    started = time.monotonic()
    status = training.processes[1 - victim].wait(60)
    print(f"worker {victim} stopped: the other ended in {time.monotonic() - started:.1f} s")
    assert status == EXIT_WORKER_LOST, training.outputs()
    lost = training.output(1 - victim).strip().splitlines()[-1]
    assert lost.startswith(f"worker {victim} (10.9.0."), training.outputs()
    training.send(signal.SIGCONT, victim)
    assert training.processes[victim].wait(60) == EXIT_WORKER_LOST, training.output(victim)
    said = training.output(victim).strip().splitlines()[-1]
    assert said.startswith(f"worker {victim} (10.9.0.") and "did not run for" in said
    Training(config, tmp_path / "run", 2, network=network).finish()
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
