import hashlib
import json
import os
import random
import shutil
import signal

import numpy as np
import PIL.Image
import pytest
import surroundings
from harness import (
    Training,
    assert_same_bits,
    checkpoint_values,
    interrupt_at,
    losses,
    metrics,
    tiny_training,
)
from pictures import make_picture_folder
from tfds_sets import rewrite_shard, swap_label, write_tfds

from keras_resnet.checks import UserError
from keras_resnet.classification.evaluation import evaluate
from keras_resnet.data import datasets
from keras_resnet.data.names import GIVEN
from keras_resnet.distribution import workers
from keras_resnet.distribution.strategy import strategy_of_devices
from keras_resnet.process import onednn
from keras_resnet.runs.metrics import SPLITS
from keras_resnet.runs.run_directory import load_network
from keras_resnet.tasks import load_config
from keras_resnet.training import loop, schedules, trainer
from keras_resnet.training.inputs import make_sources
from keras_resnet.training.records import DivergedError
from keras_resnet.training.trainer import train


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 26 training and 12 validation pictures, which is not to be changed."""
    root = tmp_path_factory.mktemp("pictures") / "pictures"
    return make_picture_folder(root, np.random.default_rng(0), {"train": 13, "val": 6})


@pytest.fixture(scope="module")
def config(pictures):
    """A tiny training whose batches of 8 straddle the epochs of 26 pictures."""
    return tiny_training(
        dataset=f"folder:{pictures}",
        train_steps=20,
        pca_color=0.1,
        evaluate_every_steps=10,
        checkpoint_every_steps=7,
    )


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    """The directory of a finished run, which is not to be changed, and what its training gave."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    with surroundings.with_curves():
        return run_dir, train(config, run_dir)


@pytest.fixture
def copy(finished, tmp_path):
    """The directory of a copy of that run."""
    return shutil.copytree(finished[0], tmp_path / "copy")


def interrupted(run_dir, copy, step):
    """A copy of a finished run as a kill would have left it, which goes on from a step."""
    shutil.copytree(run_dir, copy)
    for path in (copy / "checkpoints").iterdir():
        if path.name > f"step-{step:08}":
            shutil.rmtree(path)
    assert max((copy / "checkpoints").iterdir()).name == f"step-{step:08}"
    return copy


def rates(run_dir):
    return [row["learning_rate"] for row in metrics(run_dir) if row["split"] == "train"]


def rates_by_step(run_dir):
    rows = [row for row in metrics(run_dir) if row["split"] == "train"]
    assert len({row["step"] for row in rows}) == len(rows)
    return {row["step"]: row["learning_rate"] for row in rows}


def test_a_run_leaves_all_that_it_promises(finished):
    run_dir, result = finished
    assert {path.name for path in run_dir.iterdir()} == {
        ".lock",
        "config.json",
        "environment.json",
        "data.json",
        "data_summary.json",
        "data_summary.txt",
        "classes.png",
        "metrics.jsonl",
        "events",
        "curves.png",
        "curves.svg",
        "checkpoints",
        "model.keras",
        "best.keras",
        "evaluation.json",
    }
    assert result["step"] == 20
    assert result["images"] == 12
    assert json.loads((run_dir / "evaluation.json").read_text()) == result
    summary = json.loads((run_dir / "data_summary.json").read_text())
    assert summary["image_size"] == 16
    assert summary["parts"]["train"]["counts"] == {"horizontal": 13, "vertical": 13}
    assert "  all                26           12\n" in (run_dir / "data_summary.txt").read_text()
    rows = metrics(run_dir)
    assert [r["step"] for r in rows if r["split"] == "train"] == list(range(1, 21))
    assert [r["step"] for r in rows if r["split"] == "validation"] == [10, 20]
    np.testing.assert_allclose(rates(run_dir), [0.1] * 10 + [0.01] * 5 + [0.001] * 5, rtol=1e-6)
    network = load_network(run_dir)
    assert network.class_names == ("horizontal", "vertical")
    saved = checkpoint_values(run_dir)
    # The statistics are those of a young network, see early_statistics.py.
    for variable in network.trainable_variables:
        found = [name for name, value in saved.items() if np.array_equal(value, variable)]
        assert any(name.startswith("model/") for name in found), variable.path


def test_a_finished_run_answers_at_once(config, finished, copy):
    _, result = finished
    before = (copy / "metrics.jsonl").read_text()
    assert train(config, copy) == result
    assert (copy / "metrics.jsonl").read_text() == before


