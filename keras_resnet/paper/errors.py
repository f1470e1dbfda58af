"""Errors by depth: Table 6 with runs of one's own beside it, and the curve that made the paper."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from keras_resnet.checks import UserError
from keras_resnet.paper.measured import MeasuredRun
from keras_resnet.paper.tables import PUBLISHED_CIFAR, PUBLISHED_IMAGENET, PUBLISHED_OTHERS
from keras_resnet.runs.run_directory import load_evaluation

# Errors in % by family of networks and data set, by depth and seed.
Errors: TypeAlias = Mapping[tuple[str, str], Mapping[int, Mapping[str, float]]]


def of_runs(runs: Sequence[MeasuredRun]) -> Errors:
    """The errors of the last evaluations of runs, by network and data set, depth and seed.

    A run that has not ended, or a second one of its seed, is named by its label and path.

    Raises:
      UserError: one has not been evaluated yet.
    """
    found: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    for run in runs:
        evaluation = load_evaluation(run.path)
        if evaluation is None:
            raise UserError(f"{run.path} has no evaluation.json: it has not been evaluated yet.")
        config = run.config
        of_depth = found.setdefault((config.network, config.dataset), {}).setdefault(
            config.depth, {}
        )
        seed = f"seed {config.seed}"
        name = run.label if ", step " in run.label else run.path if seed in of_depth else seed
        of_depth[name] = round(100 * (1 - evaluation["top1"]), 2)
    return found


def rows(ours: Errors) -> list[dict[str, Any]]:
    """Table 6 as published, and ours beside it or, of other networks and data sets, below."""
    table: dict[tuple[str, str], dict[str, Any]] = {}

    def row(network: str, depth: int | None, dataset: str) -> dict[str, Any]:
        empty = dict.fromkeys(("published error %", "error %", "of each run", "runs"))
        first = {"network": network, "layers": depth, "data set": dataset, **empty}
        return table.setdefault((network, dataset), first)

    for depth, (_, error) in PUBLISHED_CIFAR.items():
        row(f"CifarResNet-{depth}", depth, "cifar10")["published error %"] = error
    for name, (layers, _, error) in PUBLISHED_OTHERS.items():
        row(name, layers, "cifar10")["published error %"] = error
    for (network, dataset), by_depth in ours.items():
        for depth, of_runs in sorted(by_depth.items()):
            found = row(f"{network}-{depth}", depth, dataset)
            found["error %"] = round(statistics.fmean(of_runs.values()), 2)
            found["of each run"] = [f"{error:.2f}" for error in of_runs.values()]
            found["runs"] = ", ".join(of_runs)
    return list(table.values())


def panels(ours: Errors) -> dict[str, dict[str, dict[int, list[float]]]]:
    """What `draw_errors_by_depth` takes: published errors on ImageNet, and Table 6 with ours."""
    of_imagenet = {
        f"{kind}, published": {depth: [error] for depth, error in by_depth.items()}
        for kind, by_depth in PUBLISHED_IMAGENET.items()
    }
    of_cifar = {
        "CifarResNet on cifar10, published": {
            # The best run, before the mean of five.
            depth: [float(error.partition(" ")[0])]
            for depth, (_, error) in PUBLISHED_CIFAR.items()
        }
    }
    own = {
        f"{network} on {dataset}": {
            depth: list(of_seeds.values()) for depth, of_seeds in by_depth.items()
        }
        for (network, dataset), by_depth in ours.items()
    }
    return {
        "ImageNet, top-1, 10 crops": of_imagenet,
        "Small images": {**of_cifar, **own},
    }
