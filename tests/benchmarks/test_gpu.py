import json

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


def test_what_comes_too_late_is_skipped_and_said(tmp_path):
    output = tmp_path / "gpu.jsonl"
    done = run_process(
        tmp_path, BENCHMARK, "--smoke", "--seconds=-1", "--parts=inference", f"--output={output}"
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["skipped"] for line in lines] == ["out of time"] * 3
