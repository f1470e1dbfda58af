import io
import os
import re
import subprocess
import sys
import time
import types

import tqdm

from keras_resnet.runs import progress

ROW = {
    "step": 20,
    "epoch": 0.5,
    "split": "train",
    "loss": 1.25,
    "top1": 0.5,
    "learning_rate": 0.1,
    "images_per_second": 123.4,
}


def test_a_log_file_gets_a_line_with_its_time_for_each_row(capsys):
    with progress.show_progress(100, 10) as shown:
        shown.update(10, {"loss": 1.0, "top1": 0.5}, 3.0)
        shown.log(ROW)
    output = capsys.readouterr().out
    assert re.fullmatch(
        r"\d\d-\d\d \d\d:\d\d:\d\d step 20, epoch 0.50, train: loss 1.25, top1 0.5, "
        r"learning rate 0.1, images per second 123.4\n",
        output,
    )
    stamp = time.strptime(f"{time.localtime().tm_year}-{output[:14]}", "%Y-%m-%d %H:%M:%S")
    assert abs(time.time() - time.mktime(stamp)) < 60


def test_the_time_left_is_that_of_the_steps_left_without_the_first_call(capsys, monkeypatch):
    now = [100.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0], strftime=time.strftime)
    monkeypatch.setattr(progress, "time", clock)
    with progress.show_progress(100, 10) as shown:
        now[0] += 500  # It makes a graph.
        shown.update(1, {"loss": 1.0, "top1": 0.5}, 3.0)
        now[0] += 60
        shown.update(29, {"loss": 1.0, "top1": 0.5}, 3.0)
        now[0] -= 2
        shown.log(ROW)
    # 2 seconds per step, and 60 steps.
    assert capsys.readouterr().out.endswith(", 02:00 left\n")


def test_rows_are_for_the_chief_to_show_and_notes_for_all(capsys):
    with progress.show_progress(100, 10, is_chief=False) as shown:
        shown.update(10, {"loss": 1.0, "top1": 0.5}, 3.0)
        shown.log(ROW)
        shown.note("The input is slow here.")
    captured = capsys.readouterr()
    assert captured.out == "The input is slow here.\n" and captured.err == ""


def test_a_terminal_shows_the_last_step():
    terminal = io.StringIO()
    with tqdm.tqdm(total=100, initial=10, unit="step", file=terminal) as bar:
        shown = progress.Progress(bar, 90)
        shown.update(5, {"loss": 1.25, "top1": 0.5}, 300.4)
        bar.refresh()
        assert "loss 1.250, top1 0.500, 300 images/s" in terminal.getvalue()
        shown.say("evaluating")
        assert bar.n == 15
    assert "15/100" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("evaluating]")


# The module alone: to import TensorFlow takes seconds.
PROGRAM = """
import runpy, sys

with runpy.run_path(sys.argv[1])["show_progress"](5, 0) as progress:
    progress.note("first")
    sys.stdin.readline()
    for text in ("x" * 100_000, "last"):
        progress.note(text)
print("to nobody")
print("to the end", file=sys.stderr)
"""


def test_output_that_nobody_reads_does_not_end_a_training():
    command = [sys.executable, "-c", PROGRAM, progress.__file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    buffered = {name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, text=True, env=buffered, **pipes) as process:
        assert process.stdout.readline() == "first\n"
        process.stdout.close()
        _, errors = process.communicate("nobody reads any more\n", timeout=60)
    assert (process.returncode, errors) == (0, "to the end\n")
