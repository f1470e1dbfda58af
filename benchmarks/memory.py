"""Memory of a training over 2,000 steps, with evaluations and checkpoints on the way.

The claim: it does not grow. Printed is the resident memory at each tenth of the training.
"""

import os
import pathlib
import re
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(pathlib.Path(__file__).parent.parent / "tests"))

import json

import common
import numpy as np
from ilsvrc import write_archives

from keras_resnet.classification.recipes import RECIPES
from keras_resnet.data import imagenet_archives
from keras_resnet.training import trainer

STEPS = 2000


def resident_megabytes():
    """Memory of this process, as Linux counts it."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


def newest_step(metrics):
    """The step of the last whole line of metrics."""
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return json.loads(lines[-1])["step"] if lines else 0


def watch(metrics, samples):
    """Notes step and memory until the process ends."""
    while True:
        time.sleep(0.2)
        samples.append((newest_step(metrics), resident_megabytes()))


def main():
    """Trains a small network on records of photographs and prints its memory."""
    common.print_processor()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        write_archives(directory / "source", np.random.default_rng(0), train_per_class=100)
        imagenet_archives.prepare(directory / "source", directory / "data", verify=False)
        config = RECIPES["imagenet"]["paper"].with_options(
            network="CifarResNet",
            depth=8,
            data_dir=str(directory / "data"),
            image_size=32,
            global_batch_size=16,
            train_steps=STEPS,
            log_every_steps=20,
            evaluate_every_steps=200,
            checkpoint_every_steps=200,
        )
        samples = []
        metrics = directory / "run" / "metrics.jsonl"
        threading.Thread(target=watch, args=(metrics, samples), daemon=True).start()
        trainer.train(config, directory / "run")
        for tenth in range(1, 11):
            step = STEPS * tenth // 10
            reached = [memory for at, memory in samples if at >= step]
            print(f"step {step}: {reached[0] if reached else resident_megabytes():.0f} MB")


if __name__ == "__main__":
    main()
