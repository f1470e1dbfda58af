"""Faster R-CNN C4: a training step and inference, ours against torchvision's of the same network.

Both take pictures that are on their canvas already, with the same numbers of anchors, proposals and
regions, frozen batch normalizations and random weights, scaled so that both find 20 to 100 objects
in each picture. Each runs in a process of its own, in turns; ours with oneDNN, as our programs
train. The claim: ours is not slower.

  python benchmarks/detection.py [--torch_python=.venv-parity/bin/python] [--rounds=3]

`make parity` makes .venv-parity; without torchvision there ours is measured alone.
"""

import argparse
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from faster_rcnn.workloads import FUNCTIONS, WORKLOADS

ROOT = pathlib.Path(__file__).parent.parent
OURS, PEER = "keras_resnet", "torchvision"
ROUNDS = 3


def serve(side):
    """Answers each name of a workload and of a function with what a call took: a line of JSON."""
    module = importlib.import_module(f"faster_rcnn.{side}_side")
    functions = {}
    for line in sys.stdin:
        name, function = json.loads(line)
        if name not in functions:
            functions[name] = module.functions(WORKLOADS[name])
        started, begun = time.perf_counter(), time.process_time()
        value = functions[name][function]().numpy().tolist()
        figures = {
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - begun,
            "value": value,
        }
        print(json.dumps(figures), flush=True)


class Side:
    """A process with one side's detectors."""

    def __init__(self, python, side):
        self._process = subprocess.Popen(
            [python, __file__, f"--side={side}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def figures(self, name, function):
        """What a call took: wall seconds, processor seconds, and its value."""
        print(json.dumps([name, function]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"A side of the benchmark ended with {self._process.wait()}.")
        return json.loads(answer)


def measure(sides, name, function, rounds):
    """Prints the medians of each side, and how much faster ours is."""
    workload = WORKLOADS[name]
    first = {side: process.figures(name, function) for side, process in sides.items()}
    found = {side: [] for side in sides}
    for _ in range(rounds):
        for side, process in sides.items():
            found[side].append(process.figures(name, function))
    print(f"{name}, {function}, batch {workload.batch_size}, {rounds} rounds")
    for side, calls in found.items():
        wall, processor = (
            statistics.median(call[key] for call in calls)
            for key in ("seconds", "processor_seconds")
        )
        ratios = [
            statistics.median(
                call[key] / ours[key] for call, ours in zip(calls, found[OURS], strict=True)
            )
            for key in ("seconds", "processor_seconds")
        ]
        about = f", {first[side]['value']} objects" if function == "inference" else ""
        print(
            f"  {side}: {workload.batch_size / wall:.2f} pictures/s, {wall:.3f} s, of processors "
            f"{processor:.3f} s{about}; ours {ratios[0]:.2f} x, of processors {ratios[1]:.2f} x",
            flush=True,
        )


def has_torchvision(python):
    """Whether a Python has torchvision."""
    try:
        command = [python, "-c", "import torchvision"]
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        return False


def main():
    """Measures both sides, or is one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--torch_python",
        default=str(ROOT / ".venv-parity" / "bin" / "python"),
        help="a Python with torch and torchvision (that of .venv-parity)",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"calls of each ({ROUNDS})")
    parser.add_argument("--side", choices=(OURS, PEER), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        serve(arguments.side)
        return
    import common

    common.print_processor()
    sides = {OURS: Side(sys.executable, OURS)}
    if has_torchvision(arguments.torch_python):
        sides[PEER] = Side(arguments.torch_python, PEER)
    else:
        print(f"{arguments.torch_python} has no torchvision: ours alone")
    for name in reversed(WORKLOADS):
        for function in FUNCTIONS:
            measure(sides, name, function, arguments.rounds)


if __name__ == "__main__":
    main()
