"""What the trainings of a comparison came to, with the spread of their seeds, beside its claims."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from keras_resnet.paper.comparisons import Claim, Comparison
from keras_resnet.runs.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a network came to in all of its runs that did not diverge, in the order of the seeds.

    Attributes:
      seeds: of the runs.
      metrics: their lines of metrics.
      images: number of those that they were evaluated on.
      test_errors: in %, at the end.
      diverged: seeds of the others.
    """

    seeds: tuple[int, ...]
    metrics: tuple[Sequence[dict[str, Any]], ...]
    images: int | None
    test_errors: tuple[float, ...]
    diverged: tuple[int, ...]

    @classmethod
    def of(
        cls,
        runs: Mapping[str, TrainConfig],
        results: Mapping[str, dict[str, Any] | None],
        metrics: Mapping[str, Sequence[dict[str, Any]]],
    ) -> "Outcome":
        """That of some runs of one network.

        Args:
          runs: their `TrainConfig` by name.
          results, metrics: as of `train_all`.
        """
        ended = {name: result for name in runs if (result := results[name])}
        return cls(
            seeds=tuple(runs[name].seed for name in ended),
            metrics=tuple(metrics[name] for name in ended),
            images=next((result["images"] for result in ended.values()), None),
            test_errors=tuple(round(100 * (1 - r["top1"]), 2) for r in ended.values()),
            diverged=tuple(config.seed for name, config in runs.items() if name not in ended),
        )

    @property
    def training_errors(self) -> tuple[float, ...]:
        """In %, over the last tenth of the steps, with augmentation, while training."""
        return tuple(final_training_error(training_rows(rows)) for rows in self.metrics)


