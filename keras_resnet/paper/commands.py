"""What each subcommand of `paper` computes, prints, and writes into a directory."""

import collections
import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet import files, plots
from keras_resnet.checks import UserError
from keras_resnet.data.sources import Source
from keras_resnet.networks import families
from keras_resnet.networks.resnet import ResNet
from keras_resnet.paper import ablation, degradation, figures, tables
from keras_resnet.paper.construction import deeper_copy, logits
from keras_resnet.paper.responses import responses, summary
from keras_resnet.paper.trainings import train_all
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.run_directory import load_network
from keras_resnet.tasks import load_config
from keras_resnet.training.inputs import make_sources

CIFAR_RUN = "a run directory of a CifarResNet or CifarPlainNet"
ANY_RUN = "a run directory, which knows its data set"


def write_networks(output: pathlib.Path) -> None:
    """Draws the blocks of Figures 2 and 5, the columns of Figure 3 and of Table 1."""
    output.mkdir(parents=True, exist_ok=True)
    figures.draw_networks(output / "networks.png")
    figures.draw_networks(output / "networks.svg")


def write_tables(output: pathlib.Path) -> None:
    """Writes tables.md, tables.json and tables.png into a directory."""
    number = len(tables.IMAGENET_VARIANTS) + 1 + 2 * len(tables.PUBLISHED_CIFAR)
    print(f"Building {number} networks and counting, a minute or two:", flush=True)
    found: dict[str, list[dict[str, object]]] = {"imagenet": [], "cifar10": []}
    for name, rows in (("imagenet", tables.imagenet_rows()), ("cifar10", tables.cifar_rows())):
        for row in rows:
            found[name].append(row)
            if row["multiply-adds"] is not None:
                kind = f", shortcut {row['shortcut']}" if "shortcut" in row else ""
                print(f"  {row['network']}{kind}: {row['multiply-adds']:,}", flush=True)
    text = (
        f"Table 1, ImageNet, 224x224:\n\n{tables.markdown(found['imagenet'])}\n"
        f"Table 6, CIFAR-10, 32x32:\n\n{tables.markdown(found['cifar10'])}"
    )
    _write(output / "tables", text, found)
    plots.draw_costs(found["imagenet"], output / "tables.png")


