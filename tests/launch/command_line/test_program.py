import subprocess
import sys
import textwrap

import pytest
from processes import LAUNCH, ROOT, assert_user_error, run_process, run_program

SCRIPT = f"""
import os, sys
sys.path.insert(0, {str(LAUNCH)!r})
from command_line.program import Program

def work():
    print("begun")
    os._exit(0)  # As a kill would: what is still in a buffer is lost.

sys.stdout = os.fdopen(os.dup(1), "w")  # As Python opens a file, whatever PYTHONUNBUFFERED says.
Program("A program.", "", in_batches=None).run(lambda arguments: (), work)
"""


def test_a_log_shows_each_line_at_once(tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    process = run_process(tmp_path, tmp_path / "script.py")
    assert process.stdout == "begun\n", process.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--depth=abc",), "`depth` must be an integer. Received: --depth=abc"),
        (("--depth=1=2",), "`depth` must be an integer. Received: --depth=1=2"),
        (("--learning_rate=fast",), "`learning_rate` must be a number. Received: "),
        (("--skip_corrupt=maybe",), "`skip_corrupt` must be true or false. Received: "),
        (("--noskip_corrupt=1",), "does not take an argument"),
        (("--run_dir", "--depth=18"), "--run_dir needs a value"),
        (("--depth",), "--depth needs a value"),
        (("--flagfile=absent",), "There is no flag --flagfile."),
        (("--undefok=depht", "--depht=3"), "There is no flag --undefok."),
        (("--run_dir=",), "--run_dir needs a value"),
        (("--hlep",), "There is no flag --hlep. Did you mean --help?"),
        (("--dataset=/no/folder",), "No directory /no/folder"),
        (("--run_dir=/dev/null",), "`run_dir` must be a directory"),
        (("--replicas=3",), "`global_batch_size` must be a multiple of the number of replicas"),
        (("--image_size=300", "--train_resize=256"), "`train_resize` must be at least"),
        (("--image_size=100000000",), "`image_size` must be"),
        (("more",), "Expected flags only on the command line. Received: more"),
    ],
)
def test_what_cannot_be_parsed_is_one_message(arguments, message):
    process = run_program("imagenet", *arguments)
    assert_user_error(process, message)
    assert len(process.stderr.strip().splitlines()) == 1


def test_a_flag_called_version_keeps_its_meaning(tmp_path):
    assert run_program("export", "--version").stdout.startswith("keras_resnet ")
    process = run_program("export", tmp_path, "--output=x", "--version")
    assert_user_error(process, "--version needs a value")
    process = run_program("export", tmp_path, "--output=x", "--version=-1")
    assert_user_error(process, "`version` must be an integer of at least 0")


def test_what_a_name_holds_does_not_control_the_terminal(tmp_path):
    """Nor does it look like a message of ours."""
    name = f"{tmp_path}/\x1b[2J\nAll is well.\x9b"
    process = run_program("evaluate", name)
    escaped = rf"{tmp_path}/\x1b[2J\nAll is well.\x9b"
    assert process.stderr == f"\nMODEL does not exist. Received: {escaped}\n"
    process = run_program("imagenet", "--augmentation=\x1b[2J")
    assert_user_error(process, r"\x1b[2J")
    assert "\x1b" not in process.stderr


@pytest.mark.parametrize("closed", ["<&- 2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_mistake(closed, tmp_path):
    """Nothing that the program opens gets their numbers, and what is said goes nowhere."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(SCRIPT)
        .replace('sys.stdout = os.fdopen(os.dup(1), "w")', "")
        .replace(
            'print("begun")',
            "print(1, flush=True); print(2, file=sys.stderr); open('x', 'w').write(str(os.dup(0)))",
        )
    )
    command = f"{sys.executable} {script} {closed}"
    finished = subprocess.run(["sh", "-c", command], cwd=tmp_path, timeout=60)
    assert finished.returncode == 0
    assert int((tmp_path / "x").read_text()) > 2


@pytest.mark.parametrize("command", ["launch", "launch --version", "launch/imagenet.py --help"])
def test_who_reads_may_stop_reading_and_the_disk_may_be_full(command):
    """Neither is a traceback."""
    options = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 60}
    program = f"{sys.executable} {command}"
    unread = subprocess.run(["bash", "-c", f"{program} | true; exit ${{PIPESTATUS[0]}}"], **options)
    assert (unread.returncode, unread.stdout, unread.stderr) == (0, "", "")
    full = subprocess.run(["bash", "-c", f"{program} > /dev/full"], **options)
    assert full.returncode == 1
    assert full.stderr.strip() == "No space left on device"


@pytest.mark.parametrize(
    ("program", "arguments", "name"),
    [
        ("imagenet", ["--dataset=shapes", "--run_dir=gs://mine/run"], "run_dir"),
        ("imagenet", ["--dataset=shapes", "--run_dir=http://mine/run"], "run_dir"),
        ("detection", ["--dataset=folder:pictures,s3://mine/pictures"], "dataset"),
        ("cifar10", ["--data_dir=hdfs://mine:9000/data"], "data_dir"),
        ("prepare_imagenet", ["--source=gs://mine/archives"], "source"),
        ("export", ["runs/mine", "--output=s3://mine/exports"], "output"),
        ("evaluate", ["abfss://mine@there/run"], "PATH"),
        ("predict", ["grpc://localhost:1/mine", "gs://mine/cat.jpg"], "PATH"),
    ],
)
def test_a_path_with_a_scheme_is_refused_and_nothing_is_written(program, arguments, name):
    process = run_program(program, *arguments)
    assert_user_error(process, f"`{name}` must be a path in the file system of this machine")
    assert list(ROOT.glob("*:")) == []
