"""Everything that needs a GPU to be known, in at most four minutes, results as they come.

Training (ours, with batches from the host; keras.applications; torchvision if torch is there),
whether the GPU computes what the processor does, inference, Faster R-CNN (ours; torchvision's), and
the input pipeline. The aim: as fast as torchvision with channels last, autocast and torch.compile,
at batch 256 in bfloat16; 3,000 images/s on an H100.

  python benchmarks/gpu.py            # a line for each result; as JSON in build/gpu.jsonl
  python benchmarks/gpu.py --smoke    # a trial of all of it on a processor, of the smallest sizes

Without a GPU there is nothing to measure. Where something failed, or is not "good" against the
processor, the status is 1.
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
PARTS = (
    *("training", "torchvision_peer", "correctness", "inference", "detection", "segmentation"),
    "pipeline",
)

OURS = "training, keras_resnet, mixed_bfloat16, batch 256, XLA"
# By the name of each peer's rate that of ours.
PEERS = {
    "training, torchvision, bfloat16, batch 256, compiled": OURS,
    "training, torchvision, bfloat16, batch 256": OURS,
    "training, keras.applications, mixed_bfloat16, batch 256, XLA": OURS,
    "training, keras.applications, mixed_bfloat16, batch 256": OURS,
    **{
        f"detection, {name}, torchvision, bfloat16, batch 8": (
            f"detection, {name}, keras_resnet, mixed_bfloat16, batch 8"
        )
        for name in ("training", "inference")
    },
    **{
        f"segmentation, {name}, torchvision, bfloat16, batch 16": (
            f"segmentation, {name}, keras_resnet, mixed_bfloat16, batch 16"
        )
        for name in ("training", "inference")
    },
}


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
    if part != "torchvision_peer" and not arguments.smoke:
        check_tensorflow()
    importlib.import_module(f"on_gpu.{part}").measure(report)


def check_tensorflow():
    """Ends the process, with the reason, where TensorFlow does not see the GPU."""
    from on_gpu import networks  # noqa: F401, it sets TensorFlow up

    from keras_resnet.distribution import devices

    gpus = devices.used_gpus(1)
    if not gpus:
        sys.exit(devices.advice(gpus, "float32"))


def measure_in_process(part, arguments):
    """One part, in a process of its own; whether it ended well."""
    python = sys.executable
    if part == "torchvision_peer" and arguments.torch_python:
        python = arguments.torch_python
    command = [python, __file__, f"--part={part}", f"--deadline={arguments.deadline}"]
    command += [f"--output={arguments.output}"]
    try:
        seconds = max(1, arguments.deadline + 20 - time.time())
        status = subprocess.run(command, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        status = "no time left"
    except OSError as error:
        status = error
    if status:
        print(f"{part} ended with {status}", flush=True)
    return not status


def print_ratios(results):
    """How many times as fast ours is."""
    for name, of_ours in PEERS.items():
        ours, theirs = (results.get(each, {}).get("images_per_second") for each in (of_ours, name))
        if ours and theirs:
            print(f"ours {ours / theirs:.2f} x {name}")


def parsed():
    """The arguments, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="try all on a processor")
    parser.add_argument(
        "--seconds", type=float, default=240, help="after which nothing new begins (240)"
    )
    parser.add_argument(
        "--parts", default=",".join(PARTS), help=f"which, and in which order ({','.join(PARTS)})"
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        help="file for the results (build/gpu.jsonl, of a trial build/gpu-smoke.jsonl); what it "
        "held gets the ending .old",
    )
    parser.add_argument(
        "--torch_python", help="a Python with torch and torchvision (this one); not in a trial"
    )
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # This process is one.
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"--parts may name {', '.join(PARTS)}. Received: {arguments.parts!r}")
    if arguments.output is None:
        name = "gpu-smoke.jsonl" if arguments.smoke else "gpu.jsonl"
        arguments.output = pathlib.Path("build", name)
    return parser, arguments


def begin_output(parser, path):
    """Makes way for the results; an earlier file is kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            path.replace(f"{path}.old")
        path.write_text("")
    except OSError as error:
        parser.error(f"--output cannot be written: {error}")


def main():
    """Measures all parts, or one."""
    parser, arguments = parsed()
    if arguments.part:
        measure(arguments.part, arguments)
        return
    gpus = names_of_gpus()
    if not gpus and not arguments.smoke:
        print("No GPU is here: nothing to measure. --smoke tries the program on a processor.")
        return
    arguments.deadline = time.time() + arguments.seconds
    begin_output(parser, arguments.output)
    print("A trial on the processor" if arguments.smoke else f"{len(gpus)} x {gpus[0]}")
    good = True
    for part in arguments.parts.split(","):
        print(f"-- {part}, {arguments.deadline - time.time():.0f} s left", flush=True)
        if arguments.smoke:
            measure(part, arguments)
        else:
            good &= measure_in_process(part, arguments)
    results = reports.read(arguments.output)
    print_ratios(results)
    bad = [name for name, figures in results.items() if not reports.is_good(figures)]
    if bad:
        print(f"Not good: {'; '.join(bad)}")
    sys.exit(not good or bool(bad))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