def training_rows(metrics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of metrics that are of training."""
    return [row for row in metrics if row["split"] == "train"]


def final_training_error(train_rows: Sequence[dict[str, Any]]) -> float:
    """Mean training error in % over the lines that end in the last tenth of the steps."""
    last_step = train_rows[-1]["step"]
    errors = [each for each in _with_steps(train_rows) if each[0] > 0.9 * last_step]
    return round(_mean_of_steps(errors), 2)


def _with_steps(train_rows: Sequence[dict[str, Any]]) -> list[tuple[int, int, float]]:
    """The step of each line, the steps that it is of, and its error in %."""
    befores = [0, *(row["step"] for row in train_rows)]
    return [
        (row["step"], row["step"] - before, 100 * (1 - row["top1"]))
        for before, row in zip(befores, train_rows, strict=False)
    ]


def _mean_of_steps(errors: Sequence[tuple[int, int, float]]) -> float:
    """The mean error of some of `_with_steps`: a line at a drop of the rate is of fewer steps."""
    return sum(steps * error for _, steps, error in errors) / sum(steps for _, steps, _ in errors)


def steps_to(train_rows: Sequence[dict[str, Any]], error: float) -> int | None:
    """The step of the first line of metrics whose training error is at most so many %, or None."""
    for row in train_rows:
        if 100 * (1 - row["top1"]) <= error:
            return row["step"]
    return None


def split_name(config: TrainConfig) -> str:
    """What the images are called that a training is evaluated on."""
    return "validation" if config.validation_images else "test"


def mean(errors: Sequence[float]) -> float | None:
    """Of errors in %, to a hundredth; None where there are none."""
    return round(statistics.fmean(errors), 2) if errors else None


def rows(
    comparison: Comparison,
    outcomes: Mapping[str, Outcome],
    parameters: Mapping[str, int | None],
    errors: Sequence[float],
) -> list[dict[str, Any]]:
    """A row for each network: mean errors at the end, those of each seed, steps to given errors.

    Args:
      comparison: `Comparison`.
      outcomes: `Outcome` by the names of its trainings.
      parameters: numbers of them, by the same names; None: unknown.
      errors: training errors in %; of several seeds the steps of each are given.
    """
    first = next(iter(comparison.trainings.values()))
    split, table = split_name(first), []
    has_seeds = any(len(o.seeds) + len(o.diverged) > 1 for o in outcomes.values())
    for name, outcome in outcomes.items():
        of_seeds = {
            "training": [f"{error:.2f}" for error in outcome.training_errors],
            split: [f"{error:.2f}" for error in outcome.test_errors],
        }
        row: dict[str, Any] = {"network": name, "parameters": parameters[name]}
        for of, found in (("training", outcome.training_errors), (split, outcome.test_errors)):
            row[f"{of} error %"] = mean(found) if found else "diverged"
            if has_seeds:
                row[f"{of} error of each seed"] = of_seeds[of]
        if is_the_papers_data(first):
            row["published error %"] = comparison.published.get(name)
        row[f"{split} images"] = outcome.images
        for error in errors:
            steps = [steps_to(training_rows(metrics), error) for metrics in outcome.metrics]
            of_all = ["-" if step is None else f"{step:,}" for step in steps]
            label = f"steps to {error:g}% training error"
            row[label] = of_all if has_seeds else (steps or [None])[0]
        table.append(row)
    return table


def is_the_papers_data(config: TrainConfig) -> bool:
    """Whether a configuration trains on what the paper's figures are of."""
    return config.dataset == ("cifar10" if "Cifar" in config.network else "imagenet2012")


def verdicts(comparison: Comparison, outcomes: Mapping[str, Outcome]) -> list[str]:
    """What the outcomes say of the paper's claims, in sentences, and what diverged."""
    sentences = [_verdict(claim, comparison, outcomes) for claim in comparison.claims]
    return [sentence for sentence in sentences if sentence] + diverged(outcomes)


def diverged(outcomes: Mapping[str, Outcome]) -> list[str]:
    """Which trainings diverged, a sentence for each."""
    return [
        f"{name} diverged with seed {seed}, and is left out of figures and curves."
        for name, outcome in outcomes.items()
        for seed in outcome.diverged
    ]


def _verdict(claim: Claim, comparison: Comparison, outcomes: Mapping[str, Outcome]) -> str | None:
    first, second = outcomes[claim.first], outcomes[claim.second]
    if claim.of == "training":
        pair = first.training_errors, second.training_errors
    else:
        pair = first.test_errors, second.test_errors
    if not all(pair):
        return None
    split = split_name(comparison.trainings[claim.first])
    of = "training" if claim.of == "training" else split
    means = [statistics.fmean(errors) for errors in pair]
    numbers = f"{means[0]:.2f}%, and {means[1]:.2f}% of {claim.second}"
    beginning = f"The paper: {claim.sentence}. Here the {of} error of {claim.first} "
    found = "higher" if means[0] > means[1] else "lower" if means[0] < means[1] else "equal"
    if min(map(len, pair)) < 2:
        return f"{beginning}is {found}: {numbers}; of one run, whose seed may be the reason."
    if max(pair[0]) >= min(pair[1]) and max(pair[1]) >= min(pair[0]):
        return (
            f"The paper: {claim.sentence}. Here {min(map(len, pair))} seeds do not tell the {of} "
            f"errors of {claim.first} and {claim.second} apart: {means[0]:.2f}% and "
            f"{means[1]:.2f}%."
        )
    return f"{beginning}is {found} with every seed: {numbers}."


def gaps(
    claims: Sequence[Claim], outcomes: Mapping[str, Outcome], lines: int = 10
) -> list[dict[str, Any]]:
    """How far the training errors of the claims' pairs are apart, epoch by epoch.

    Args:
      claims: those of training errors are taken.
      outcomes: `Outcome` by the names of trainings.
      lines: rows at most, evenly spaced; the last epoch is one of them.

    Returns:
      A row for each epoch: first minus second, in percentage points.
    """
    by_pair = {}
    for claim in claims:
        pair = [by_epoch(outcomes[name]) for name in (claim.first, claim.second)]
        if claim.of == "training" and all(pair):
            by_pair[f"{claim.first} - {claim.second}"] = {
                epoch: round(error - pair[1][epoch], 2)
                for epoch, error in pair[0].items()
                if epoch in pair[1]
            }
    epochs = sorted(set().union(*by_pair.values()))
    every = max(1, -(-len(epochs) // lines))
    return [
        {"epoch": epoch, **{name: of_epoch.get(epoch) for name, of_epoch in by_pair.items()}}
        for epoch in epochs[::-1][::every][::-1]
    ]


def by_epoch(outcome: Outcome) -> dict[int, float]:
    """Mean training error in % of the lines that end in each epoch, over all runs."""
    errors: dict[int, list[tuple[int, int, float]]] = {}
    for metrics in outcome.metrics:
        rows = training_rows(metrics)
        for row, error in zip(rows, _with_steps(rows), strict=True):
            # An epoch's last step belongs to it.
            errors.setdefault(math.ceil(row["epoch"]), []).append(error)
    return {epoch: _mean_of_steps(found) for epoch, found in errors.items()}
