import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from processes import LAUNCH, ROOT, assert_user_error, run_command, run_program


def test_its_steps_are_programs_and_it_ends_with_the_one_that_fails(tmp_path):
    (tmp_path / "runs").write_text("in the way")
    environment = {**os.environ, "HOME": str(tmp_path)}
    process = run_command("demo", "--output=~", env=environment)
    assert_user_error(process, "`run_dir` cannot be", "The demonstration ended: imagenet did")
    (shown,) = re.findall(r"^\$ (.*)$", process.stdout, re.MULTILINE)
    assert shown.startswith("python launch/imagenet.py --dataset=shapes ")
    assert f"--run_dir={tmp_path}/runs/demo" in shown


def test_a_step_that_is_killed_is_the_last_one(tmp_path):
    command = [sys.executable, LAUNCH / "demo.py", f"--output={tmp_path}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True)
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not children.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    shown, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The demonstration ended: imagenet did, with -9" in said
    assert shown.count("$ ") == 1


def test_its_place_must_be_a_directory(tmp_path):
    assert (LAUNCH / "star.jpg").exists()
    process = run_program("demo", f"--output={tmp_path / 'absent'}")
    assert_user_error(process, "--output=DIR must be a directory")
