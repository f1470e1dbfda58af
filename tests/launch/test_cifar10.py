import json

import numpy as np
import pytest
import surroundings
from processes import assert_user_error, run_program
from tfds_sets import write_tfds


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


def test_help_shows_the_papers_recipe():
    process = run_program("cifar10", "--help")
    for text in ("section 4.2", "--train_steps=64000 ", "--learning_rate=0.1 "):
        assert text in process.stdout


def test_depths_are_6n_plus_2():
    assert_user_error(
        run_program("cifar10", "--depth=21", "--dataset=shapes"), "`depth` must be 6n"
    )


def test_gray_images_of_a_tfds_set_train(tmp_path, rng):
    images = rng.integers(0, 256, (30, 12, 12, 1), np.uint8)
    write_tfds(tmp_path, {"train": 20, "test": 10}, (12, 12, 1), images)
    process = run_program(
        "cifar10",
        "--dataset=pets",
        f"--data_dir={tmp_path}",
        f"--run_dir={tmp_path / 'run'}",
        "--depth=8",
        "--global_batch_size=8",
        "--train_steps=3",
        "--replicas=2",
    )
    assert process.returncode == 0, process.stderr
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["images"] == 10
    # The mean image of section 4.2.
    data = json.loads((tmp_path / "run" / "data.json").read_text())
    assert data["train_images"] == 20
    mean = np.array(data["preprocessing"]["mean"])
    assert mean.shape == (12, 12, 1)
    process = run_program("evaluate", tmp_path / "run", "--split=train", "--batch_size=7")
    assert process.returncode == 0, process.stderr
    assert "on 20 images" in process.stdout