def test_a_lost_model_is_written_again(config, finished, copy):
    run_dir, _ = finished
    (copy / "model.keras").write_bytes(b"PK")
    train(config, copy)
    for name in ("model.keras", "best.keras"):
        weights, again = (load_network(each / name).get_weights() for each in (run_dir, copy))
        for old, new in zip(weights, again, strict=True):
            np.testing.assert_array_equal(old, new)
    assert metrics(copy) == metrics(run_dir)


def test_lost_lines_of_metrics_are_not_counted(config, copy, capsys):
    path = copy / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    shutil.rmtree(copy / "checkpoints" / "step-00000020")
    train(config, copy)
    said = capsys.readouterr().out
    assert f"{path} has lost 12 lines." in said
    # Of the pictures the first start has told.
    assert "Pictures" not in said
    rows = metrics(copy)
    assert [row["step"] for row in rows] == [1, 2, 3, *range(15, 21), 20]
    state = json.loads((copy / "checkpoints" / "step-00000020" / "state.json").read_text())
    assert state["rows"] == len(rows)


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
        train(config.with_options(**change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def plateaus(config, tmp_path_factory):
    """A configuration whose rate falls at plateaus, and the directory of its run."""
    # Nothing is learned, so the error never falls below the first evaluation's.
    config = config.with_options(
        learning_rate=1e-12,
        schedule="plateau",
        plateau_evaluations=2,
        evaluate_every_steps=2,
        log_every_steps=5,
        train_steps=12,
    )
    run_dir = tmp_path_factory.mktemp("plateaus") / "run"
    train(config, run_dir)
    return config, run_dir


def test_the_rate_falls_at_plateaus_whatever_interrupts(plateaus, tmp_path):
    config, run_dir = plateaus
    # Evaluations after steps 2, 4, ...: those after 4 and 6 make a plateau, and 8 and 10.
    # A line ends where the rate falls, and is of the rate before.
    assert rates_by_step(run_dir) == {5: 1e-12, 6: 1e-12, 10: 1e-13, 12: 1e-14}
    # Of equally good evaluations the first is the best.
    best, newest = sorted(path.name for path in (run_dir / "checkpoints").iterdir())[::2]
    assert (best, newest) == ("step-00000002", "step-00000012")
    # In the second wait.
    train(config, interrupted(run_dir, tmp_path / "again", 7))
    assert metrics(tmp_path / "again") == metrics(run_dir)


def test_with_plateaus_evaluations_change_the_result(plateaus):
    config, run_dir = plateaus
    with pytest.raises(ValueError, match="evaluate_every_steps=2 .now 5"):
        train(config.with_options(evaluate_every_steps=5), run_dir)


def test_a_warm_up_until_the_error_is_low_survives_a_kill(config, tmp_path, monkeypatch):
    monkeypatch.setattr(schedules.ErrorWarmup, "WINDOW", 8)
    # Two classes: half of the answers are wrong, give or take, which is below 90%.
    config = config.with_options(warmup_error=0.9, warmup_learning_rate=0.001)
    train(config.with_options(keep_checkpoints=4), tmp_path / "whole")
    expected = [0.001] * 8 + [0.1] * 2 + [0.01] * 5 + [0.001] * 5
    np.testing.assert_allclose(rates(tmp_path / "whole"), expected, rtol=1e-6)
    # Within the warm-up.
    train(config, interrupted(tmp_path / "whole", tmp_path / "again", 7))
    assert_same_bits(tmp_path / "again", tmp_path / "whole")
    # It may end between two lines, and among steps that one call could take.
    monkeypatch.setattr(loop, "SECONDS_PER_CALL", 1e9)
    seldom = config.with_options(log_every_steps=6)
    train(seldom, tmp_path / "seldom")
    # Each line is of one rate: it ends with the warm-up, and at the drops after 10 and 15 steps.
    expected = {6: 0.001, 8: 0.001, 10: 0.1, 12: 0.01, 15: 0.01, 18: 0.001, 20: 0.001}
    assert rates_by_step(tmp_path / "seldom") == expected
    for name, value in checkpoint_values(tmp_path / "whole").items():
        np.testing.assert_array_equal(checkpoint_values(tmp_path / "seldom")[name], value)


def test_a_warm_up_lasts_while_the_error_is_high(config, tmp_path, monkeypatch):
    monkeypatch.setattr(schedules.ErrorWarmup, "WINDOW", 4)
    warm = {"warmup_error": 1e-6, "warmup_learning_rate": 0.001}
    train(config.with_options(**warm, train_steps=9), tmp_path / "run")
    np.testing.assert_allclose(rates(tmp_path / "run"), [0.001] * 9, rtol=1e-6)


def test_the_modern_recipe_resumes_with_the_same_bits(config, tmp_path):
    config = config.with_options(
        train_steps=None,
        train_epochs=6.1,
        schedule="cosine",
        warmup_epochs=1.0,
        label_smoothing=0.1,
        decay_batch_norm=False,
        zero_last_gamma=True,
        ema_momentum=0.75,
    )
    assert train(config, tmp_path / "whole")["step"] == round(6.1 * 26 / 8) == 20
    # After the evaluation at step 10.
    train(config, interrupted(tmp_path / "whole", tmp_path / "again", 14))
    assert_same_bits(tmp_path / "again", tmp_path / "whole")


@pytest.fixture(scope="module")
def averaged(config, tmp_path_factory):
    """Runs of three steps by number of replicas: the directory, and the weights after each step."""
    config = config.with_options(ema_momentum=0.75, train_steps=3, synchronized_batch_norm=True)
    take_steps_of = trainer.steps_function
    runs = {}
    for replicas in (1, 2):
        runs[replicas] = tmp_path_factory.mktemp("averaged") / "run", []

        def recording(values, sums, network, *others, weights=runs[replicas][1], **options):
            take_steps = take_steps_of(values, sums, network, *others, **options)

            # A line for each step: a call of the steps for each.
            def take_one(batches, count):
                results = take_steps(batches, count)
                weights.append([variable.numpy() for variable in network.trainable_variables])
                return results

            return take_one

        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(trainer, "steps_function", recording)
            train(config.with_options(replicas=replicas), runs[replicas][0])
    return runs


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_averaged_weights_are_evaluated_and_saved(averaged, pictures, replicas):
    run_dir, weights = averaged[replicas]
    assert len(weights) == 3
    averages = weights[0]
    for step in weights[1:]:
        averages = [0.75 * average + 0.25 * w for average, w in zip(averages, step, strict=True)]
    network = load_network(run_dir)
    for variable, average in zip(network.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(variable, average, rtol=1e-5, atol=1e-7)
    result = evaluate(network, datasets.load(f"folder:{pictures}", "validation"), 8)
    assert result["loss"] == pytest.approx(metrics(run_dir)[-1]["loss"], rel=1e-5)
    # The training goes on with the weights themselves.
    newest = checkpoint_values(run_dir)
    for weight in weights[-1]:
        assert any(np.array_equal(value, weight) for value in newest.values())


def test_two_float32_replicas_begin_with_the_same_loss(averaged):
    one, two = (losses(averaged[replicas][0])[0] for replicas in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_a_warm_up_longer_than_the_training_is_refused(config, tmp_path):
    config = config.with_options(schedule="cosine", warmup_epochs=100.0)
    with pytest.raises(ValueError, match="`warmup_epochs` must be shorter than the training"):
        train(config, tmp_path / "run")


def test_copies_make_an_epoch_longer(config, tmp_path):
    config = config.with_options(
        augmentation="tripled", pca_color=0.0, train_steps=None, train_epochs=0.4
    )
    result = train(config, tmp_path / "run")
    assert result["step"] == round(0.4 * 3 * 26 / 8) == 4
    assert metrics(tmp_path / "run")[-1]["epoch"] == pytest.approx(4 * 8 / (3 * 26))


@pytest.fixture(scope="module")
def of_records(config, tmp_path_factory):
    """A directory of 24 training pictures in records, and of a run on them."""
    root = tmp_path_factory.mktemp("records") / "records"
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (20, 50 - i, 3), np.uint8) for i in range(30)]
    write_tfds(root, {"train": 24, "test": 6}, (None, None, 3), images)
    train(on_records(config, root), root / "run")
    return root


def on_records(config, root):
    return config.with_options(dataset="pets", data_dir=str(root), train_steps=1)


def test_a_record_that_cannot_be_used_is_named_in_training(config, of_records, tmp_path):
    root = shutil.copytree(of_records, tmp_path / "copy")
    # A disk rots between two starts: the checksums of the records stay as they were, and with them
    # the fingerprint, and the mean is not taken anew.
    (path,) = root.rglob("pets-train.tfrecord*")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"IHDR", b"IHDS"))
    shutil.rmtree(root / "run" / "checkpoints")
    with pytest.raises(
        ValueError, match=f"record [0-9]+ of {path} cannot be used: .*checksum of a record is wrong"
    ):
        train(on_records(config, root), root / "run")


