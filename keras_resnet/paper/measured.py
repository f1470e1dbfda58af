"""Runs whose networks are measured: their names, images and networks."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.sources import Source
from keras_resnet.evaluation.precise_bn import set_precise_statistics
from keras_resnet.networks import families
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.run_directory import load_data, load_evaluation, load_network
from keras_resnet.tasks import load_config
from keras_resnet.training.inputs import make_sources
from keras_resnet.training.timetable import Timetable

CIFAR_RUN = "a run directory of a CifarResNet or CifarPlainNet"
ANY_RUN = "a run directory, which knows its data set"


@dataclasses.dataclass(frozen=True)
class MeasuredRun:
    """A run directory with a network.

    Attributes:
      path: of the directory.
      label: what to call its network: family, depth and, where it has not ended, the step.
      config: `TrainConfig`, with the place of the data.
    """

    path: str
    label: str
    config: TrainConfig

    @property
    def step(self) -> int:
        """Steps that its network has been trained for."""
        return (load_evaluation(self.path) or {}).get("step", 0)

    def sources(self) -> tuple[Source, Source]:
        """The images that it trains on, and those that it is validated on."""
        return make_sources(self.config)

    def network(self) -> ResNet:
        """As it was at the last evaluation."""
        return load_network(self.path)

    def network_to_measure(self, train: Source, num_images: int) -> ResNet:
        """As at the last evaluation, with the statistics of its normalizations computed anew.

        Moving averages lag behind the weights, most of all in short trainings.

        Args:
          train: `Source` of the training images.
          num_images: so many of them at most; 0: with the moving averages.
        """
        network = self.network()
        if num_images:
            set_precise_statistics(network, train, min(num_images, len(train)))
        return network

    def networks_through_training(self) -> Iterator[tuple[int, ResNet]]:
        """Yields steps and networks: the initial one, those of kept checkpoints, and the last one.

        It is one network each time, whose weights change.
        """
        network = _initial_network(self.config, self.path)
        yield 0, network
        checkpoints = Checkpoints(pathlib.Path(self.path) / "checkpoints")
        for path in checkpoints.paths():
            step = int(path.name.rpartition("-")[2])
            if step != self.step:
                _restore(network, path)
                yield step, network
        yield self.step, self.network()


def measured_runs(
    paths: Sequence[str],
    expected: str,
    data_dir: str | None = None,
    *,
    with_networks: bool = True,
) -> list[MeasuredRun]:
    """The runs of some directories, named so that they are told apart.

    Args:
      paths: of run directories.
      expected: `CIFAR_RUN` or `ANY_RUN`.
      data_dir: where TensorFlow Datasets are; None: the runs'.
      with_networks: whether each must have its network.

    Raises:
      UserError: one is no such run.
    """
    configs: dict[str, TrainConfig] = {}
    for path in paths:
        if with_networks:
            # First: it says more of what is missing.
            load_network(path)
        config = load_config(path) if pathlib.Path(path).is_dir() else None
        if (
            config is None
            or config.task.name != "classification"
            or (expected == CIFAR_RUN and config.network not in families.CIFAR_NETWORKS)
        ):
            raise UserError(f"{path} must be {expected}.")
        configs[path] = config.with_options(data_dir=data_dir or config.data_dir)
    labels = {path: f"{each.network}-{each.depth}" for path, each in configs.items()}
    counts = collections.Counter(labels.values())
    return [
        MeasuredRun(
            path,
            f"{label}{'' if counts[label] == 1 else f', {path}'}{_progress(path, configs[path])}",
            configs[path],
        )
        for path, label in labels.items()
    ]


def _progress(path: str, config: TrainConfig) -> str:
    """How far a run has come, where it has not ended; else nothing."""
    evaluation, data = load_evaluation(path), load_data(path)
    if evaluation is None or "train_images" not in data:
        return ""
    step, last_step = evaluation["step"], Timetable.of(config, data["train_images"]).last_step
    return "" if step >= last_step else f", step {step:,} of {last_step:,}"


def _initial_network(config: TrainConfig, run: str) -> Any:
    """The network as training began with it."""
    task = config.task.task(config)
    sources = task.sources()
    keras.utils.set_random_seed(config.seed)
    network = task.network(load_data(run), sources)
    task.begin(network)
    return network


def _restore(network: ResNet, checkpoint: pathlib.Path) -> None:
    """Gives a network the weights of a checkpoint of its run."""
    saved = tf.train.Checkpoint(model=[variable.value for variable in network.variables])
    saved.read(str(checkpoint / "variables")).expect_partial()
