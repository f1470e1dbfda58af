import json
import os
import re
import shutil
import signal
import time
import types

import disk
import numpy as np
import pytest
import surroundings
import tensorflow as tf
from harness import assert_same_bits, metrics, tiny_training
from pictures import make_picture_folder
from tensorflow.python.framework.config import disable_op_determinism

from keras_resnet.checks import UserError
from keras_resnet.classification import task
from keras_resnet.classification.evaluation import evaluate
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator
from keras_resnet.process.signals import Interrupted
from keras_resnet.runs.run_directory import load_network
from keras_resnet.training import loop, trainer
from keras_resnet.training.inputs import make_sources
from keras_resnet.training.trainer import train


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures") / "pictures"
    rng = np.random.default_rng(0)
    return tiny_training(
        dataset=f"folder:{make_picture_folder(root, rng, {'train': 13, 'val': 9})}",
        train_steps=12,
        # A rate at which it answers all right after half of the steps, and goes on learning.
        learning_rate=0.1,
        schedule="plateau",
        plateau_evaluations=1,
        log_every_steps=2,
        evaluate_every_steps=2,
        checkpoint_every_steps=5,
        keep_checkpoints=1,
    )


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """The directory of a finished run, which is not to be changed, and what its training gave.

    And its flushes and renames, as of `disk.recorded`.
    """
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as monkeypatch:
        calls = disk.recorded(monkeypatch)
        return run_dir, train(config, run_dir), calls


@pytest.fixture
def copy(whole, tmp_path):
    """The directory of a copy of that run."""
    return shutil.copytree(whole[0], tmp_path / "run")


def validations(run_dir):
    return [row for row in metrics(run_dir) if row["split"] == "validation"]


def newest(run_dir):
    return max((run_dir / "checkpoints").iterdir())


def state_of(path):
    return json.loads((path / "state.json").read_text())


def interrupt_evaluation(monkeypatch, number, which):
    """Sends this process a signal when an evaluation begins, counted from 1."""
    evaluate = Evaluator.__call__
    calls = []

    def interrupted(self, stop_requested):
        calls.append(None)
        if len(calls) == which:
            os.kill(os.getpid(), number)
        return evaluate(self, stop_requested)

    monkeypatch.setattr(Evaluator, "__call__", interrupted)


def test_a_signal_does_not_wait_for_the_end_of_an_evaluation(config, whole, tmp_path, monkeypatch):
    run_dir = tmp_path / "run"
    # Of the second start the first evaluation is the one that the first start did not end.
    for number, which, step in ((signal.SIGTERM, 2, 4), (signal.SIGINT, 5, 12)):
        with monkeypatch.context() as context:
            interrupt_evaluation(context, number, which)
            with pytest.raises(Interrupted, match=f"saved at step {step} of 12"):
                train(config, run_dir)
        assert newest(run_dir).name == f"step-{step:08d}"
        assert metrics(run_dir)[-1]["split"] == "train"
    train(config, run_dir)
    assert_same_bits(run_dir, whole[0])


def test_a_network_learns_what_it_is_shown(whole):
    assert whole[1]["top1"] == 1


def test_the_best_network_and_its_checkpoint_are_kept(config, whole):
    run_dir, result, _ = whole
    best = max(validations(run_dir), key=lambda row: (row["top1"], -row["step"]))
    assert 2 < best["step"] < 12, "this test needs another rate"
    kept = sorted(path.name for path in (run_dir / "checkpoints").iterdir())
    assert kept == [f"step-{best['step']:08d}", "step-00000012"]
    _, source = make_sources(config)
    evaluations = {
        name: evaluate(load_network(run_dir / f"{name}.keras"), source, 8)
        for name in ("best", "model")
    }
    assert evaluations["best"]["top1"] == best["top1"]
    assert evaluations["best"]["loss"] == pytest.approx(best["loss"], rel=1e-5)
    assert evaluations["model"]["loss"] == pytest.approx(result["loss"], rel=1e-5)


