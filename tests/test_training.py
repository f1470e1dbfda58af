import dataclasses
import json
import random
import shutil
import signal

import numpy as np
import PIL.Image
import pytest
from conftest import make_picture_folder
from harness import Training, assert_same_bits, checkpoint_values, losses, metrics, tiny_training
from test_prepared import rewrite_shard, swap_label, write_tfds

from keras_resnet import loop, schedules
from keras_resnet.runs import load_network
from keras_resnet.training import train


@pytest.fixture
def config(tmp_path, rng):
    """A tiny training whose batches of 8 straddle the epochs of 26 pictures."""
    folder = make_picture_folder(tmp_path / "pictures", rng, {"train": 13, "val": 6})
    return tiny_training(
        dataset=f"folder:{folder}",
        train_steps=20,
        pca_color=0.1,
        evaluate_every_steps=10,
        checkpoint_every_steps=7,
    )


def test_a_run_leaves_all_that_it_promises(config, tmp_path):
    result = train(config, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        ".lock",
        "config.json",
        "data.json",
        "metrics.jsonl",
        "events",
        "curves.png",
        "checkpoints",
        "model.keras",
        "best.keras",
        "evaluation.json",
    }
    assert result["step"] == 20
    assert result["images"] == 12
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text()) == result
    rows = metrics(tmp_path / "run")
    assert [r["step"] for r in rows if r["split"] == "train"] == list(range(1, 21))
    assert [r["step"] for r in rows if r["split"] == "validation"] == [10, 20]
    rates = [r["learning_rate"] for r in rows if r["split"] == "train"]
    np.testing.assert_allclose(rates, [0.1] * 10 + [0.01] * 5 + [0.001] * 5, rtol=1e-6)
    network = load_network(tmp_path / "run")
    assert network.class_names == ("horizontal", "vertical")
    saved = checkpoint_values(tmp_path / "run")
    for variable in network.variables:
        found = [name for name, value in saved.items() if np.array_equal(value, variable)]
        assert any(name.startswith("model/") for name in found), variable.path