def write_construction(
    output: pathlib.Path, runs: Sequence[str], depth: int, data_dir: str | None
) -> None:
    """Writes construction.md, construction.json and construction.png into a directory.

    Args:
      output: the directory.
      runs: run directories of CIFAR networks.
      depth: layers of the deeper networks, 6n+2, at least those of each run.
      data_dir: where TensorFlow Datasets are; None: the runs'.

    Raises:
      UserError: a run is none, of another network, or deeper.
    """
    rows, pairs = [], {}
    for run, label in _labels(runs, CIFAR_RUN).items():
        model, config, source = _trained(run, data_dir)
        if depth < config.depth:
            raise UserError(
                f"`depth` must be at least {config.depth}, that of {run}. Received: depth={depth}"
            )
        print(f"{label} and {depth} layers answer {len(source):,} images each", flush=True)
        deeper = deeper_copy(model, ((depth - 2) // 6,) * 3)
        pair = logits(model, source), logits(deeper, source)
        labels = source.fetch(np.arange(len(source)))[1].numpy()
        top1 = [round(100 * np.mean(answers.argmax(axis=1) == labels), 2) for answers in pair]
        rows.append(
            {
                "network": label,
                "deeper": f"{config.network}-{depth}",
                "images": len(source),
                "top-1 %": top1[0],
                "deeper top-1 %": top1[1],
                "largest logit": float(np.abs(pair[0]).max()),
                "largest difference": float(np.abs(pair[1] - pair[0]).max()),
            }
        )
        pairs[f"{label} and {depth}"] = pair
    _write(output / "construction", tables.markdown(rows), rows)
    plots.draw_agreement(pairs, output / "construction.png")


def write_responses(output: pathlib.Path, runs: Sequence[str], data_dir: str | None) -> None:
    """Writes responses.md, responses.json and responses.png into a directory.

    Args:
      output: the directory.
      runs: run directories.
      data_dir: where TensorFlow Datasets are; None: the runs'.

    Raises:
      UserError: a run is none.
    """
    deviations = {}
    for run, label in _labels(runs, ANY_RUN).items():
        model, _, source = _trained(run, data_dir)
        print(f"{label} responds to {len(source):,} images", flush=True)
        deviations[label] = responses(model, source)
    rows = [summary(label, of_layers) for label, of_layers in deviations.items()]
    text = (
        "Standard deviation of the responses of the 3x3 layers (Figure 7, which prints no "
        f"numbers):\n\n{tables.markdown(rows)}"
    )
    _write(output / "responses", text, {"summary": rows, "layers": deviations})
    plots.draw_responses(deviations, output / "responses.png")


def write_degradation(
    output: pathlib.Path, config: TrainConfig, depths: Sequence[int], errors: Sequence[float]
) -> None:
    """Trains in directories of degradation/, and writes its .md, .json and .png.

    Args:
      output: the directory.
      config: `TrainConfig` of all trainings but for network and depth.
      depths: layers, 6n+2.
      errors: training errors in % whose first steps are compared.
    """
    trainings = degradation.configs(config, depths)
    directory = output / "degradation"
    results, metrics = train_all(trainings, directory)
    rows = degradation.rows(trainings, results, metrics, directory, errors)
    verdicts = "".join(f"\n{sentence}\n" for sentence in degradation.verdicts(rows))
    text = f"Figure 6 on {config.dataset}:\n\n{tables.markdown(rows)}{verdicts}"
    _write(directory, text, {"rows": rows, "metrics": metrics})
    plots.draw_degradation(metrics, output / "degradation.png", degradation.split_name(config))


def write_ablation(
    output: pathlib.Path, base: TrainConfig, trainings: Mapping[str, TrainConfig]
) -> None:
    """Trains in directories of ablation/, and writes its .md, .json and .png.

    Args:
      output: the directory.
      base: `TrainConfig` of which the trainings are variants.
      trainings: as of `ablation.configs`.
    """
    results, metrics = train_all(trainings, output / "ablation")
    top1 = ablation.top1_of(results)
    parts = {
        "Top-1 in % by shares of the three rates": ablation.rows(trainings, top1),
        "Other blocks": ablation.variant_rows(trainings, top1),
        "MNIST after as many epochs": ablation.mnist_rows(trainings, metrics),
    }
    parts = {title: rows for title, rows in parts.items() if rows}
    text = f"ResNet-{base.depth} with the {base.stem} stem on {base.dataset}:\n"
    text += "".join(f"\n{title}:\n\n{tables.markdown(rows)}" for title, rows in parts.items())
    _write(output / "ablation", text, parts)
    converged = {name: value for name, value in top1.items() if value != ablation.DIVERGED}
    plots.draw_ablation(converged, output / "ablation.png")


def _labels(runs: Sequence[str], expected: str) -> dict[str, str]:
    """What to call the network of each run: by its family and depth, and if need be its path."""
    names = {}
    for run in runs:
        # Whether there is a network comes first: it says more of what is missing.
        load_network(run)
        config = load_config(run)
        if config is None or (
            expected == CIFAR_RUN and config.network not in families.CIFAR_NETWORKS
        ):
            raise UserError(f"{run} must be {expected}.")
        names[run] = f"{config.network}-{config.depth}"
    counts = collections.Counter(names.values())
    return {run: name if counts[name] == 1 else f"{name}, {run}" for run, name in names.items()}


def _trained(run: str, data_dir: str | None) -> tuple[ResNet, TrainConfig, Source]:
    """The network of a run, its configuration and the images that it is validated on."""
    config = load_config(run)
    assert config is not None, "What has a label has a configuration."
    _, source = make_sources(config.with_options(data_dir=data_dir or config.data_dir))
    return load_network(run), config, source


def _write(path: pathlib.Path, text: str, content: object) -> None:
    """Prints Markdown, and writes it and JSON beside it."""
    print(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path.with_suffix(".md"), text)
    files.write_text(path.with_suffix(".json"), json.dumps(content, indent=2) + "\n")
