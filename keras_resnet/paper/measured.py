"""Runs whose networks are measured: their names, images and networks."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_resnet.checks import UserError, shown
from keras_resnet.data.sources import Source
from keras_resnet.evaluation.precise_bn import set_precise_statistics
from keras_resnet.networks import families
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.metrics import read_metrics
from keras_resnet.runs.run_directory import load_data, load_evaluation, load_network
from keras_resnet.tasks import load_config
from keras_resnet.texts import lossless
from keras_resnet.training.inputs import described, make_sources
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
        """Steps that its network has been trained for.

        Raises:
          UserError: it has not been evaluated yet.
        """
        return evaluation_of(self.path)["step"]

    def sources(self) -> tuple[Source, Source]:
        """The images that it trains on, and those that it is validated on.

        Raises:
          UserError: they are not those that the run began with.
        """
        train, validation = make_sources(self.config)
        known = load_data(self.path)
        for name, value in described({"train": train, "validation": validation}).items():
            if known.get(name, value) != value:
                raise UserError(
                    f"The data set changed since the run in {self.path} began: {name} was "
                    f"{shown(known[name])} and is {shown(value)}. Restore it, or name its place "
                    "with --data_dir."
                )
        return train, validation

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
        last_step = self.step
        network = _initial_network(self.config, self.path)
        yield 0, network
        checkpoints = Checkpoints(pathlib.Path(self.path) / "checkpoints")
        for path in checkpoints.paths():
            step = int(path.name.rpartition("-")[2])
            if step != last_step:
                _restore(network, path)
                yield step, network
        yield last_step, self.network()


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
      UserError: one is no such run, or there twice.
    """
    configs: dict[str, TrainConfig] = {}
    _check_given_once(paths)
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
            f"{label}{_place(path) if counts[label] > 1 else ''}{_progress(path, configs[path])}",
            configs[path],
        )
        for path, label in labels.items()
    ]


def evaluation_of(path: str) -> dict[str, Any]:
    """The last evaluation of a run.

    Raises:
      UserError: there is none, or it is damaged.
    """
    evaluation = load_evaluation(path, ["step", "top1"])
    if evaluation is None:
        raise UserError(f"{path} has no evaluation.json: it has not been evaluated yet.")
    return evaluation


def _check_given_once(paths: Sequence[str]) -> None:
    """Raises UserError where two paths lead to one directory, which would count twice."""
    places = collections.defaultdict(list)
    for path in paths:
        places[pathlib.Path(path).resolve()].append(path)
    for same in places.values():
        if len(same) > 1:
            raise UserError(f"Each RUN must be given once. Received: {' and '.join(same)}")


def _place(path: str) -> str:
    return f", {lossless(path)}"


def _progress(path: str, config: TrainConfig) -> str:
    """How far a run has come, where it has not ended; else nothing."""
    evaluation, rows = load_evaluation(path, ["step"]), read_metrics(path, ["epoch"])
    if evaluation is None or not rows:
        return ""
    step, last_step = evaluation["step"], Timetable.of_metrics(config, rows).last_step
    return "" if step >= last_step else f", step {step:,} of {last_step:,}"


def _initial_network(config: TrainConfig, run: str) -> Any:
    """The network as training began with it.

    Raises:
      UserError: what the run has found out of its data set is missing or damaged.
    """
    task, setup = config.task.task(config), load_data(run)
    try:
        task.check_setup(setup)
    except (TypeError, KeyError, ValueError) as error:
        path = pathlib.Path(run) / "data.json"
        raise UserError(f"{path} is missing or damaged ({error}). Restore it.") from error
    sources = task.sources()
    keras.utils.set_random_seed(config.seed)
    network = task.network(setup, sources)
    task.begin(network)
    return network


def _restore(network: ResNet, checkpoint: pathlib.Path) -> None:
    """Gives a network the weights of a checkpoint of its run.

    Raises:
      UserError: it is damaged.
    """
    saved = tf.train.Checkpoint(model=[variable.value for variable in network.variables])
    try:
        found = saved.read(str(checkpoint / "variables")).expect_partial()
        found.assert_existing_objects_matched()
    except (OSError, ValueError, LookupError, AssertionError, tf.errors.OpError) as error:
        raise UserError(
            f"The checkpoint {checkpoint} is damaged ({error}). Restore it, or move it away."
        ) from error
