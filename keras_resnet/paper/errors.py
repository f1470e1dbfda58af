"""Errors by depth: Table 6 with runs of one's own beside it, and the curve that made the paper."""

import collections
import itertools
import statistics
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from keras_resnet.paper.measured import MeasuredRun, evaluation_of
from keras_resnet.paper.tables import PUBLISHED_CIFAR, PUBLISHED_IMAGENET, PUBLISHED_OTHERS
from keras_resnet.runs.config import TrainConfig, differences
from keras_resnet.texts import lossless

# Errors in % by family of networks, variant (see `_variants`) and data set, by depth and seed.
Errors: TypeAlias = Mapping[tuple[str, str, str], Mapping[int, Mapping[str, float]]]


def of_runs(runs: Sequence[MeasuredRun]) -> Errors:
    """The errors of the last evaluations of runs, by network and data set, depth and seed.

    Runs that differ in more than the seed are no repetitions: they stand apart. A run that has not
    ended, or a second one of its seed, is named by its label and path.

    Raises:
      UserError: one has not been evaluated yet.
    """
    found: dict[tuple[str, str, str], dict[int, dict[str, float]]] = {}
    for run, variant in zip(runs, _variants([run.config for run in runs]), strict=True):
        config = run.config
        of_family = found.setdefault((config.network, variant, config.dataset), {})
        of_depth = of_family.setdefault(config.depth, {})
        name = f"seed {config.seed}"
        if ", step " in run.label:
            name = run.label
        elif name in of_depth:
            name = lossless(run.path)
        of_depth[name] = round(100 * (1 - evaluation_of(run.path)["top1"]), 2)
    return found


def _variants(configs: Sequence[TrainConfig]) -> list[str]:
    """What tells each from others of its network, depth and data set, such as ", shortcut=B"."""
    varied = collections.defaultdict[Hashable, set[str]](set)
    for first, second in itertools.combinations(configs, 2):
        if _family(first) == _family(second):
            varied[_family(first)] |= differences(first, second).keys() - {"seed"}
    return [
        "".join(f", {name}={_option(config, name)}" for name in sorted(varied[_family(config)]))
        for config in configs
    ]


def _family(config: TrainConfig) -> Hashable:
    return config.network, config.depth, config.dataset


def _option(config: TrainConfig, name: str) -> object:
    value = getattr(config if hasattr(config, name) else config.task, name)
    return "unset" if value is None else value


def rows(ours: Errors) -> list[dict[str, Any]]:
    """Table 6 as published, and ours beside it or, of other networks and data sets, below."""
    table: dict[tuple[str, str], dict[str, Any]] = {}

    def row(network: str, depth: int | None, dataset: str) -> dict[str, Any]:
        dataset = lossless(dataset)
        empty = dict.fromkeys(("published error %", "error %", "of each run", "runs"))
        first = {"network": network, "layers": depth, "data set": dataset, **empty}
        return table.setdefault((network, dataset), first)

    for depth, (_, error) in PUBLISHED_CIFAR.items():
        row(f"CifarResNet-{depth}", depth, "cifar10")["published error %"] = error
    for name, (layers, _, error) in PUBLISHED_OTHERS.items():
        row(name, layers, "cifar10")["published error %"] = error
    for (network, variant, dataset), by_depth in ours.items():
        for depth, of_runs in sorted(by_depth.items()):
            found = row(f"{network}-{depth}{variant}", depth, dataset)
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
        f"{network}{variant} on {lossless(dataset)}": {
            depth: list(of_seeds.values()) for depth, of_seeds in by_depth.items()
        }
        for (network, variant, dataset), by_depth in ours.items()
    }
    return {
        "ImageNet, top-1, 10 crops": of_imagenet,
        "Small images": {**of_cifar, **own},
    }
