"""examples/cluster/until_done.sh, with a stand-in for ssh, whose hosts are this machine."""

import json
import os
import signal

import pytest
from harness import Training, assert_same_bits, flags, free_ports, tiny_training
from schedulers import EXAMPLES, Script

# What workers know: their place, and how often one of that place has started.
WORKER = """
INDEX=$(sed 's/.*"index": //; s/}}//' <<< "$TF_CONFIG")
echo $$ >> "$STAND_INS/pids-$INDEX"
START=$(grep -c . "$STAND_INS/pids-$INDEX")
"""

# Workers that work until they are told to save.
PATIENT = """
trap 'echo $INDEX >> $STAND_INS/saved; exit 130' TERM
echo $INDEX >> "$STAND_INS/working"
for _ in {1..1000}; do sleep 0.01; done
"""


def script(directory, program, hosts=("node1:12345", "node2:12346"), arguments=()):
    directory.mkdir(exist_ok=True)
    command = [EXAMPLES / "until_done.sh", *hosts, "--", "keras-resnet", *arguments]
    return Script(directory, command, program and WORKER + program, PAUSE=0)


def starts(workers, index):
    return len(workers.lines(f"pids-{index}"))


def test_every_host_runs_the_command_in_the_same_directory_as_a_worker(tmp_path):
    directory = tmp_path / "it's a directory"
    arguments = ["imagenet", "--run_dir=a 'run'", '--dataset="$HOME"', "a\nb", "", "&*"]
    program = """
    [ -f said ] && echo "$TF_CONFIG" > "config-$INDEX"
    printf '%s\\0' "$@" > "arguments-$INDEX"
    echo "Worker $INDEX says this."
    """
    workers = script(directory, program, arguments=arguments)
    assert workers.start().wait() == 0
    assert sorted(workers.lines("hosts")) == ["node1", "node2"]
    for index in range(2):
        given = (directory / f"arguments-{index}").read_text()
        assert given.split("\0")[:-1] == arguments
        assert json.loads((directory / f"config-{index}").read_text()) == {
            "cluster": {"worker": ["node1:12345", "node2:12346"]},
            "task": {"type": "worker", "index": index},
        }
        assert workers.lines(f"worker-{index}.log") == [f"Worker {index} says this."]
        assert starts(workers, index) == 1


@pytest.mark.parametrize(
    "ends",
    [
        ("exit 75", "kill -KILL $$"),
        ("exit 130", "exit 130"),
        ("exit 0", "exit 75"),
        ("kill -TERM $$", "exit 75"),
        # A host that ssh does not reach, and what the other says of it after a while.
        ("exit 1", "exit 255"),
        ("exit 255", "exit 1"),
    ],
)
def test_what_was_stopped_or_lost_starts_again_on_all_hosts(tmp_path, ends):
    program = f"if [ $START = 1 ]; then if [ $INDEX = 0 ]; then {ends[0]}; fi; {ends[1]}; fi"
    workers = script(tmp_path, program)
    assert workers.start().wait() == 0
    assert [starts(workers, index) for index in range(2)] == [2, 2]


@pytest.mark.parametrize("statuses", [(1, 75), (75, 1), (0, 2), (127, 130)])
def test_a_mistake_ends_it(tmp_path, statuses):
    workers = script(tmp_path, f"exit $((INDEX ? {statuses[1]} : {statuses[0]}))")
    mistake = next(status for status in statuses if status not in (0, 75, 130))
    assert workers.start().wait() == mistake
    place = statuses.index(mistake)
    port = (12345, 12346)[place]
    said = f"Worker {place} (node{place + 1}:{port}) ended with status {mistake}."
    assert said in workers.lines("said")
    assert [starts(workers, index) for index in range(2)] == [1, 1]


def test_five_starts_in_a_row_that_end_at_once_are_the_last(tmp_path):
    workers = script(tmp_path, "exit 75")
    assert workers.start().wait() == 75
    assert starts(workers, 0) == 5
    assert "there is no other" in workers.lines("said")[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_stops_it_stops_all_workers_for_good(tmp_path, number):
    workers = script(tmp_path, PATIENT).start()
    workers.wait_for_lines("working", 2)
    os.kill(workers.process.pid, number)
    assert workers.wait() == 130
    assert sorted(workers.lines("saved")) == ["0", "1"]
    assert [starts(workers, index) for index in range(2)] == [1, 1]


def test_ctrl_c_at_a_terminal_reaches_all_and_stops_them_for_good(tmp_path):
    workers = script(tmp_path, PATIENT).start()
    workers.wait_for_lines("working", 2)
    os.killpg(workers.process.pid, signal.SIGINT)
    assert workers.wait() == 130
    assert sorted(workers.lines("saved")) == ["0", "1"]


def test_workers_save_when_it_is_killed(tmp_path):
    workers = script(tmp_path, PATIENT).start()
    workers.wait_for_lines("working", 2)
    workers.process.kill()
    workers.wait_for_lines("saved", 2)


def test_it_can_be_stopped_while_it_waits_to_start_again(tmp_path):
    workers = Script(
        tmp_path, [EXAMPLES / "until_done.sh", "a:1", "--", "keras-resnet"], "exit 75", PAUSE=60
    ).start()
    workers.wait_for_lines("said", 2)
    os.kill(workers.process.pid, signal.SIGTERM)
    assert workers.wait() == 130


@pytest.mark.parametrize("words", [[], ["a:1"], ["a:1", "--"], ["--", "keras-resnet"]])
def test_how_it_is_called_is_shown(tmp_path, words):
    called = Script(tmp_path, [EXAMPLES / "until_done.sh", *words])
    assert called.start().wait() == 1
    assert called.lines("said")[0].endswith("HOST:PORT ... -- COMMAND ...")


@pytest.mark.faults
def test_a_worker_that_is_killed_changes_no_bit(tmp_path):
    config = tiny_training(train_steps=200, checkpoint_every_steps=4)
    Training(config, tmp_path / "undisturbed", 2).finish()
    hosts = [f"localhost:{port}" for port in free_ports(2)]
    arguments = ["imagenet", f"--run_dir={tmp_path / 'a run'}", *flags(config)]
    workers = script(tmp_path, None, hosts, arguments).start()
    workers.wait_for_lines("a run/metrics.jsonl", 10, 200)
    os.kill(int(workers.lines("pids")[0]), signal.SIGKILL)
    assert workers.wait(300) == 0, workers.lines("said")
    assert len(workers.lines("pids")) == 4
    assert sum("status 137" in line for line in workers.lines("said")) == 1
    assert sum("status 75" in line for line in workers.lines("said")) == 1
    assert_same_bits(tmp_path / "a run", tmp_path / "undisturbed")
