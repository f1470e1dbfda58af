import pytest
from processes import assert_user_error, run_program

from command_line import mistakes


@pytest.mark.parametrize(
    ("program", "given", "meant"),
    [
        ("imagenet", "lr", "learning_rate"),
        ("imagenet", "epochs", "train_epochs"),
        ("imagenet", "batch_size", "global_batch_size"),
        ("imagenet", "output_dir", "run_dir"),
        ("imagenet", "pretrained", "weights"),
        ("imagenet", "arch", "network"),
        ("imagenet", "dept", "depth"),
        ("imagenet", "learning-rate", "learning_rate"),
        ("imagenet", "Depth", "depth"),
        ("imagenet", "noskip_corupt", "skip_corrupt"),
        ("cifar10", "num_epochs", "train_epochs"),
        ("evaluate", "global_batch_size", "batch_size"),
        ("export", "run_dir", "output"),
        ("export", "topk", "top"),
        ("predict", "retry", "retry_for"),
        ("predict", "retries", "retry_for"),
    ],
)
def test_a_mistyped_flag_names_the_one_that_is_meant(program, given, meant):
    process = run_program(program, f"--{given}=1")
    assert_user_error(process, f"There is no flag --{given}. Did you mean --{meant}?")


def test_nothing_is_guessed_of_nothing():
    process = run_program("predict", "--xyzzy")
    assert_user_error(process, "There is no flag --xyzzy. --help lists all flags.")


def test_a_file_that_looks_like_a_flag_is_recognized(tmp_path, monkeypatch):
    (tmp_path / "-x.jpg").touch()
    monkeypatch.chdir(tmp_path)
    message = "There is no flag -x.jpg. The file of this name is written ./-x.jpg."
    assert mistakes.unknown_flag("x.jpg", ["json"]) == message
