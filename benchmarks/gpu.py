"""Everything that needs a GPU to be known, in at most four minutes, results as they come.

  python benchmarks/gpu.py            # a line for each result; as JSON in build/gpu.jsonl
  python benchmarks/gpu.py --smoke    # the same on a processor, of the smallest sizes: a trial

Training (ours, with batches from the host; keras.applications; torchvision if torch is there),
whether the GPU computes what the processor does, inference, and the input pipeline. The aim: as
fast as torchvision with channels last, autocast and torch.compile, at batch 256 in bfloat16; 3,000
images/s on an H100. Without a GPU there is nothing to measure.
"""

import argparse
import importlib
import os
import pathlib
import subprocess
import sys
import time

from on_gpu import report as reports

# In this order, each in a process of its own: torch and TensorFlow do not share a GPU well, and an
# error of CUDA's is the end of its process.
PARTS = ("training", "torchvision_peer", "correctness", "inference", "pipeline")

OURS = "training, keras_resnet, mixed_bfloat16, batch 256, XLA"
PEERS = (
    "training, torchvision, bfloat16, batch 256, compiled",
    "training, torchvision, bfloat16, batch 256",
    "training, keras.applications, mixed_bfloat16, batch 256, XLA",
    "training, keras.applications, mixed_bfloat16, batch 256",
)


def names_of_gpus():
    """The names of the GPUs that the driver shows, a list."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.split("\n")[:-1]


def measure(part, arguments):
    """One part, in this process."""
    report = reports.Report(arguments.output, arguments.smoke, arguments.deadline)
    importlib.import_module(f"on_gpu.{part}").measure(report)


def measure_in_process(part, arguments):
    """One part, in a process of its own; says so if that ends badly."""
    command = [sys.executable, __file__, f"--part={part}", f"--deadline={arguments.deadline}"]
    command += [f"--output={arguments.output}"]
    python = arguments.torch_python if part == "torchvision_peer" else None
    if python:
        command[0] = python
    try:
        seconds = max(1, arguments.deadline + 20 - time.time())
        ended = subprocess.run(command, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        ended = "no time left"
    if ended:
        print(f"{part} ended with {ended}", flush=True)


def print_ratios(path):
    """How many times as fast ours is."""
    results = reports.read(path)
    ours = results.get(OURS, {}).get("images_per_second")
    for name in PEERS if ours else ():
        if theirs := results.get(name, {}).get("images_per_second"):
            print(f"ours {ours / theirs:.2f} x {name}")


def main():
    """Measures all parts, or one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="try all on a processor")
    parser.add_argument("--seconds", type=float, default=240, help="for everything together")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, and in which order")
    parser.add_argument("--output", default="build/gpu.jsonl", help="file for the results")
    parser.add_argument("--torch_python", help="a Python with torch; by default this one")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # This process is one.
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        measure(arguments.part, arguments)
        return
    parts = arguments.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--parts may name {', '.join(PARTS)}. Received: {', '.join(unknown)}")
    gpus = names_of_gpus()
    if not gpus and not arguments.smoke:
        print("No GPU is here: nothing to measure. --smoke tries the program on a processor.")
        return
    arguments.deadline = time.time() + arguments.seconds
    output = pathlib.Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    print("A trial on the processor" if arguments.smoke else f"{len(gpus)} x {gpus[0]}")
    for part in parts:
        print(f"-- {part}, {arguments.deadline - time.time():.0f} s left", flush=True)
        if arguments.smoke:
            measure(part, arguments)
        else:
            measure_in_process(part, arguments)
    print_ratios(output)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
