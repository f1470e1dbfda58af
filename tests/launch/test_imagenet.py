import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
import surroundings
from harness import metrics
from processes import LAUNCH, ROOT, Process, assert_user_error, run_command, run_program

TINY = (
    "--network=CifarResNet",
    "--depth=8",
    "--image_size=16",
    "--global_batch_size=8",
    "--train_steps=3",
)


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


def test_without_imagenet_it_says_how_to_prepare_it_and_what_to_try(tmp_path):
    process = run_program(
        "imagenet", "--depth=50", f"--data_dir={tmp_path}", f"--run_dir={tmp_path / 'run'}"
    )
    assert_user_error(
        process,
        str(tmp_path),
        f"keras-resnet prepare_imagenet --source=DIRECTORY_OF_BOTH --data_dir={tmp_path}",
        "keras-resnet demo",
    )
    assert not (tmp_path / "run").exists()


def test_bad_flags_are_explained(tmp_path):
    (tmp_path / "file").write_text("x")
    folder = f"--dataset=folder:{tmp_path / 'absent'}"
    cases = {
        ("--depth=60",): "`depth` must be one of 10, 18, 34, 50, 101, 152. Received: depth=60",
        ("--dataset=imagnet",): "`dataset` must be",
        ("--recipe=novel",): "`recipe` must be one of paper, modern, fine_tuning. Received: ",
        ("--dtype=float16",): "`dtype` must be one of",
        ("--learning_rate_drops=1,x",): "`learning_rate_drops` must be integers",
        (folder, *TINY): "No directory",
        ("--dataset=shapes", f"--run_dir={tmp_path / 'file' / 'run'}"): "`run_dir` cannot be",
        ("depth=50",): "Received: depth=50",
    }
    for arguments, message in cases.items():
        assert_user_error(run_program("imagenet", *arguments), message)


def test_a_folder_trains_and_another_configuration_is_refused(tmp_path, picture_folder):
    """By the file as a user starts it, and whatever Keras is set to."""
    shutil.copytree(picture_folder / "val", picture_folder / "test")
    flags = (f"--dataset={picture_folder}", f"--run_dir={tmp_path / 'run'}", *TINY)
    settings = {"floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    limit = {"KERAS_MAX_STEPS_PER_EPOCH": "1"}
    environment = {**os.environ, **limit, "KERAS_HOME": str(tmp_path)}
    process = run_command("imagenet", *flags, env=environment)
    assert process.returncode == 0, process.stderr
    assert "Trained: top-1" in process.stdout
    other = f"--run_dir={tmp_path / 'other'}"
    process = run_program("imagenet", *flags, other)
    assert process.stdout.endswith(
        f"{tmp_path / 'other'}/best.keras --split=test  (10 pictures, which have chosen nothing)\n"
    ), process.stderr
    assert metrics(tmp_path / "run") == metrics(tmp_path / "other")
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["images"] == 10
    process = run_program("imagenet", *flags, "--seed=1")
    assert_user_error(process, "another configuration: seed=0 (now 1)", "--run_dir")
    moved = picture_folder.rename(tmp_path / "moved")
    flags = (f"--dataset={moved}", *flags[1:])
    assert run_program("imagenet", *flags).returncode == 0
    # A JPEG by a suffix that earlier versions did not read.
    shutil.copy(moved / "val" / "vertical" / "001.jpg", moved / "train" / "vertical" / "x.jpe")
    process = run_program("imagenet", *flags)
    assert_user_error(process, "train_images was 24 and is 25", "1 pictures more", "(.jpe 1)")


@pytest.mark.parametrize("skip", [False, True])
def test_corrupt_pictures_stop_a_training_unless_skipped(tmp_path, picture_folder, skip):
    broken = picture_folder / "train" / "vertical" / "005.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    process = run_program(
        "imagenet",
        f"--dataset=folder:{picture_folder}",
        f"--run_dir={tmp_path / 'run'}",
        f"--skip_corrupt={skip}",
        *TINY,
    )
    if skip:
        assert process.returncode == 0, process.stderr
        assert "1 of 24" in process.stdout
        assert str(broken) in process.stdout
    else:
        assert_user_error(process, str(broken), "--skip_corrupt")
        assert not (tmp_path / "run").exists()


def test_ctrl_c_while_it_imports_ends_it_without_a_traceback(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "launch/imagenet.py", "--dataset=shapes", f"--run_dir={tmp_path / 'run'}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # TensorFlow's libraries come one after the other, for seconds.
    libraries = pathlib.Path(f"/proc/{process.pid}/maps")
    while "libtensorflow" not in libraries.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors
    assert process.returncode == -signal.SIGINT


def test_ctrl_c_before_the_first_step_leaves_no_traceback(tmp_path, picture_folder):
    run, log = tmp_path / "run", tmp_path / "log"
    arguments = [*TINY, f"--dataset=folder:{picture_folder}", f"--run_dir={run}"]
    process = Process(LAUNCH / "imagenet.py", arguments, stdout=log, stderr=log)
    while not (run / "config.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert "Traceback" not in log.read_text()
    assert "Interrupted" in log.read_text()
