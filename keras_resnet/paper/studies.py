"""What the subcommands of `paper` that train print, and write into a directory."""

import pathlib
from collections.abc import Mapping, Sequence

from keras_resnet.networks import analysis
from keras_resnet.paper import ablation, outcomes, pictures, reports
from keras_resnet.paper.comparisons import Comparison, run_name, with_seeds
from keras_resnet.paper.outcomes import Outcome
from keras_resnet.paper.trainings import train_all
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.run_directory import load_network
from keras_resnet.texts import in_markdown
from keras_resnet.training.schedules import share_drops


def write_comparison(
    output: pathlib.Path, name: str, comparison: Comparison, seeds: int, errors: Sequence[float]
) -> None:
    """Trains in directories of a directory, and writes .md, .json and a picture beside it.

    Args:
      output: the directory.
      name: of the comparison: of its directory in it, and of the files.
      comparison: `Comparison`.
      seeds: trainings of each network, with seeds that count up.
      errors: training errors in % whose first steps are compared.
    """
    directory = output / name
    found = _trained(comparison.trainings, seeds, directory)
    parameters = {
        network: _parameters(directory, network, config, found[network])
        for network, config in comparison.trainings.items()
    }
    rows = outcomes.rows(comparison, found, parameters, errors)
    gaps = outcomes.gaps(comparison.claims, found)
    first = next(iter(comparison.trainings.values()))
    title = f"{comparison.source} on {_circumstances(first, found)}"
    text = f"{in_markdown(title)}:\n\n{reports.markdown(rows)}"
    text += "".join(f"\n{sentence}\n" for sentence in outcomes.verdicts(comparison, found))
    if gaps:
        text += f"\nDifference of the training errors, in points:\n\n{reports.markdown(gaps)}"
    metrics = {network: outcome.metrics for network, outcome in found.items()}
    reports.write(directory, text, {"rows": rows, "gaps": gaps, "metrics": metrics})
    split = outcomes.split_name(first)
    drops = _drops(first, found)
    pictures.draw_comparison(found, comparison.panels, directory, title, split, drops)


def write_ablation(
    output: pathlib.Path, base: TrainConfig, trainings: Mapping[str, TrainConfig], seeds: int
) -> None:
    """Trains in directories of ablation/, and writes its .md, .json and pictures.

    Args:
      output: the directory.
      base: `TrainConfig` of which the trainings are variants.
      trainings: as of `ablation.configs`.
      seeds: trainings of each variant, with seeds that count up.
    """
    found = _trained(trainings, seeds, output / "ablation")
    top1 = ablation.top1_of(found)
    parts = {
        "Top-1 in % by shares of the three rates": ablation.rows(trainings, top1),
        "Other blocks": ablation.variant_rows(trainings, top1),
        "MNIST after as many epochs": ablation.mnist_rows(trainings, found),
        "Beyond the spread of the seeds": ablation.differences(trainings, top1),
    }
    parts = {title: rows for title, rows in parts.items() if rows}
    title = f"ResNet-{base.depth} with the {base.stem} stem on {_circumstances(base, found)}"
    text = _ablation_text(title, parts, found)
    reports.write(output / "ablation", text, parts)
    converged = {name: values for name, values in top1.items() if values}
    pictures.draw_points(converged, output / "ablation", "top-1 (%)")
    curves, split = output / "ablation_curves", outcomes.split_name(base)
    pictures.draw_learning_curves(found, curves, title, split)


def _ablation_text(
    title: str,
    parts: Mapping[str, Sequence[Mapping[str, object]]],
    found: Mapping[str, Outcome],
) -> str:
    """Markdown of the tables of an ablation, and of what diverged."""
    tables = (f"\n{name}:\n\n{reports.markdown(rows)}" for name, rows in parts.items())
    diverged = (f"\n{sentence}\n" for sentence in outcomes.diverged(found))
    return f"{in_markdown(title)}:\n{''.join(tables)}{''.join(diverged)}"


def _trained(
    trainings: Mapping[str, TrainConfig], seeds: int, directory: pathlib.Path
) -> dict[str, Outcome]:
    """Trains each so many times; what each came to, by name."""
    runs = with_seeds(trainings, seeds)
    every = {name: config for of_one in runs.values() for name, config in of_one.items()}
    results, metrics = train_all(every, directory)
    return {name: Outcome.of(of_one, results, metrics) for name, of_one in runs.items()}


def _parameters(
    directory: pathlib.Path, name: str, config: TrainConfig, outcome: Outcome
) -> int | None:
    """Of the network of the first seed that did not diverge, which alone has surely one."""
    if not outcome.seeds:
        return None
    run = directory / run_name(name, config, outcome.seeds[0])
    return analysis.trainable_parameters(load_network(run))


def _circumstances(config: TrainConfig, found: Mapping[str, Outcome]) -> str:
    """Data set, length, seeds and drops of the rate, for a title."""
    seeds = sorted({seed for outcome in found.values() for seed in outcome.seeds})
    parts = [config.dataset]
    last = next((o.metrics[0][-1] for o in found.values() if o.metrics), None)
    if last is not None:
        parts.append(f"{last['step']:,} steps ({last['epoch']:.3g} epochs)")
    if seeds:
        parts.append(f"seed{'s' if len(seeds) > 1 else ''} {' '.join(map(str, seeds))}")
    drops = _drops(config, found)
    if drops:
        parts.append(f"rate divided by 10 after {' and '.join(f'{drop:,}' for drop in drops)}")
    return ", ".join(parts)


def _drops(config: TrainConfig, found: Mapping[str, Outcome]) -> tuple[int, ...]:
    """The steps after which the rate of the trainings drops, where they are known beforehand."""
    if config.schedule != "steps":
        return ()
    if config.learning_rate_drops is not None:
        return config.learning_rate_drops
    last = max((o.metrics[0][-1]["step"] for o in found.values() if o.metrics), default=0)
    return share_drops(last, config.learning_rate_shares) if last else ()