def test_a_changed_label_of_a_record_is_refused(config, of_records, tmp_path):
    root = shutil.copytree(of_records, tmp_path / "copy")
    (path,) = root.rglob("pets-train.tfrecord*")
    size = path.stat().st_size
    rewrite_shard(root, swap_label)
    assert path.stat().st_size == size
    with pytest.raises(ValueError, match="The data set changed since .* train_fingerprint was"):
        train(on_records(config, root), root / "run")


def test_the_same_configuration_gives_the_same_bits(config, finished, tmp_path):
    run_dir, _ = finished
    train(config.with_options(log_every_steps=5), tmp_path / "again")
    expected, actual = checkpoint_values(run_dir), checkpoint_values(tmp_path / "again")
    assert expected.keys() == actual.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
    # The means of five steps, the rate of the last one.
    steps, fives = (
        {split: [row for row in metrics(each) if row["split"] == split] for split in SPLITS}
        for each in (run_dir, tmp_path / "again")
    )
    assert fives["validation"] == steps["validation"]
    assert [row["step"] for row in fives["train"]] == [5, 10, 15, 20]
    for number, row in enumerate(fives["train"]):
        of_steps = steps["train"][5 * number : 5 * number + 5]
        for name in ("loss", "top1"):
            assert row[name] == pytest.approx(np.mean([each[name] for each in of_steps]), rel=1e-12)
        assert row["learning_rate"] == of_steps[-1]["learning_rate"]
    # Before the first step the seed alone makes a difference.
    train(config.with_options(seed=1, train_steps=1), tmp_path / "other")
    assert losses(tmp_path / "other")[0] != losses(run_dir)[0]


