"""Several trainings, one after the other, each resumable in a directory of its own."""

import pathlib

from keras_resnet.runs import read_metrics
from keras_resnet.training import train


def train_all(trainings, directory):
    """Trains each configuration in a directory of its own, or goes on where it was.

    Args:
      trainings: dict of `TrainConfig` by name.
      directory: path; the runs are in directories of it by their names.

    Returns:
      dict of the lines of metrics by name.
    """
    metrics = {}
    for name, config in trainings.items():
        run = pathlib.Path(directory) / name
        print(f"{name}: {run}", flush=True)
        train(config, run)
        metrics[name] = read_metrics(run)
    return metrics
