import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import tiny_training

from keras_resnet.distribution.workers import Workers
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.figures import Figure
from keras_resnet.runs.progress import show_progress
from keras_resnet.runs.run_directory import RunDirectory, load_evaluation
from keras_resnet.training.records import Records
from keras_resnet.training.state import State

TOP1 = Figure("top1", "top-1", "%", higher_is_better=True)


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run", tiny_training())
    run.begin()
    run.metrics.rewind(0)
    return run


def make(run, state, on_metrics=None):
    variable = keras.Variable(np.zeros(3, np.float32))
    checkpoints = run and Checkpoints(run.checkpoints, keep=1, weights=[variable])
    workers = Workers(tf.distribute.get_strategy())
    return Records(workers, run, checkpoints, TOP1, state, 8, 24, on_metrics)


def test_a_line_of_metrics_says_where_it_was_taken(run):
    state = State(step=6)
    with show_progress(10, 0) as progress:
        make(run, state).add("validation", {"top1": 0.5}, progress)
    assert run.metrics.read() == [{"step": 6, "epoch": 2.0, "split": "validation", "top1": 0.5}]
    assert state.rows == 1


def test_a_tracker_is_given_each_line_and_its_failures_end_nothing(run, capsys):
    state, given = State(step=6), []

    def track(row):
        given.append(row)
        row.clear()  # What it does with it is its own matter.
        raise ConnectionError("no answer\nfrom the tracker" + 999 * ".")

    with show_progress(10, 0) as progress:
        records = make(run, state, track)
        records.add("train", {"loss": 0.5}, progress)
        state.step = 7
        records.add("validation", {"top1": 0.5}, progress)
    assert len(given) == 2
    assert [row["step"] for row in run.metrics.read()] == [6, 7]
    said = capsys.readouterr().out
    first, _, second, failure = said.splitlines()
    assert "step 6, epoch 2.00, train" in first and "step 7" in second
    assert r"failed at step 7: ConnectionError: no answer\nfrom the tracker." in failure
    assert failure.endswith(". The training goes on.") and len(failure) < 400


def test_a_checkpoint_is_of_now_and_the_best_is_kept(run):
    state = State(step=5)
    records = make(run, state)
    assert not records.has_unsaved_steps
    for step in (6, 7, 8):
        state.step = step
        state.best = {"step": 6}
        assert records.has_unsaved_steps
        records.save()
        assert not records.has_unsaved_steps
    kept = sorted(path.name for path in run.checkpoints.iterdir())
    assert kept == ["step-00000006", "step-00000008"]
    assert f"The last good checkpoint is {run.checkpoints / kept[-1]}." in str(
        records.diverged("The loss is nan.")
    )


def test_a_network_that_is_gone_is_missed(run):
    records = make(run, State())
    assert records.lacks_network()
    records.write_network(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), True)
    assert not records.lacks_network()
    assert run.model.read_bytes() == (run.path / "best.keras").read_bytes()
    run.model.write_text("junk")
    assert records.lacks_network()
    records.write_evaluation({"top1": 0.5})
    assert load_evaluation(run.path) == {"top1": 0.5}


def test_another_worker_than_the_chief_writes_nothing(tmp_path):
    state = State(step=1)
    records = make(None, state)
    state.step = 2
    with show_progress(10, 0) as progress:
        records.add("train", {"loss": 1.0}, progress)
    records.write_network(None, True)
    records.write_evaluation({})
    records.save()
    assert (state.rows, records.has_unsaved_steps) == (1, False)
    assert "No checkpoint was written. Try a lower --learning_rate" in str(records.diverged("x"))
