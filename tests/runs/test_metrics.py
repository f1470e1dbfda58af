import json
import re
import textwrap

import disk
import numpy as np
import pytest
from harness import small_disk
from processes import run_process

from keras_resnet.runs.metrics import Metrics, read_metrics


@pytest.fixture
def metrics(tmp_path):
    return Metrics(tmp_path)


def test_lost_lines_of_metrics_are_said(tmp_path, metrics, capsys):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "split": "train"}\n')
    assert metrics.rewind(3) == 1
    assert "metrics.jsonl has lost 2 lines." in capsys.readouterr().out


def test_a_line_without_a_needed_number_is_damaged(tmp_path):
    lines = [row(1), {"step": 2, "split": "train", "loss": 0.5}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_metrics(tmp_path) == lines
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged: line 2 is no row"):
        read_metrics(tmp_path, ["top1"])


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


def test_without_tensorboards_copy_a_training_goes_on(tmp_path, metrics, capsys):
    metrics.rewind(0)
    metrics.add(row(10))
    # Nothing can be written below it.
    (tmp_path / "events").rename(tmp_path / "elsewhere")
    (tmp_path / "events").write_text("")
    (tmp_path / "events").chmod(0o400)
    metrics = Metrics(tmp_path)
    with pytest.MonkeyPatch.context() as context:
        # As where it cannot be removed.
        context.setattr("shutil.rmtree", lambda *_, **__: None)
        metrics.rewind(1)
    metrics.add(row(20))
    assert metrics.read() == [row(10), row(20)]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("TensorBoard's copy of the metrics cannot be written, and the training")
    assert f"{tmp_path}/events" in line
    (tmp_path / "events").unlink()
    metrics.rewind(2)
    assert len(list((tmp_path / "events" / "train").iterdir())) == 1


FULL_DISK = """
    import pathlib, sys
    from keras_resnet.runs.metrics import Metrics

    disk = pathlib.Path(sys.argv[1])
    (disk / "metrics.jsonl").touch()
    metrics = Metrics(disk)
    metrics.rewind(0)
    # Room for some lines, not for as many events: those of TensorFlow are longer.
    filler = open(disk / "filler", "wb", buffering=0)
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        filler.truncate(filler.tell() - 4096)
    row = {"epoch": 0.5, "split": "train", **{f"figure{number}": 0.1 for number in range(9)}}
    for step in range(1000):
        try:
            metrics.add({"step": step, **row})
        except OSError as error:
            print("refused:", step, error)
            break
    else:
        sys.exit("there was room")
    assert [line["step"] for line in metrics.read()] == list(range(step))
"""


def test_a_full_disk_ends_the_copy_first_and_names_the_file(tmp_path):
    program, directory = tmp_path / "program.py", tmp_path / "disk"
    program.write_text(textwrap.dedent(FULL_DISK))
    directory.mkdir()
    process = run_process(tmp_path, program, directory, prepare=small_disk(directory, "1m"))
    assert process.returncode == 0, process.stdout + process.stderr
    copy, refused = process.stdout.splitlines()
    assert "TensorBoard's copy of the metrics" in copy and "No space left on device" in copy
    assert re.search(r"No space left on device, \d+ bytes are free: .*/metrics.jsonl'", refused)