def test_a_network_of_bfloat16_learns_what_it_is_shown(config, tmp_path):
    result = train(
        config.with_options(
            dtype="mixed_bfloat16",
            train_steps=60,
            learning_rate=0.05,
            log_every_steps=60,
            evaluate_every_steps=60,
            checkpoint_every_steps=60,
        ),
        tmp_path / "run",
    )
    assert result["top1"] == 1.0


def test_images_that_are_given_are_trained_on_to_the_same_bits(config, finished, tmp_path):
    """As those of the data set that the configuration names."""
    train_images, validation_images = make_sources(config)
    pairs = {
        "train": (train_images.paths, train_images.labels),
        "validation": (validation_images.paths, validation_images.labels),
    }
    elsewhere = config.with_options(dataset="cifar10")
    result = train(elsewhere, tmp_path / "run", pairs)
    assert result == finished[1]
    assert_same_bits(tmp_path / "run", finished[0])
    assert load_config(tmp_path / "run") == config.with_options(dataset=GIVEN)
    other = {**pairs, "train": (train_images.paths[1:], train_images.labels[1:])}
    with pytest.raises(UserError, match="The data set changed since .* began: train_images"):
        train(elsewhere, tmp_path / "run", other)
    with pytest.raises(UserError, match="dataset='.given to train.' .now 'cifar10'"):
        train(elsewhere, tmp_path / "run")
    with pytest.raises(UserError, match="given to keras_resnet.train, which it does not keep"):
        train(config.with_options(dataset=GIVEN), tmp_path / "run")


def test_what_is_no_configuration_or_path_is_refused(config, tmp_path):
    with pytest.raises(UserError, match="`config` must be a TrainConfig. Received: {}"):
        train({}, tmp_path / "run")
    with pytest.raises(UserError, match="`run_dir` must be a string. Received: run_dir=None"):
        train(config, None)


def test_a_training_that_diverges_is_stopped_before_it_is_saved(config, tmp_path):
    # The first step makes weights of 1e30, whose squares no float32 holds.
    config = config.with_options(learning_rate=1e30, weight_decay=1.0)
    config = config.with_options(checkpoint_every_steps=1)
    with pytest.raises(DivergedError, match=r" step 2\. .* lower --learning_rate") as error:
        train(config, tmp_path / "run")
    (newest,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert newest.name == "step-00000001"
    assert f"The last good checkpoint is {newest}." in str(error.value)
    for value in checkpoint_values(tmp_path / "run").values():
        assert np.isfinite(value).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evaluate_every_steps": 1}, "The weights conv1/kernel are not finite after step 1"),
        ({}, "The loss is nan at step 2"),
    ],
)
def test_neither_loss_nor_weights_may_be_infinite(config, tmp_path, options, message):
    config = config.with_options(learning_rate=1e30, weight_decay=1e30, **options)
    with pytest.raises(DivergedError, match=rf"{message}\. No checkpoint was written\."):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "model.keras").exists()


