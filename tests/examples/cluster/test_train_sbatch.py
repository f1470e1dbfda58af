"""examples/cluster/train.sbatch, with stand-ins for Slurm's commands."""

import json
import os
import shlex
import signal

import pytest
from harness import Training, assert_same_bits, flags, tiny_training
from schedulers import EXAMPLES, Job

SCRIPT = EXAMPLES / "train.sbatch"


def job(tmp_path, program, **variables):
    """A job of which `keras-resnet` is a script, which finds the number of the start in $START."""
    program = 'START=$(grep -c imagenet "$STAND_INS/steps")\n' + program
    arguments = [tmp_path / "my run", "exports", "--dataset=my pictures", "--depth=18"]
    return Job(tmp_path, SCRIPT, arguments, program, **variables)


def requeues(number):
    return [f"requeue {os.getpid()}"] * number


def test_it_trains_on_all_nodes_then_evaluates_and_exports_on_one(tmp_path):
    smooth = job(tmp_path, "echo $SRUN_CPUS_PER_TASK >> $STAND_INS/processors")
    assert smooth.run() == [0]
    run_dir = str(tmp_path / "my run")
    assert [shlex.split(line) for line in smooth.lines("steps")] == [
        ["2", "keras-resnet", "imagenet", f"--run_dir={run_dir}"]
        + ["--dataset=my pictures", "--depth=18"],
        ["1", "keras-resnet", "evaluate", run_dir],
        ["1", "keras-resnet", "export", run_dir, "--output=exports"],
    ]
    assert smooth.lines("scontrol") == []
    assert smooth.lines("processors") == [Job.options(SCRIPT)["cpus-per-task"]] * 4


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("exit 130", 130),
        ("exit $((SLURM_PROCID ? 75 : 0))", 75),
        ("if [ $SLURM_PROCID = 1 ]; then kill -KILL $$; fi; exit 75", 137),
        ("kill -TERM $$", 143),
    ],
)
def test_what_was_stopped_or_lost_is_requeued(tmp_path, end, status):
    disturbed = job(tmp_path, f"if [ $START = 1 ]; then {end}; fi")
    assert disturbed.run() == [status, 0]
    assert disturbed.lines("scontrol") == requeues(1)
    # The training alone, and then all three.
    assert len(disturbed.lines("steps")) == 4


@pytest.mark.parametrize("program", ["evaluate", "export"])
def test_an_evaluation_for_which_the_time_is_up_is_begun_again(tmp_path, program):
    late = job(tmp_path, f"if [ $1 = {program} ] && [ $START = 1 ]; then kill -USR1 $$; fi")
    assert late.run() == [138, 0]
    assert late.lines("scontrol") == requeues(1)
    assert sum(program in line for line in late.lines("steps")) == 2


@pytest.mark.parametrize("status", [1, 2, 127])
def test_a_mistake_ends_it(tmp_path, status):
    mistaken = job(tmp_path, f"exit {status}")
    assert mistaken.run() == [status]
    assert len(mistaken.lines("steps")) == 1
    assert mistaken.lines("said") == [f"Status {status}: not to be started again."]


def test_who_cancels_it_ends_it_for_good(tmp_path):
    program = "trap 'exit 130' TERM; echo >> $STAND_INS/working; while sleep 0.01; do :; done"
    cancelled = job(tmp_path, program).start()
    cancelled.wait_for_lines("working", 2)
    os.killpg(cancelled.process.pid, signal.SIGTERM)  # As scancel: all processes of the job.
    assert cancelled.wait() == 143
    assert cancelled.lines("scontrol") == []


def test_five_starts_in_a_row_that_end_at_once_are_the_last(tmp_path):
    hopeless = job(tmp_path, "exit 75")
    assert hopeless.run() == [75] * 5
    assert hopeless.lines("scontrol") == requeues(4)
    assert "there is no other" in hopeless.lines("said")[-1]


def test_a_start_of_some_minutes_forgives_those_before(tmp_path):
    # Bash counts the seconds from there.
    for seconds in (0, 0, 0, 0, 120, 0):
        job(tmp_path, "exit 75", SECONDS=seconds).start().wait()
    assert job(tmp_path, "").lines("scontrol") == requeues(6)


def test_what_is_missing_on_the_command_line_is_named(tmp_path):
    incomplete = Job(tmp_path, SCRIPT, ["run"], "exit 0")
    assert incomplete.run() == [1]
    assert "EXPORT_DIR must be given" in incomplete.lines("said")[-1]


def test_slurm_is_asked_to_warn_and_to_begin_anew():
    options = Job.options(SCRIPT)
    assert options["signal"] == "USR1@120"
    assert options["open-mode"] == "append"
    assert "requeue" in options


@pytest.mark.faults
def test_a_run_is_stopped_requeued_evaluated_and_exported_without_a_hand(tmp_path):
    config = tiny_training(train_steps=200)
    Training(config, tmp_path / "undisturbed", 2).finish()
    arguments = [tmp_path / "a run", tmp_path / "exports", *flags(config)]
    real = Job(tmp_path, SCRIPT, arguments)
    real.start().wait_for_lines("a run/metrics.jsonl", 5, 200)
    real.warn()
    assert real.wait(60) == 130, real.lines("said")
    assert real.lines("scontrol") == requeues(1)
    assert real.start().wait(300) == 0, real.lines("said")
    assert real.lines("scontrol") == requeues(1)
    said = "\n".join(real.lines("said"))
    for index in range(2):
        assert said.count(f"This is worker {index} (localhost:") == 2
    assert "Interrupted and saved at step" in said and "Continuing at step" in said
    assert_same_bits(tmp_path / "a run", tmp_path / "undisturbed")
    (evaluation,) = [
        json.loads(line)
        for line in real.lines("a run/metrics.jsonl")
        if '"split": "validation"' in line
    ]
    assert f"{100 * evaluation['top1']:.2f}" in said.partition("Trained:")[2]
    assert (tmp_path / "exports" / "1" / "saved_model.pb").exists()
