"""Several trainings, one after the other, each resumable in a directory of its own."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_resnet.checks import UserError
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.metrics import SPLITS, read_metrics
from keras_resnet.training.records import DivergedError
from keras_resnet.training.trainer import train


def train_all(
    trainings: Mapping[str, TrainConfig], directory: str | os.PathLike[str]
) -> tuple[dict[str, dict[str, Any] | None], dict[str, list[dict[str, Any]]]]:
    """Trains each configuration in a directory of its own, or goes on where it was.

    A training whose loss is no number any more is a result too: the others go on.

    Args:
      trainings: dict of `TrainConfig` by name.
      directory: path; the runs are in directories of it by their names.

    Returns:
      By name, the last evaluation as of `train`, None where the training diverged; and the lines of
      metrics.
    """
    results: dict[str, dict[str, Any] | None] = {}
    metrics: dict[str, list[dict[str, Any]]] = {}
    for number, (name, config) in enumerate(trainings.items(), 1):
        run = pathlib.Path(directory) / name
        print(f"Training {number} of {len(trainings)}, {name}: {run}", flush=True)
        try:
            results[name] = train(config, run)
        except DivergedError as error:
            results[name] = None
            print(f"{name} diverged: {error}", flush=True)
        metrics[name] = read_metrics(run, ["epoch", "top1"])
        # Of each split the last line counts, and a complete training ends with both.
        ends = {row["split"]: row["step"] for row in metrics[name]}
        result = results[name]
        if result and ends != dict.fromkeys(SPLITS, result["step"]):
            raise UserError(
                f"{run / 'metrics.jsonl'} lacks lines of a complete training. Restore it, or "
                f"delete {run} to train again."
            )
    return results, metrics