def test_a_finished_run_answers_at_once(config, tmp_path):
    result = train(config, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert train(config, tmp_path / "run") == result
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == before


def test_a_lost_model_is_written_again(config, tmp_path):
    config = dataclasses.replace(config, train_steps=2)
    train(config, tmp_path / "run")
    weights = load_network(tmp_path / "run").get_weights()
    before = metrics(tmp_path / "run")
    (tmp_path / "run" / "model.keras").write_bytes(b"PK")
    train(config, tmp_path / "run")
    for old, new in zip(weights, load_network(tmp_path / "run").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert metrics(tmp_path / "run") == before


@pytest.mark.parametrize(
    "change",
    [
        {"resize": 8, "image_size": None},
        {"train_resize": (8, 20)},
        {"image_size": 3},
        {"network": "CifarPlainNet", "shortcut": "A"},
    ],
)
def test_a_mistake_found_late_leaves_no_run_directory(config, tmp_path, change):
    with pytest.raises(ValueError, match="Received"):
        train(dataclasses.replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_rate_falls_at_plateaus_whatever_interrupts(config, tmp_path):
    # Nothing is learned, so the error never falls below the first evaluation's.
    config = dataclasses.replace(
        config,
        learning_rate=1e-12,
        schedule="plateau",
        plateau_evaluations=2,
        evaluate_every_steps=2,
        train_steps=12,
    )
    train(config, tmp_path / "whole")
    rates = [r["learning_rate"] for r in metrics(tmp_path / "whole") if r["split"] == "train"]
    # Evaluations after steps 2, 4, ...: those after 4 and 6 make a plateau, and 8 and 10.
    np.testing.assert_allclose(rates, [1e-12] * 6 + [1e-13] * 4 + [1e-14] * 2, rtol=1e-6)
    train(config, tmp_path / "again")
    newest = max((tmp_path / "again" / "checkpoints").iterdir())
    shutil.rmtree(newest)  # Goes on from step 7, in the second wait.
    train(config, tmp_path / "again")
    assert metrics(tmp_path / "again") == metrics(tmp_path / "whole")


def test_the_warm_up_lasts_until_the_error_is_low(config, tmp_path, monkeypatch):
    monkeypatch.setattr(schedules.ErrorWarmup, "WINDOW", 6)
    # Two classes: half of the answers are wrong, give or take, which is below 90%.
    config = dataclasses.replace(config, warmup_error=0.9, warmup_learning_rate=0.001)
    for error, expected in (
        (0.9, [0.001] * 6 + [0.1] * 4 + [0.01] * 5 + [0.001] * 5),
        (1e-6, [0.001] * 20),
    ):
        train(dataclasses.replace(config, warmup_error=error), tmp_path / str(error))
        rows = metrics(tmp_path / str(error))
        rates = [row["learning_rate"] for row in rows if row["split"] == "train"]
        np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_a_warm_up_survives_a_kill(config, tmp_path):
    config = dataclasses.replace(
        config, train_steps=160, warmup_error=0.9, learning_rate_drops=(140,)
    )
    whole = Training(config, tmp_path / "whole")
    interrupt_at(config, tmp_path / "killed", 55, signal.SIGKILL)
    assert metrics(tmp_path / "killed")[-1]["step"] < 100
    Training(config, tmp_path / "killed").finish()
    whole.finish()
    assert_same_bits(tmp_path / "killed", tmp_path / "whole")
    rows = [row for row in metrics(tmp_path / "killed") if row["split"] == "train"]
    rates = [row["learning_rate"] for row in rows]
    np.testing.assert_allclose(rates, [0.01] * 100 + [0.1] * 40 + [0.01] * 20, rtol=1e-6)


def test_the_modern_recipe_resumes_with_the_same_bits(config, tmp_path):
    config = dataclasses.replace(
        config,
        schedule="cosine",
        warmup_epochs=1.0,
        label_smoothing=0.1,
        decay_batch_norm=False,
        zero_last_gamma=True,
        ema_momentum=0.75,
    )
    train(config, tmp_path / "whole")
    train(config, tmp_path / "again")
    newest = max((tmp_path / "again" / "checkpoints").iterdir())
    shutil.rmtree(newest)  # Goes on from step 14, after the evaluation at step 10.
    train(config, tmp_path / "again")
    assert metrics(tmp_path / "again") == metrics(tmp_path / "whole")
    whole, again = (checkpoint_values(tmp_path / name) for name in ("whole", "again"))
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_averaged_weights_are_evaluated_and_saved(config, tmp_path, monkeypatch, replicas):
    config = dataclasses.replace(config, ema_momentum=0.75, train_steps=3, replicas=replicas)
    weights = []
    take_steps_of = loop.steps_function

    def recording(network, *arguments, **options):
        take_steps = take_steps_of(network, *arguments, **options)

        def take_one(batches, count):
            results = take_steps(batches, count)
            weights.append([variable.numpy() for variable in network.trainable_variables])
            return results

        return take_one

    monkeypatch.setattr(loop, "steps_function", recording)
    # A line for each step: a call of the steps for each.
    train(config, tmp_path / "run")
    averages = weights[0]
    for step in weights[1:]:
        averages = [0.75 * average + 0.25 * w for average, w in zip(averages, step, strict=True)]
    saved = load_network(tmp_path / "run").trainable_variables
    for variable, average in zip(saved, averages, strict=True):
        np.testing.assert_allclose(variable, average, rtol=1e-5, atol=1e-7)
    # The training goes on with the weights themselves.
    newest = checkpoint_values(tmp_path / "run")
    for weight in weights[-1]:
        assert any(np.array_equal(value, weight) for value in newest.values())


def test_a_warm_up_longer_than_the_training_is_refused(config, tmp_path):
    config = dataclasses.replace(config, schedule="cosine", warmup_epochs=100.0)
    with pytest.raises(ValueError, match="`warmup_epochs` must be shorter than the training"):
        train(config, tmp_path / "run")


def test_copies_make_an_epoch_longer(config, tmp_path):
    config = dataclasses.replace(
        config, augmentation="tripled", pca_color=0.0, train_steps=None, train_epochs=1.0
    )
    result = train(config, tmp_path / "run")
    assert result["step"] == round(3 * 26 / 8)
    assert metrics(tmp_path / "run")[-1]["epoch"] == pytest.approx(1, abs=0.05)


def test_with_plateaus_evaluations_change_the_result(config, tmp_path):
    config = dataclasses.replace(config, schedule="plateau", train_steps=1)
    train(config, tmp_path / "run")
    with pytest.raises(ValueError, match="evaluate_every_steps=10 .now 5"):
        train(dataclasses.replace(config, evaluate_every_steps=5), tmp_path / "run")


@pytest.fixture
def records_config(config, tmp_path, rng):
    """The same, of two steps on 24 pictures in records."""
    images = [rng.integers(0, 256, (20, 50 - i, 3), np.uint8) for i in range(30)]
    write_tfds(tmp_path, {"train": 24, "test": 6}, (None, None, 3), images)
    return dataclasses.replace(config, dataset="pets", data_dir=str(tmp_path), train_steps=2)


def test_a_record_that_cannot_be_used_is_named_in_training(records_config, tmp_path):
    train(records_config, tmp_path / "run")
    # A disk rots between two starts: the checksums of the records stay as they were, and with them
    # the fingerprint, and the mean is not taken anew.
    (path,) = tmp_path.rglob("pets-train.tfrecord*")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"IHDR", b"IHDS"))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(
        ValueError, match=f"record [0-9]+ of {path} cannot be used: .*checksum of a record is wrong"
    ):
        train(records_config, tmp_path / "run")


def test_a_changed_label_of_a_record_is_refused(records_config, tmp_path):
    train(records_config, tmp_path / "run")
    (path,) = tmp_path.rglob("pets-train.tfrecord*")
    size = path.stat().st_size
    rewrite_shard(tmp_path, swap_label)
    assert path.stat().st_size == size
    with pytest.raises(ValueError, match="The data set changed since .* train_fingerprint was"):
        train(records_config, tmp_path / "run")


def test_epochs_count_steps(config, tmp_path):
    half = dataclasses.replace(config, train_steps=None, train_epochs=0.5)
    assert train(half, tmp_path / "run")["step"] == round(0.5 * 26 / 8)


def test_the_same_configuration_gives_the_same_bits(config, tmp_path):
    config = dataclasses.replace(config, train_steps=5)
    for name in ("a", "b"):
        train(config, tmp_path / name)
    train(dataclasses.replace(config, seed=1), tmp_path / "c")
    first, second, other = (checkpoint_values(tmp_path / name) for name in "abc")
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


def test_two_replicas_compute_what_one_does(config, tmp_path):
    config = dataclasses.replace(config, dtype="float64", synchronized_batch_norm=True)
    train(config, tmp_path / "one")
    train(dataclasses.replace(config, replicas=2), tmp_path / "two")
    np.testing.assert_allclose(losses(tmp_path / "one"), losses(tmp_path / "two"), rtol=1e-10)
    one, two = (load_network(tmp_path / name).get_weights() for name in ("one", "two"))
    for expected, actual in zip(one, two, strict=True):
        assert np.abs(expected - actual).max() <= 1e-10 * np.abs(expected).max()


def test_two_float32_replicas_begin_with_the_same_loss(config, tmp_path):
    config = dataclasses.replace(config, train_steps=2, synchronized_batch_norm=True)
    train(config, tmp_path / "one")
    train(dataclasses.replace(config, replicas=2), tmp_path / "two")
    np.testing.assert_allclose(losses(tmp_path / "one")[0], losses(tmp_path / "two")[0], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_network_learns_what_it_is_shown(config, tmp_path, dtype):
    result = train(
        dataclasses.replace(
            config,
            dtype=dtype,
            train_steps=60,
            learning_rate=0.05,
            log_every_steps=60,
            evaluate_every_steps=60,
            checkpoint_every_steps=60,
        ),
        tmp_path / "run",
    )
    assert result["top1"] == 1.0


def test_a_loss_that_is_not_finite_stops_the_run(config, tmp_path):
    config = dataclasses.replace(config, train_steps=500, checkpoint_every_steps=1)
    # The velocity grows tenfold and more with every step.
    config = dataclasses.replace(config, learning_rate=1e6, weight_decay=1.0)
    with pytest.raises(loop.DivergedError, match=r"step \d+\.") as error:
        train(config, tmp_path / "run")
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    assert f"The last good checkpoint is {newest}." in str(error.value)
    for value in checkpoint_values(tmp_path / "run").values():
        assert np.isfinite(value).all()


def test_the_global_batch_is_a_multiple_of_the_replicas(config, tmp_path):
    with pytest.raises(ValueError, match="`global_batch_size` must be a multiple"):
        train(dataclasses.replace(config, replicas=2, global_batch_size=7), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def rename_picture(path):
    path.rename(path.with_name("other.png"))


def replace_picture(path):
    """Another one of the same name and size: a PNG may have anything behind its end."""
    size = path.stat().st_size
    PIL.Image.new("RGB", (17, 17)).save(path)
    path.write_bytes(path.read_bytes().ljust(size))
    assert path.stat().st_size == size


@pytest.mark.parametrize("change", [rename_picture, replace_picture])
def test_changed_data_is_refused(config, tmp_path, change):
    config = dataclasses.replace(config, train_steps=1)
    train(config, tmp_path / "run")
    picture = tmp_path / "pictures" / "train" / "vertical" / "000.png"
    picture.touch()
    train(config, tmp_path / "run")
    change(picture)
    with pytest.raises(ValueError, match="The data set changed since"):
        train(config, tmp_path / "run")


# --- Kills


def test_killed_and_stopped_it_ends_with_the_same_bits(config, tmp_path):
    config = dataclasses.replace(config, train_steps=60)
    whole = Training(config, tmp_path / "whole")
    steps = sorted(random.sample(range(2, 50), 4))
    killed = tmp_path / "killed"
    for step, number in zip(
        steps, (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM), strict=True
    ):
        training = interrupt_at(config, killed, step, number)
        if number != signal.SIGKILL:
            saved = max((killed / "checkpoints").iterdir()).name.removeprefix("step-")
            assert f"saved at step {int(saved)} of 60" in training.output()
            assert int(saved) >= step
    Training(config, killed).finish()
    whole.finish()
    assert_same_bits(killed, tmp_path / "whole", f"killed at {steps}")
    # A velocity for each trainable weight, and the number of steps.
    slots = [name for name in checkpoint_values(killed) if name.startswith("optimizer/")]
    weights = load_network(killed).trainable_variables
    assert len(slots) == len(weights) + 1


def interrupt_at(config, run_dir, step, number):
    """Starts a training and sends it a signal as soon as the metrics show a step."""
    training = Training(config, run_dir)
    training.wait_for_step(step)
    training.send(number)
    status = -number if number == signal.SIGKILL else 130
    assert training.statuses() == [status], training.output()
    return training
