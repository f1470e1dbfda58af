import re

from processes import LAUNCH, assert_user_error, run_command, run_program


def test_its_steps_are_programs_and_it_ends_with_the_one_that_fails(tmp_path):
    (tmp_path / "runs").write_text("in the way")
    process = run_command("demo", f"--output={tmp_path}")
    assert_user_error(process, "`run_dir` cannot be", "The demonstration ended: imagenet did")
    (shown,) = re.findall(r"^\$ (.*)$", process.stdout, re.MULTILINE)
    assert shown.startswith("python launch/imagenet.py --dataset=shapes ")
    assert f"--run_dir={tmp_path}/runs/demo" in shown


def test_its_place_must_be_a_directory(tmp_path):
    assert (LAUNCH / "star.jpg").exists()
    process = run_program("demo", f"--output={tmp_path / 'absent'}")
    assert_user_error(process, "--output=DIR must be a directory")
