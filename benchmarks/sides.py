"""Ours and a peer in processes of their own, in turns: what a call of each takes.

A folder beside this file has for each side a module, `keras_resnet_side` and `torchvision_side`,
with `functions(workload)`: of nothing to a value, by name; and `workloads`, with WORKLOADS by name
and the names of the FUNCTIONS.
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

ROOT = pathlib.Path(__file__).parent.parent
OURS, PEER = "keras_resnet", "torchvision"
ROUNDS = 3


def serve(package, side):
    """Answers each name of a workload and of a function with what a call took: a line of JSON."""
    module = importlib.import_module(f"{package}.{side}_side")
    workloads = importlib.import_module(f"{package}.workloads").WORKLOADS
    functions = {}
    for line in sys.stdin:
        name, function = json.loads(line)
        if name not in functions:
            functions[name] = module.functions(workloads[name])
        started, begun = time.perf_counter(), time.process_time()
        value = functions[name][function]().numpy().tolist()
        figures = {
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - begun,
            "value": value,
        }
        print(json.dumps(figures), flush=True)


class Side:
    """A process with one side's networks."""

    def __init__(self, program, python, side):
        self._process = subprocess.Popen(
            [python, program, f"--side={side}"],
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


def measure(sides, name, workload, function, rounds):
    """Prints the medians of each side, and how much faster ours is."""
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
        about = f", answers {first[side]['value']}" if function == "inference" else ""
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


def main(doc, program, package):
    """Measures both sides, or is one of them.

    Args:
      doc: of the benchmark.
      program: its file.
      package: name of the folder with its sides.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
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
        serve(package, arguments.side)
        return
    import common

    common.print_processor()
    sides = {OURS: Side(program, sys.executable, OURS)}
    if has_torchvision(arguments.torch_python):
        sides[PEER] = Side(program, arguments.torch_python, PEER)
    else:
        print(f"{arguments.torch_python} has no torchvision: ours alone")
    module = importlib.import_module(f"{package}.workloads")
    for name, workload in reversed(module.WORKLOADS.items()):
        for function in module.FUNCTIONS:
            measure(sides, name, workload, function, arguments.rounds)
