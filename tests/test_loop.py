import dataclasses
import json
import os
import shutil
import signal

import numpy as np
import pytest
from conftest import make_picture_folder
from harness import assert_same_bits, metrics, tiny_training

from keras_resnet.evaluation import Evaluator
from keras_resnet.loop import State, Window
from keras_resnet.runs import load_network
from keras_resnet.signals import Interrupted
from keras_resnet.training import train


@pytest.fixture
def config(tmp_path, rng):
    folder = make_picture_folder(tmp_path / "pictures", rng, {"train": 13, "val": 9})
    return tiny_training(
        dataset=f"folder:{folder}",
        train_steps=12,
        schedule="plateau",
        plateau_evaluations=1,
        log_every_steps=2,
        evaluate_every_steps=4,
        checkpoint_every_steps=5,
    )


def test_a_state_survives_json():
    state = State(
        step=7,
        window=Window(0.1 + 0.2, 3, 2, 1 / 3),
        best={"step": 5, "top1": 0.7},
        schedules={"plateau": {"lowest_error": float("inf")}},
    )
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state


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


@pytest.mark.parametrize(
    ("number", "which", "step"), [(signal.SIGTERM, 2, 8), (signal.SIGINT, 3, 12)]
)
def test_a_signal_does_not_wait_for_the_end_of_an_evaluation(
    config, tmp_path, monkeypatch, number, which, step
):
    train(config, tmp_path / "whole")
    interrupt_evaluation(monkeypatch, number, which)
    with pytest.raises(Interrupted, match=f"saved at step {step} of 12"):
        train(config, tmp_path / "run")
    monkeypatch.undo()
    assert metrics(tmp_path / "run")[-1] == {**metrics(tmp_path / "run")[-1], "split": "train"}
    train(config, tmp_path / "run")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "whole")
    assert_same_bits(tmp_path / "run", tmp_path / "whole")


def test_the_best_network_and_its_checkpoint_are_kept(config, tmp_path):
    # A rate at which the network forgets what it has learned.
    config = dataclasses.replace(
        config, evaluate_every_steps=1, train_steps=16, keep_checkpoints=1, learning_rate=0.5
    )
    result = train(config, tmp_path / "run")
    rows = [row for row in metrics(tmp_path / "run") if row["split"] == "validation"]
    best = max(rows, key=lambda row: (row["top1"], -row["step"]))
    assert best["step"] < 16, "this test needs another rate"
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == [f"step-{best['step']:08d}", "step-00000016"]
    evaluations = {}
    for name in ("best", "model"):
        model = load_network(tmp_path / "run" / f"{name}.keras")
        source = source_of(config)
        evaluations[name] = Evaluator(model, source, 8)()
    assert evaluations["best"]["top1"] == best["top1"]
    assert evaluations["best"]["loss"] == pytest.approx(best["loss"], rel=1e-5)
    assert evaluations["model"]["loss"] == pytest.approx(result["loss"], rel=1e-5)


def source_of(config):
    from keras_resnet.inputs import make_sources

    return make_sources(config)[1]


def test_the_best_is_restored(config, tmp_path):
    config = dataclasses.replace(config, evaluate_every_steps=1, learning_rate=0.5)
    train(config, tmp_path / "run")
    state = json.loads((newest(tmp_path / "run") / "state.json").read_text())
    shutil.rmtree(newest(tmp_path / "run"))
    train(config, tmp_path / "run")
    again = json.loads((newest(tmp_path / "run") / "state.json").read_text())
    assert again["best"] == state["best"]
    rows = [row for row in metrics(tmp_path / "run") if row["split"] == "validation"]
    assert state["best"]["top1"] == max(row["top1"] for row in rows)


def newest(run_dir):
    return max((run_dir / "checkpoints").iterdir())


def test_a_damaged_newest_checkpoint_costs_some_steps_and_no_bit(config, tmp_path, capsys):
    train(config, tmp_path / "whole")
    train(config, tmp_path / "run")
    path = newest(tmp_path / "run") / "variables.data-00000-of-00001"
    content = np.fromfile(path, np.uint8)
    content[content.size // 3] ^= 1
    content.tofile(path)
    capsys.readouterr()
    train(config, tmp_path / "run")
    output = capsys.readouterr().out
    assert "step-00000012 is damaged (the checksum of variables.data-00000-of-00001" in output
    assert "Continuing at step 10 of 12." in output
    assert_same_bits(tmp_path / "run", tmp_path / "whole")


def test_a_run_without_checkpoints_says_that_it_begins_anew(config, tmp_path, capsys):
    train(config, tmp_path / "whole")
    train(config, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert "There is no checkpoint" not in capsys.readouterr().out
    train(config, tmp_path / "run")
    output = capsys.readouterr().out
    assert "though the run has reached step 12. It begins anew." in output
    assert "Beginning a training of 12 steps." in output
    assert_same_bits(tmp_path / "run", tmp_path / "whole")
