import shlex
import subprocess
import sys

from keras_resnet import progress

ROW = {
    "step": 20,
    "epoch": 0.5,
    "split": "train",
    "loss": 1.25,
    "top1": 0.5,
    "learning_rate": 0.1,
    "images_per_second": 123.4,
}


def test_a_log_file_gets_a_line_for_each_row(capsys):
    with progress.show_progress(100, 10) as shown:
        shown.update(10, loss=1.0, accuracy=0.5, images_per_second=3.0)
        shown.log(ROW)
    output = capsys.readouterr().out
    assert output.startswith(
        "step 20, epoch 0.50, train: loss 1.25, top1 0.5, learning rate 0.1, "
        "images per second 123.4, "
    )
    assert output.endswith(" left\n")


PROGRAM = """
import time
from keras_resnet.progress import show_progress

with show_progress(5, 0) as progress:
    for text in ("first", "x" * 100_000, "last"):
        progress.note(text)
        time.sleep(0.3)
"""


def test_output_that_nobody_reads_does_not_end_a_training():
    command = f"set -o pipefail; {sys.executable} -c {shlex.quote(PROGRAM)} | head -n 1"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (process.returncode, process.stdout) == (0, "first\n"), process.stderr
