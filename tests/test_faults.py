"""Trainings and preparations that are killed, stopped or stuck, as processes: `make faults`."""

import os
import random
import re
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from harness import LOOP_SIGNAL, Training, assert_same_bits, flags, on_small_disk, tiny_training
from ilsvrc import write_archives
from pictures import make_picture_folder
from preparations import Preparation, prepared_pictures
from processes import LAUNCH, ROOT

from keras_resnet.distribution.watchdog import EXIT_WORKER_LOST

pytestmark = pytest.mark.faults


def make_config(root):
    """A training of some seconds, with all that a run can have to restore."""
    numbers = {"train": 13, "val": 6}
    folder = make_picture_folder(root / "pictures", np.random.default_rng(0), numbers)
    return tiny_training(
        dataset=f"folder:{folder}",
        train_steps=400,
        learning_rate=0.05,
        pca_color=0.1,
        warmup_error=0.9,
        ema_momentum=0.9,
        evaluate_every_steps=20,
        checkpoint_every_steps=7,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_kills_change_no_bit(undisturbed, tmp_path, workers):
    config, expected = undisturbed
    if workers == 1:
        expected = tmp_path / "whole"
        Training(config, expected).finish()
    run_dir = tmp_path / "killed"
    # Signals at random times, wherever the training then is: also while it starts, since the
    # metrics of the start before may have come further than its last checkpoint.
    chance = random.Random(workers)
    signals = [signal.SIGKILL] * 12 + [signal.SIGTERM] * 8
    chance.shuffle(signals)
    steps = sorted(chance.sample(range(1, config.train_steps - 20), len(signals)))
    ends = []
    for step, number in zip(steps, signals, strict=True):
        training = Training(config, run_dir, workers)
        training.wait_for_step(step)
        time.sleep(chance.uniform(0, 0.3))
        victim = chance.randrange(workers)
        training.send(number, victim)
        status = training.processes[victim].wait(60)
        if workers == 2:
            ends.append((status, end_of_other(training, victim)))
        else:
            ends.append(status)
    print(f"signals at steps {steps} ended in {ends}")
    # A signal that finds no training yet just ends the process.
    if workers == 1:
        assert set(ends) <= {-signal.SIGKILL, 130, -signal.SIGTERM}
        assert ends.count(130) >= 4
    else:
        assert ends.count((130, 130)) >= 4
        assert ends.count((-signal.SIGKILL, EXIT_WORKER_LOST)) >= 6
    Training(config, run_dir, workers).finish()
    assert_same_bits(run_dir, expected, f"killed at {steps}")


def test_a_worker_whose_data_do_not_come_says_so_and_is_named(tmp_path):
    config = make_config(tmp_path)
    directories = [tmp_path / name for name in ("a", "b")]
    for directory in directories:
        shutil.copytree(tmp_path / "pictures", directory / "pictures")
    config = config.with_options(dataset="folder:pictures", stall_seconds=10)
    training = Training(config, tmp_path / "run", 2, directories)
    # After the first evaluation, whose functions may take ten minutes for their first call.
    training.wait_for_step(25)
    # Reading a pipe that nobody writes to takes forever, as from a disk that is gone.
    for picture in (directories[1] / "pictures" / "train").rglob("*.*"):
        os.mkfifo(picture.with_suffix(".pipe"))
        os.replace(picture.with_suffix(".pipe"), picture)
    assert training.statuses(60) == [EXIT_WORKER_LOST] * 2, training.outputs()
    assert "(waiting for data)" in training.output(1)
    assert training.output(0).strip().splitlines()[-1].startswith("worker 1 (127.0.0.1:")


FULL_DISK = """
head -c 1000000 /dev/zero > "DISK/filler"
if "$@" --run_dir="DISK/run" --keep_checkpoints=20; then exit 9; fi
rm "DISK/filler"
"$@" --run_dir="DISK/run" --keep_checkpoints=1 && cp -r "DISK/run" "DISK.kept"
"""


def test_a_full_disk_stops_a_training_that_goes_on_when_there_is_room(tmp_path):
    config = make_config(tmp_path).with_options(train_steps=60)
    Training(config, tmp_path / "whole").finish()
    disk = tmp_path / "disk"
    disk.mkdir()
    script = FULL_DISK.replace("DISK", str(disk))
    program = [sys.executable, ROOT / "launch/imagenet.py", *flags(config)]
    process = on_small_disk(disk, "8m", ["sh", "-c", script, "sh", *program])
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert re.search(rf"No space left on device, [\d,]+ bytes are free: {disk}", process.stderr)
    assert "Traceback" not in output
    assert "Continuing at step" in process.stdout
    assert_same_bits(tmp_path / "disk.kept", tmp_path / "whole")


def end_of_other(training, victim):
    """The status with which the other worker ends; told to, where the first had not yet come."""
    other = 1 - victim
    deadline = time.monotonic() + 90
    while training.processes[other].poll() is None and time.monotonic() < deadline:
        if training.output(other).rstrip().splitlines()[-1].startswith("Waiting for worker"):
            training.send(signal.SIGTERM, other)
            return training.processes[other].wait(20)
        time.sleep(0.2)
    return training.processes[other].wait(1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The configuration of a run of two workers that nothing happened to, and its directory."""
    root = tmp_path_factory.mktemp("undisturbed")
    config = make_config(root)
    Training(config, root / "run", 2).finish()
    return config, root / "run"


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, LOOP_SIGNAL])
def test_a_worker_that_dies_or_hangs_ends_the_other_within_a_minute(
    undisturbed, tmp_path, number, victim
):
    config, expected = undisturbed
    run_dir = tmp_path / "disturbed"
    training = Training(config, run_dir, 2)
    training.wait_for_step(30)
    training.send(number, victim)
    started = time.monotonic()
    other = 1 - victim
    status = training.processes[other].wait(60)
    print(
        f"signal {number} to worker {victim}: the other ended in {time.monotonic() - started:.1f} s"
    )
    assert status == EXIT_WORKER_LOST, training.outputs()
    last = training.output(other).strip().splitlines()[-1]
    assert last.startswith(f"worker {victim} (127.0.0.1:"), training.output(other)
    if number == LOOP_SIGNAL:
        assert training.processes[victim].wait(60) == EXIT_WORKER_LOST
        assert "in loop" in training.output(victim)
    else:
        training.send(signal.SIGKILL, victim)
    training.statuses()
    Training(config, run_dir, 2).finish()
    assert_same_bits(run_dir, expected)


WRITES = "If it is interrupted, it begins anew."
LEFT = "Removed what an interrupted preparation has left"


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Archives that take seconds to prepare, and what an undisturbed preparation makes of them."""
    root = tmp_path_factory.mktemp("archives")
    source = write_archives(root / "source", np.random.default_rng(0), 1000, 100)
    Preparation(source, root / "data", root / "log").finish()
    return source, prepared_pictures(root / "data")


def test_twenty_kills_leave_nothing_of_a_preparation_but_its_end(archives, tmp_path):
    source, expected = archives
    log = tmp_path / "log"
    started = time.monotonic()
    Preparation(source, tmp_path / "timed", log).finish()
    seconds = time.monotonic() - started
    data, chance, kills, leftovers = tmp_path / "data", random.Random(0), 0, 0
    while kills < 20:
        preparation = Preparation(source, data, tmp_path / "killed.log")
        if kills % 2:
            time.sleep(chance.uniform(0, seconds))
        else:
            preparation.wait_until_it_says(WRITES)
            time.sleep(chance.uniform(0, 0.5))
        preparation.kill()
        kills += preparation.wait(10) == -signal.SIGKILL
        leftovers += LEFT in preparation.output()
        assert "Traceback" not in preparation.output()
        (tmp_path / "killed.log").unlink()
        if (data / "imagenet2012" / "5.1.0").exists():
            assert prepared_pictures(data) == expected
            shutil.rmtree(data)
    Preparation(source, data, log).finish()
    assert prepared_pictures(data) == expected
    print(f"of 20 kills {leftovers} left something to remove")
    assert leftovers >= 5


def test_of_two_preparations_the_second_takes_over_from_a_killed_first(archives, tmp_path):
    source, expected = archives
    data = tmp_path / "data"
    first = Preparation(source, data, tmp_path / "first.log")
    first.wait_until_it_says(WRITES)
    first.send_signal(signal.SIGSTOP)
    second, third = (Preparation(source, data, tmp_path / f"{name}.log") for name in "bc")
    for waiting in (second, third):
        waiting.wait_until_it_says("Another process prepares in")
    first.kill()
    for waiting in (second, third):
        waiting.finish()
    said = [each.output().count("train: 3,002 pictures") for each in (second, third)]
    assert sorted(said) == [0, 1]
    assert prepared_pictures(data) == expected


FULL_DISK_OF_A_PREPARATION = """
"$@" --data_dir="DISK/data" > "DISK.log" & preparing=$!
until grep -q "it begins anew" "DISK.log"; do sleep 0.05; done
head -c 100000000 /dev/zero > "DISK/filler"
if wait $preparing; then exit 9; fi
if find "DISK/data" -name "incomplete*" -o -name "*.array_record*" | grep .; then exit 8; fi
"$@" --data_dir="DISK/data" && exit 7
rm "DISK/filler"
"$@" --data_dir="DISK/data" && cp -r "DISK/data" "DISK.kept"
"""


def test_a_full_disk_ends_a_preparation_that_begins_anew_when_there_is_room(archives, tmp_path):
    source, expected = archives
    disk = tmp_path / "disk"
    disk.mkdir()
    script = FULL_DISK_OF_A_PREPARATION.replace("DISK", str(disk))
    program = [sys.executable, LAUNCH / "prepare_imagenet.py"]
    program += [f"--source={source}", "--verify=false"]
    process = on_small_disk(disk, "80m", ["sh", "-c", script, "sh", *program])
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "and nothing is prepared: " in process.stderr
    assert re.search(r"No space left on device, [\d,]+ bytes are free", process.stderr)
    assert "0.0 kB free and the records need" in process.stderr
    assert "Traceback" not in output
    assert prepared_pictures(tmp_path / "disk.kept") == expected
