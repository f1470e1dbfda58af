import importlib
import json
import os
import runpy
import time

import pytest
from processes import ROOT, run_process

BENCHMARK = ROOT / "benchmarks" / "gpu.py"

PARTS = ("training", "torchvision", "correctness", "determinism", "inference")
PARTS += ("detection", "segmentation", "input", "memory")


@pytest.fixture
def imported(monkeypatch):
    """Imports a part of the benchmark into this process."""
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # As it does itself.
    monkeypatch.syspath_prepend(BENCHMARK.parent)
    return lambda part: importlib.import_module(f"on_gpu.{part}")


def test_ours_is_compared_with_its_peers(imported, capsys):
    name_of = imported("training").name_of
    peer = name_of("keras.applications", "mixed_bfloat16", 256, True)
    rates = {
        name_of("keras_resnet", "mixed_bfloat16", 256, True): 3000,
        peer: 1500,
        name_of("keras_resnet", "float32", 256, True): 1,
    }
    results = {name: {"images_per_second": rate} for name, rate in rates.items()}
    runpy.run_path(str(BENCHMARK))["print_ratios"](results)
    assert capsys.readouterr().out == f"ours 2.00 x {peer}\n"


def test_a_rate_is_that_of_one_step(imported, tmp_path):
    report = imported("report").Report(tmp_path / "rates", True, time.time() + 60)
    report._seconds = 0.2
    report.rate("sleep", lambda: lambda: time.sleep(0.002), 10, lambda _: None)
    (figures,) = imported("report").read(tmp_path / "rates").values()
    assert 2 <= figures["milliseconds"] < 20  # Of some twenty in a row.
    expected = 10 * 1000 / figures["milliseconds"]
    assert figures["images_per_second"] == pytest.approx(expected, rel=0.01)


def test_a_difference_above_the_tolerance_is_not_good(imported, tmp_path):
    report = imported("report").Report(tmp_path / "differences", True, time.time() + 60)
    for name, value in (("small", 4.2), ("large", 5.0)):
        values = iter([[1.0, -4.0], [1.0, -value]])
        imported("correctness")._compare(report, name, values.__next__, 0.1)
    small, large = imported("report").read(tmp_path / "differences").values()
    assert small == {"difference": "0.05", "is": "good"}
    assert large == {"difference": "0.25", "is": "ABOVE 0.1"}


def test_what_fails_is_said_in_its_place_and_the_next_goes_on(imported, tmp_path):
    report = imported("report").Report(tmp_path / "results", True, time.time() + 60)
    report.measure("first", lambda: 1 / 0)
    report.measure("second", lambda: {"is": "good"})
    assert imported("report").read(tmp_path / "results") == {
        "first": {"failed": "ZeroDivisionError: division by zero"},
        "second": {"is": "good"},
    }


def test_a_trial_runs_all_of_it(tmp_path):
    output = tmp_path / "build" / "gpu.jsonl"
    done = run_process(tmp_path, BENCHMARK, "--smoke", f"--output={output}")
    assert done.returncode == 0, done.stderr
    results = {line.pop("name"): line for line in map(json.loads, output.read_text().splitlines())}
    assert len(results) >= 12 and {name.partition(" ")[0].strip(",") for name in results} == {
        *PARTS
    }
    for name, figures in results.items():
        assert not figures.keys() & {"failed", "skipped"}, (name, figures)
        if name.startswith(("correctness", "determinism")):
            assert figures["is"] == "good", name
        elif name.startswith(("training", "inference", "detection", "segmentation", "input")):
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


@pytest.mark.faults
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
    assert [line["skipped"] for line in lines] == ["out of time"] * 2