def test_the_global_batch_is_a_multiple_of_the_replicas(config, tmp_path):
    with pytest.raises(ValueError, match="`global_batch_size` must be a multiple"):
        train(config.with_options(replicas=2, global_batch_size=7), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def rename_picture(path):
    path.rename(path.with_name("other.png"))


def replace_picture(path):
    """Another one of the same name and size: a PNG may have anything behind its end."""
    size = path.stat().st_size
    PIL.Image.new("RGB", (17, 17)).save(path)
    path.write_bytes(path.read_bytes().ljust(size))
    assert path.stat().st_size == size


@pytest.fixture
def moved(config, pictures, copy, tmp_path):
    """A configuration with pictures of its own, and the directory of a run that it finished."""
    config = config.with_options(dataset=f"folder:{tmp_path / 'pictures'}")
    shutil.copytree(pictures, tmp_path / "pictures")
    (copy / "config.json").write_text(config.to_json())
    return config, copy


def test_touched_pictures_are_the_same_data(moved, tmp_path):
    (tmp_path / "pictures" / "train" / "vertical" / "000.png").touch()
    assert train(*moved)["step"] == 20


@pytest.mark.parametrize("change", [rename_picture, replace_picture])
def test_changed_data_is_refused(moved, tmp_path, change):
    change(tmp_path / "pictures" / "train" / "vertical" / "000.png")
    with pytest.raises(ValueError, match="The data set changed since"):
        train(*moved)


# --- Kills


def test_killed_and_stopped_it_ends_with_the_same_bits(config, finished, tmp_path):
    # The evaluations after steps 10 and 20 take longer than to be told and to send a signal.
    steps = random.randint(2, 8), random.randint(11, 16)
    stop_and_go_on(
        config, tmp_path / "run", zip(steps, (signal.SIGKILL, signal.SIGUSR1), strict=True)
    )
    assert_same_bits(tmp_path / "run", finished[0], f"stopped at {steps}")
    # A velocity for each trainable weight, and the number of steps.
    slots = [name for name in checkpoint_values(tmp_path / "run") if name.startswith("optimizer/")]
    weights = load_network(tmp_path / "run").trainable_variables
    assert len(slots) == len(weights) + 1


def stop_and_go_on(config, run_dir, signals):
    """Trains to the end in processes, of which each gets a signal at a step."""
    for step, number in signals:
        training = interrupt_at(config, run_dir, step, number)
        if number != signal.SIGKILL:
            saved = max((run_dir / "checkpoints").iterdir()).name.removeprefix("step-")
            assert f"saved at step {int(saved)} of {config.train_steps}" in training.output()
            assert int(saved) >= step
    Training(config, run_dir).finish()


@pytest.mark.faults
def test_killed_and_stopped_often_it_ends_with_the_same_bits(config, tmp_path):
    config = config.with_options(train_steps=60)
    whole = Training(config, tmp_path / "whole")
    steps = sorted(random.sample(range(2, 50), 4))
    numbers = signal.SIGKILL, signal.SIGINT, signal.SIGUSR2, signal.SIGTERM
    stop_and_go_on(config, tmp_path / "killed", zip(steps, numbers, strict=True))
    whole.finish()
    assert_same_bits(tmp_path / "killed", tmp_path / "whole", f"killed at {steps}")


@pytest.mark.faults
def test_a_warm_up_of_the_papers_length_survives_a_kill(config, tmp_path):
    config = config.with_options(train_steps=160, warmup_error=0.9, learning_rate_drops=(140,))
    whole = Training(config, tmp_path / "whole")
    interrupt_at(config, tmp_path / "killed", 55, signal.SIGKILL)
    assert metrics(tmp_path / "killed")[-1]["step"] < 100
    Training(config, tmp_path / "killed").finish()
    whole.finish()
    assert_same_bits(tmp_path / "killed", tmp_path / "whole")
    expected = [0.01] * 100 + [0.1] * 40 + [0.01] * 20
    np.testing.assert_allclose(rates(tmp_path / "killed"), expected, rtol=1e-6)


def test_a_run_remembers_whether_it_had_onednn(config, copy, monkeypatch, capsys):
    goes_on_from = copy / "checkpoints" / "step-00000014"
    state = json.loads((goes_on_from / "state.json").read_text())
    (environment,) = state["environments"]
    assert environment["onednn"] == onednn.is_on()

    def said(noted):
        """What is said of it where the run goes on, after what its checkpoint notes."""
        environment["onednn"] = noted
        (goes_on_from / "state.json").write_text(json.dumps(state))
        checksums = json.loads((goes_on_from / "checksums.json").read_text())
        digest = hashlib.sha256((goes_on_from / "state.json").read_bytes())
        checksums["state.json"] = digest.hexdigest()
        (goes_on_from / "checksums.json").write_text(json.dumps(checksums))
        shutil.rmtree(copy / "checkpoints" / "step-00000020", ignore_errors=True)
        train(config, copy)
        return [line for line in capsys.readouterr().out.splitlines() if "resumes" in line]

    monkeypatch.setattr(onednn, "is_on", lambda: True)
    (line,) = said(False)
    assert "was without oneDNN and resumes with oneDNN" in line
    assert "TF_ENABLE_ONEDNN_OPTS=0 keeps it as it was" in line
    last = json.loads((copy / "checkpoints" / "step-00000020" / "state.json").read_text())
    assert last["environments"][0]["onednn"] is True
    # What else is said is said before the first step.
    monkeypatch.setattr(loop.Loop, "run", lambda _: None)
    assert said(True) == []


def test_a_run_remembers_whether_it_had_xla(config, tmp_path, monkeypatch, capsys):
    config = config.with_options(train_steps=3, checkpoint_every_steps=2)
    monkeypatch.setattr(trainer.devices, "advice", lambda _, dtype: f"Another than {dtype}!")
    steps_of = trainer.steps_function
    compiled = []

    def noting(*arguments, jit_compile, **options):
        compiled.append(jit_compile)
        return steps_of(*arguments, **options)

    monkeypatch.setattr(trainer, "steps_function", noting)
    train(config.with_options(jit_compile=True), tmp_path / "run")
    said = capsys.readouterr().out
    of_devices = [line for line in said.splitlines() if "picture" not in line]
    assert "with XLA" in of_devices[0] and "resumes" not in said
    assert of_devices[2] == "Another than float32!"
    assert "  horizontal         13            6\n" in said
    # Where no step is left nothing is resumed.
    train(config, tmp_path / "run")
    assert compiled == [True, False] and "resumes" not in capsys.readouterr().out
    train(config, interrupted(tmp_path / "run", tmp_path / "again", 2))
    said = capsys.readouterr().out
    assert "was with XLA and resumes without XLA" in said
    assert "--jit_compile keeps it as it was" in said
    last = json.loads((tmp_path / "again/checkpoints/step-00000003/state.json").read_text())
    assert last["environments"][0]["xla"] is False


@pytest.mark.faults
def test_with_xla_it_resumes_with_the_same_bits(config, tmp_path, capsys):
    config = config.with_options(train_steps=4, checkpoint_every_steps=2, jit_compile=True)
    train(config, tmp_path / "run")
    train(config, interrupted(tmp_path / "run", tmp_path / "again", 2))
    assert "resumes with" not in capsys.readouterr().out
    assert_same_bits(tmp_path / "again", tmp_path / "run")


def test_on_one_device_of_its_own_a_run_has_the_same_bits(config, finished, tmp_path, monkeypatch):
    """As on one GPU, which has a memory of its own."""
    strategy = strategy_of_devices(["CPU:1"])
    monkeypatch.setattr(workers, "make_strategy", lambda *_: strategy)
    run_dir = tmp_path / "run"
    train(config, run_dir)
    assert_same_bits(run_dir, finished[0])
    # And it goes on where another device was.
    train(config, interrupted(finished[0], tmp_path / "again", 14))
    assert_same_bits(tmp_path / "again", finished[0])


def test_a_training_takes_memory_of_gpus_as_it_needs_it(config, tmp_path, monkeypatch):
    name = "TF_FORCE_GPU_ALLOW_GROWTH"
    monkeypatch.setenv(name, "")
    monkeypatch.delenv(name)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")  # It need not train.
    with pytest.raises(UserError):
        train(config, tmp_path / "run")
    assert os.environ[name] == "true"


def test_a_process_without_onednn_is_told_that_it_is_too_late(
    config, tmp_path, monkeypatch, capsys
):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")  # It need not train.
    for is_left_off in (True, False):
        monkeypatch.setattr(onednn, "is_left_off", lambda is_left_off=is_left_off: is_left_off)
        with pytest.raises(UserError):
            train(config, tmp_path / "run")
        assert ("It is too late in this process" in capsys.readouterr().out) == is_left_off
