import disk
import numpy as np
import pytest

from keras_resnet.runs.metrics import Metrics


@pytest.fixture
def metrics(tmp_path):
    return Metrics(tmp_path)


def test_lost_lines_of_metrics_are_said(tmp_path, metrics, capsys):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "split": "train"}\n')
    assert metrics.rewind(3) == 1
    assert "metrics.jsonl has lost 2 lines." in capsys.readouterr().out


def row(step, split="train"):
    return {"step": step, "epoch": step / 10, "split": split, "loss": 1 / (step + 1), "top1": 0.5}


def test_metrics_are_rewound_to_a_checkpoint(tmp_path, metrics):
    metrics.rewind(0)
    for step in (10, 20, 30):
        metrics.add(row(step))
    metrics.rewind(2)
    metrics.add(row(25, "validation"))
    assert metrics.read() == [row(10), row(20), row(25, "validation")]


def test_metrics_that_a_checkpoint_counts_on_survive_a_power_cut(tmp_path, metrics, monkeypatch):
    metrics.sync()  # There are none yet.
    metrics.rewind(0)
    metrics.add(row(10))
    calls = disk.recorded(monkeypatch)
    metrics.sync()
    path = tmp_path / "metrics.jsonl"
    assert calls == [("fsync", str(path), path.stat().st_size)]


@pytest.mark.parametrize("rows", [[], [10]])
def test_half_a_line_is_left_out(tmp_path, metrics, rows):
    metrics.rewind(0)
    for step in rows:
        metrics.add(row(step))
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 20, "lo')
    assert metrics.read() == [row(step) for step in rows]


def test_tensorboard_shows_the_metrics(tmp_path, metrics):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics.rewind(0)
    for step in (10, 20):
        metrics.add(row(step))
    metrics.rewind(1)
    metrics.add(row(15))
    events = EventAccumulator(str(tmp_path / "events" / "train")).Reload()
    assert sorted(events.Tags()["tensors"]) == ["epoch", "loss", "top1"]
    shown = [
        (event.step, float(np.frombuffer(event.tensor_proto.tensor_content, np.float32)[0]))
        for event in events.Tensors("loss")
    ]
    assert shown == [(10, np.float32(1 / 11)), (15, np.float32(1 / 16))]