def test_the_metrics_that_a_checkpoint_counts_on_survive_a_power_cut(whole):
    run_dir, _, calls = whole
    lines = (run_dir / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    flushed, steps = 0, []
    for call, path, other in calls:
        if call == "fsync" and path == str(run_dir / "metrics.jsonl"):
            flushed = other
        saved = re.fullmatch(rf"{re.escape(str(run_dir))}/checkpoints/step-(\d{{8}})", str(other))
        if call == "rename" and saved:
            steps.append(int(saved[1]))
            before = [line for line in lines if json.loads(line)["step"] <= steps[-1]]
            assert flushed >= sum(map(len, before)), steps
    assert {5, 10, 12} <= set(steps)


def test_a_damaged_newest_checkpoint_costs_some_steps_and_no_bit(config, whole, copy, capsys):
    path = newest(copy) / "variables.data-00000-of-00001"
    content = np.fromfile(path, np.uint8)
    content[content.size // 3] ^= 1
    content.tofile(path)
    train(config, copy)
    output = capsys.readouterr().out
    assert "step-00000012 is damaged (the checksum of variables.data-00000-of-00001" in output
    best = state_of(newest(whole[0]))["best"]
    assert f"Continuing at step {best['step']} of 12." in output
    assert "There is no checkpoint" not in output
    (copy / "checkpoints" / "step-00000012.damaged").rename(copy / "damaged")
    assert_same_bits(copy, whole[0])
    # The best is remembered, too, which it no longer reached.
    assert state_of(newest(copy)) == state_of(newest(whole[0]))
    assert best["top1"] == max(row["top1"] for row in validations(copy))


def test_a_run_without_checkpoints_says_that_it_begins_anew(config, whole, copy, capsys):
    shutil.rmtree(copy / "checkpoints")
    train(config, copy)
    output = capsys.readouterr().out
    assert "though the run has reached step 12. It begins anew." in output
    assert "Beginning a training of 12 steps, " in output
    assert_same_bits(copy, whole[0])


@pytest.fixture(scope="module")
def impatient(config, tmp_path_factory):
    """The configuration of a training that does not get better, and the directory of its run."""
    options = {"schedule": "steps", "learning_rate": 1e-12, "patience": 2, "train_steps": 40}
    config = config.with_options(**options, log_every_steps=5, keep_checkpoints=3)
    run_dir = tmp_path_factory.mktemp("impatient") / "run"
    train(config, run_dir)
    return config, run_dir


def test_a_training_that_gets_no_better_ends_when_its_patience_does(impatient, tmp_path, capsys):
    config, run_dir = impatient
    # The evaluation after step 2 is the best, of equals the first.
    assert [row["step"] for row in validations(run_dir)] == [2, 4, 6]
    assert [row["step"] for row in training_rows(run_dir)] == [5, 6]
    assert newest(run_dir).name == "step-00000006"
    assert json.loads((run_dir / "evaluation.json").read_text())["step"] == 6
    copy = shutil.copytree(run_dir, tmp_path / "run")
    assert train(config, copy)["step"] == 6
    said = capsys.readouterr().out
    assert "Complete already. Ended early, at step 6 of 40: of 2 evaluations none" in said
    assert f"step 2, top-1 {validations(run_dir)[0]['top1']:.2%}," in said
    assert_same_bits(copy, run_dir)


def test_patience_survives_a_kill(impatient, tmp_path, capsys):
    config, run_dir = impatient
    copy = shutil.copytree(run_dir, tmp_path / "run")
    shutil.rmtree(newest(copy))
    assert state_of(newest(copy))["evaluations_since_best"] == 1
    train(config, copy)
    assert "\nEnded early, at step 6 of 40: " in capsys.readouterr().out
    assert_same_bits(copy, run_dir)


def test_another_patience_is_another_configuration(impatient):
    config, run_dir = impatient
    for change in ({"patience": 3}, {"evaluate_every_steps": 3}):
        with pytest.raises(UserError, match="holds a run of another configuration"):
            train(config.with_options(**change), run_dir)


def training_rows(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == "train"]


def test_an_input_that_is_the_bottleneck_is_said_once(config, tmp_path, monkeypatch, capsys):
    usual = task.training_example

    def slow_example(*arguments):
        example = usual(*arguments)

        def slow(image, label, index, draws):
            tf.numpy_function(lambda: time.sleep(0.06), [], [])
            return example(image, label, index, draws)

        return slow

    monkeypatch.setattr(task, "training_example", slow_example)
    options = {"train_steps": 6, "evaluate_every_steps": 6, "log_every_steps": 1}
    train(config.with_options(**options), tmp_path / "run")
    rows = training_rows(tmp_path / "run")
    # The first step makes a graph and starts the input, and is no measure of their pace.
    assert not rows[0].keys() & {"images_per_second", "input_wait", "peak_share"}
    # A step takes a fraction of what its 8 images do, of which two come at once.
    assert max(row["input_wait"] for row in rows[1:]) > 0.5
    said = re.findall(r"The input is the bottleneck: (\d+)%.* take (\d+)", capsys.readouterr().out)
    ((percent, needed),) = said
    first = next(row for row in rows[1:] if row["input_wait"] > 0.1)
    assert int(percent) == round(100 * first["input_wait"])
    rate = first["images_per_second"] / (1 - first["input_wait"])
    assert int(needed) == pytest.approx(rate, rel=0.1, abs=1)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_tenth_of_the_time_may_go_in_waiting_unsaid(replicas):
    said = []
    for wait in (0.1, 0.104, 1.0):
        # What it takes of a loop.
        learner = types.SimpleNamespace(strategy=make_strategy(replicas))
        fresh = types.SimpleNamespace(_has_noted_input=False, learner=learner)
        progress = types.SimpleNamespace(note=said.append)
        loop.Loop._note_slow_input(fresh, progress, images_per_second=896.0, input_wait=wait)
    tenth, all_ = said
    assert "bottleneck: 10% of" in tenth and "gives 896 images/s" in tenth
    assert f"would take 1000{', 500 a replica' if replicas > 1 else ''}." in tenth
    # A clock that was set makes it seem so: no more than a hundred times as fast.
    assert "bottleneck: 100% of" in all_ and "would take 89600" in all_


def test_a_training_without_memory_left_says_what_it_had(config, tmp_path, monkeypatch):
    """On two replicas of which, as far as it knows, one is on this machine."""

    def shortage(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(trainer, "steps_function", lambda *_, **__: shortage)
    monkeypatch.setattr(Workers, "local_replicas", 1)
    with pytest.raises(UserError, match="global_batch_size=8, 4 images on each replica"):
        train(config.with_options(replicas=2), tmp_path / "run")


def test_under_determinism_where_there_is_no_clock_nothing_is_said_of_waiting(config, tmp_path):
    try:
        train(config.with_options(train_steps=2, deterministic=True), tmp_path / "run")
    finally:
        disable_op_determinism()
    assert "images_per_second" in training_rows(tmp_path / "run")[-1]
    assert "input_wait" not in training_rows(tmp_path / "run")[-1]
