"""What `--deterministic` costs: a training with it and one without, in turns.

No claim: on a processor the kernels are the same, on a GPU some are slower. Each training is a
process of its own, since TensorFlow cannot take the setting back.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import common

ROOT = pathlib.Path(__file__).parent.parent
TRAIN = [
    sys.executable,
    ROOT / "launch" / "imagenet.py",
    "--dataset=shapes",
    "--network=CifarResNet",
    "--depth=20",
    "--image_size=32",
    "--train_resize=36",
    "--global_batch_size=64",
    "--train_steps=300",
    "--log_every_steps=50",
]
ROUNDS = 4


def images_per_second(*flags):
    """Median speed of a training, without the steps that TensorFlow makes its graphs in."""
    with tempfile.TemporaryDirectory() as run_dir:
        command = [*map(str, TRAIN), f"--run_dir={run_dir}", *flags]
        subprocess.run(command, check=True, capture_output=True)
        lines = (pathlib.Path(run_dir) / "metrics.jsonl").read_text().splitlines()
    windows = [line for line in map(json.loads, lines) if line["split"] == "train"]
    return statistics.median(window["images_per_second"] for window in windows[1:])


def main():
    """Trains in turns and prints medians and their ratio."""
    common.print_processor()
    pairs = [(images_per_second(), images_per_second("--deterministic")) for _ in range(ROUNDS)]
    without, with_it = map(statistics.median, zip(*pairs, strict=True))
    ratio = statistics.median(plain / deterministic for plain, deterministic in pairs)
    print(
        f"ResNet-20, batch 64: {without:.0f} images/s, with --deterministic {with_it:.0f}: "
        f"a step takes {ratio:.2f} times as long"
    )


if __name__ == "__main__":
    main()
