import json
import signal

import pytest
import surroundings
from harness import Training, assert_same_bits, interrupt_at
from ilsvrc import write_archives
from preparations import Preparation
from processes import LAUNCH, assert_user_error, run_program

from keras_resnet.class_names import imagenet_synsets, readable
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.training.trainer import train


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


def test_the_source_must_be_named():
    assert_user_error(run_program("prepare_imagenet"), "--source=DIR must say")


def test_who_prepares_and_who_waits_can_be_stopped(tmp_path, rng):
    source = write_archives(tmp_path / "source", rng, train_per_class=100)
    data = tmp_path / "data"
    first = Preparation(source, data, tmp_path / "first.log")
    first.wait_until_it_says("If it is interrupted, it begins anew.")
    first.send_signal(signal.SIGSTOP)
    second = Preparation(source, data, tmp_path / "second.log")
    second.wait_until_it_says("Another process prepares in")
    for process, number in ((second, signal.SIGINT), (first, signal.SIGUSR1)):
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        assert process.wait(30) == 130, process.output()
        assert "Traceback" not in process.output()
    assert second.output().endswith("\nInterrupted.\n")
    assert first.output().endswith("nothing is prepared, and the same command begins anew.\n")
    assert [path.name for path in (data / "imagenet2012").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "killed", [False, pytest.param(True, marks=pytest.mark.faults)], ids=["at_once", "killed"]
)
def test_from_the_archives_to_a_prediction(tmp_path, rng, killed):
    source = write_archives(tmp_path / "source", rng, train_per_class=4, validation=6)
    data = tmp_path / "data"
    flags = (f"--source={source}", f"--data_dir={data}")
    process = run_program("prepare_imagenet", *flags, "--verify=false")
    assert process.returncode == 0, process.stderr
    assert f"launch/imagenet.py --depth=50 --data_dir={data}" in process.stdout
    assert "train: 14 images\nvalidation: 6 images\nPrepared: " in process.stdout

    config = RECIPES["imagenet"]["paper"].with_options(
        network="CifarResNet",
        depth=8,
        data_dir=str(data),
        image_size=16,
        global_batch_size=8,
        train_steps=7,
        log_every_steps=1,
        checkpoint_every_steps=2,
    )
    run, tfrecord = tmp_path / "run", tmp_path / "tfrecord"
    if killed:
        interrupt_at(config, run, step=3, number=signal.SIGKILL)
        Training(config, run).finish()
    else:
        train(config, run)

    # The same data as TFDS writes them by default, and no interruption: the same bits.
    write_tfrecord(source, tmp_path / "other")
    train(config.with_options(data_dir=str(tmp_path / "other")), tfrecord)
    assert_same_bits(run, tfrecord)

    process = run_program("evaluate", run)
    top1 = json.loads((run / "evaluation.json").read_text())["top1"]
    assert f"top-1 {100 * top1:.2f}%" in process.stdout
    process = run_program("export", run, f"--output={tmp_path / 'export'}")
    assert process.returncode == 0, process.stderr
    process = run_program("predict", tmp_path / "export", LAUNCH / "star.jpg")
    assert process.returncode == 0, process.stderr
    labels = [line.partition("%  ")[2] for line in process.stdout.splitlines()[1:]]
    # By their words, not by the names of ImageNet's directories.
    assert len(set(labels)) == 5 and set(labels) <= set(readable(imagenet_synsets()))


def write_tfrecord(source, data_dir):
    """The same data as TFDS writes them by default."""
    import tensorflow_datasets as tfds

    tfds.builder("imagenet2012", data_dir=data_dir).download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(source))
    )
    assert list(data_dir.rglob("*.tfrecord*"))
