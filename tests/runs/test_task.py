"""A task that is no classification: a picture's mean color, judged by a median over pictures."""

import dataclasses
import signal
import sys

import keras
import numpy as np
import tensorflow as tf
from harness import Training, assert_same_bits, interrupt_at, metrics

import keras_resnet
from keras_resnet.data.sources import MemorySource
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.figures import Figure
from keras_resnet.runs.options import TaskOptions, number, option
from keras_resnet.runs.run_directory import RunDirectory
from keras_resnet.runs.task import Task


@dataclasses.dataclass(frozen=True)
class ColorOptions(TaskOptions):
    name = "color"
    brightness: float = option("Data", "largest change of brightness", 0.1, check=number())

    def task(self, config):
        return Color(self.brightness)


@dataclasses.dataclass
class Color(Task):
    brightness: float
    sums = ("loss", "error")
    figures = (best := Figure("error", "median error"),)

    def sources(self):
        pictures = np.random.default_rng(0).integers(0, 256, (165, 4, 4, 3), np.uint8)
        train, validation = (MemorySource(p, [0] * len(p), ("",)) for p in np.split(pictures, [64]))
        return {"train": train, "validation": validation}

    def describe(self, sources):
        return {split: source.fingerprint() for split, source in sources.items()}

    def network(self, setup, sources):
        inputs = keras.Input((4, 4, 3))
        return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))

    def training_example(self, network, source):
        return lambda image, _, index, draws: example(image, self.brightness * draws[0])

    def evaluation_example(self, network, source):
        return lambda image, *_: example(image, 0.0)

    def training_values(self, network, source):
        return lambda batch: {"error": (e := errors(network, batch)), "loss": e**2}

    def answers(self, network):
        return lambda batch: {"error": errors(network, batch)}

    def evaluation(self, gathered, source):
        assert len(gathered["error"]) == 101
        return {"error": float(np.median(gathered["error"]))}


def example(image, brightness):
    pixels = tf.cast(image, tf.float32) / 255 + brightness
    return pixels, tf.reduce_mean(pixels, axis=[-3, -2])


def errors(network, batch):
    return tf.reduce_mean(tf.abs(network(batch[0]) - batch[1]), axis=1)


CONFIG = TrainConfig(
    **{"network": "CifarResNet", "depth": 8, "dataset": "none", "train_steps": 120},
    **{"global_batch_size": 8, "learning_rate": 0.05, "weight_decay": 0.0, "log_every_steps": 1},
    **{"evaluate_every_steps": 60, "checkpoint_every_steps": 40, "task": ColorOptions()},
)


def test_another_task_is_trained_killed_and_resumed_on_replicas_and_on_workers(tmp_path):
    whole = Training(CONFIG, tmp_path / "whole", program=__file__)
    interrupt_at(CONFIG, tmp_path / "killed", 50, signal.SIGKILL, program=__file__)
    Training(CONFIG, tmp_path / "killed", program=__file__).finish()
    whole.finish()
    assert_same_bits(tmp_path / "killed", tmp_path / "whole")
    result = keras_resnet.train(CONFIG.with_options(replicas=2), tmp_path / "replicas")
    Training(CONFIG, tmp_path / "workers", workers=2, program=__file__).finish()
    runs = [tmp_path / name for name in ("whole", "replicas", "workers")]
    first, *others = ([row["error"] for row in metrics(run)] for run in runs)
    assert first[-1] < first[0] / 3
    np.testing.assert_allclose(others, [first] * 2, rtol=1e-3)
    network = keras.models.load_model(tmp_path / "replicas" / "model.keras")
    expected = np.median(errors(network, example(Color(0.0).sources()["validation"].images, 0.0)))
    np.testing.assert_allclose(result["error"], expected, rtol=1e-5)


if __name__ == "__main__":
    # It would take longer than the steps; the run on replicas draws them.
    RunDirectory.draw_curves = lambda *_: None
    keras_resnet.train(CONFIG, sys.argv[1].removeprefix("--run_dir="))
