"""Figure 6: deeper plain networks train worse, deeper residual networks do not."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_resnet.networks import analysis
from keras_resnet.networks.families import check_cifar_depth
from keras_resnet.paper.tables import PUBLISHED_CIFAR
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.run_directory import load_network


def configs(config: TrainConfig, depths: Sequence[int]) -> dict[str, TrainConfig]:
    """The trainings of plain and residual networks of some depths, alike in all else.

    Args:
      config: `TrainConfig`.
      depths: integers 6n+2.

    Returns:
      dict of `TrainConfig` by name, such as plain-20.

    Raises:
      UserError: a depth is not 6n+2.
    """
    for depth in depths:
        check_cifar_depth(depth)
    depths = sorted(set(depths))
    kinds = {"plain": "CifarPlainNet", "residual": "CifarResNet"}
    return {
        f"{kind}-{depth}": config.with_options(network=network, depth=depth)
        for kind, network in kinds.items()
        for depth in depths
    }


def rows(
    trainings: Mapping[str, TrainConfig],
    results: Mapping[str, dict[str, Any] | None],
    metrics: Mapping[str, Sequence[dict[str, Any]]],
    directory: pathlib.Path,
    errors: Sequence[float],
) -> list[dict[str, Any]]:
    """A row for each network: errors at the end, and steps to given training errors.

    Args:
      trainings: dict of `TrainConfig` by name.
      results, metrics: what `train_all` returns.
      directory: path of the directory of the runs.
      errors: training errors in %.
    """
    table: list[dict[str, Any]] = []
    split = split_name(next(iter(trainings.values())))
    for name, config in trainings.items():
        train_rows = [row for row in metrics[name] if row["split"] == "train"]
        test = results[name]
        is_published = config.network == "CifarResNet" and config.depth in PUBLISHED_CIFAR
        published = PUBLISHED_CIFAR[config.depth][1] if is_published else None
        table.append(
            {
                "network": name,
                "parameters": _parameters(directory / name) if test else None,
                "training error %": final_training_error(train_rows) if test else None,
                f"{split} error %": round(100 * (1 - test["top1"]), 2) if test else "diverged",
                **({"published test error %": published} if config.dataset == "cifar10" else {}),
                f"{split} images": test and test["images"],
                **{
                    f"steps to {error:g}% training error": steps_to(train_rows, error)
                    for error in errors
                },
            }
        )
    return table


def split_name(config: TrainConfig) -> str:
    """What the images are called that a training is evaluated on."""
    return "validation" if config.validation_images else "test"


def _parameters(run: str | os.PathLike[str]) -> int:
    return analysis.trainable_parameters(load_network(run))


def final_training_error(train_rows: Sequence[dict[str, Any]]) -> float:
    """Mean training error in % over the last tenth of the steps."""
    last_step = train_rows[-1]["step"]
    last = [row for row in train_rows if row["step"] > 0.9 * last_step]
    return round(100 * sum(1 - row["top1"] for row in last) / len(last), 2)


def steps_to(train_rows: Sequence[dict[str, Any]], error: float) -> int | None:
    """The step of the first line of metrics whose training error is at most so many %, or None."""
    for row in train_rows:
        if 100 * (1 - row["top1"]) <= error:
            return row["step"]
    return None


# The authors' deepest network, 1202 layers, has no lower training error than the one of 110.
DEEPEST_CLAIM = 110


def verdicts(table: Sequence[dict[str, Any]]) -> list[str]:
    """What the rows say of the paper's claims, in sentences.

    Args:
      table: what `rows` returns.
    """
    sentences = []
    for kind, claimed in (("plain", "higher"), ("residual", "lower")):
        networks = [
            row
            for row in table
            if row["network"].startswith(kind)
            and int(row["network"].partition("-")[2]) <= DEEPEST_CLAIM
            and row["training error %"] is not None
        ]
        if len(networks) < 2:
            continue
        shallow, deep = networks[0], networks[-1]
        difference = deep["training error %"] - shallow["training error %"]
        found = "higher" if difference > 0 else "lower" if difference < 0 else "equal"
        sentences.append(
            f"The paper: the training error of deeper {kind} networks is {claimed}. Here that of "
            f"{deep['network']} is {found}: {deep['training error %']:.2f}%, and "
            f"{shallow['training error %']:.2f}% of {shallow['network']}."
        )
    return sentences
