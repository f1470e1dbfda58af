import json
import os

from processes import ROOT, run_process

BENCHMARK = ROOT / "benchmarks" / "gpu.py"

PARTS = ("training", "torchvision", "correctness", "determinism", "inference", "input", "memory")


def test_a_trial_runs_all_of_it(tmp_path):
    output = tmp_path / "build" / "gpu.jsonl"
    done = run_process(tmp_path, BENCHMARK, "--smoke", f"--output={output}")
    assert done.returncode == 0, done.stderr
    results = {line.pop("name"): line for line in map(json.loads, output.read_text().splitlines())}
    assert len(results) > 15 and {name.partition(" ")[0].strip(",") for name in results} == {*PARTS}
    for name, figures in results.items():
        assert not figures.keys() & {"failed", "skipped"}, (name, figures)
        if name.startswith(("correctness", "determinism")):
            assert figures["is"] == "good", name
        elif name.startswith(("training", "inference", "input")):
            assert figures["images_per_second"] > 0, name
    # Each as it comes: what was printed is what is in the file.
    said = [line.partition(": ")[0] for line in done.stdout.splitlines() if ": " in line]
    assert [name for name in said if name in results] == list(results)


def test_without_a_gpu_there_is_nothing_to_measure(tmp_path):
    done = run_process(tmp_path, BENCHMARK, f"--output={tmp_path / 'gpu.jsonl'}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No GPU is here: nothing to measure.")
    assert not (tmp_path / "gpu.jsonl").exists()


def test_an_earlier_file_is_kept_and_a_bad_one_refused(tmp_path):
    output = tmp_path / "gpu.jsonl"
    output.write_text("earlier\n")
    options = "--smoke", "--seconds=-1", "--parts=torchvision_peer"
    assert run_process(tmp_path, BENCHMARK, *options, f"--output={output}").returncode == 0
    assert (tmp_path / "gpu.jsonl.old").read_text() == "earlier\n"
    for bad, message in (
        (f"--output={tmp_path}", "--output cannot be written"),
        (f"--output={output}/below", "--output cannot be written"),
        ("--parts=", "--parts may name training, "),
        ("--parts=training,input", "Received: 'training,input'"),
    ):
        done = run_process(tmp_path, BENCHMARK, "--smoke", bad)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_gpu_that_tensorflow_does_not_see_is_said_once_a_part(tmp_path, monkeypatch):
    """The driver's program is there, and the extra with CUDA is not."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA H100\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    parts = "--parts=torchvision_peer,inference"
    done = run_process(
        tmp_path, BENCHMARK, parts, "--torch_python=/nope", f"--output={tmp_path / 'gpu.jsonl'}"
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert done.stdout.startswith("1 x NVIDIA H100\n") and "Traceback" not in said
    assert "/nope" in said and "[and-cuda]" in said and "inference ended with 1" in said


def test_what_comes_too_late_is_skipped_and_said(tmp_path):
    output = tmp_path / "gpu.jsonl"
    done = run_process(
        tmp_path, BENCHMARK, "--smoke", "--seconds=-1", "--parts=inference", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["skipped"] for line in lines] == ["out of time"] * 3
