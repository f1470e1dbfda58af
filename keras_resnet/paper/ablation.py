"""An ablation of ResNet-18 on small images: shares of rates, activations, augmentation, blocks."""

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence

from keras_resnet import checks
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.networks import families
from keras_resnet.paper.outcomes import Outcome, mean
from keras_resnet.runs import config

SHARES: tuple[tuple[int, ...], ...] = ((2, 1, 1), (5, 3, 2), (5, 4, 1))
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu")
AUGMENTATIONS = ("none", "doubled", "tripled")
BASIC_DEPTHS = (18, 34)
VARIANTS = ("inverted_bottleneck", "outer_addition", "squared_shortcut")

# Top-1 in % on CIFAR-10 as a course project published them, by augmentation and activation, for the
# three shares. It says of its base that there is no augmentation, while its notebook crops and
# mirrors: its rows of "none" may be trained with both.
PUBLISHED_CIFAR10 = {
    ("none", "sigmoid"): (87.25, 87.41, 88.08),
    ("none", "tanh"): (91.68, 91.71, 91.70),
    ("none", "relu"): (94.42, 94.51, 94.40),
    ("none", "leaky_relu"): (94.41, 94.54, 94.28),
    ("tripled", "sigmoid"): (86.94, 88.07, 87.16),
    ("tripled", "tanh"): (91.35, 90.97, 91.28),
    ("tripled", "relu"): (93.12, 93.51, 93.15),
    ("tripled", "leaky_relu"): (93.22, 93.51, 93.45),
    ("doubled", "sigmoid"): (88.92, 89.00, 89.12),
    ("doubled", "tanh"): (92.12, 92.54, 92.84),
    ("doubled", "relu"): (94.98, 94.99, 95.14),
    ("doubled", "leaky_relu"): (94.68, 94.92, 94.77),
}

# The same project's top-1 in % on MNIST, by the number of epochs.
PUBLISHED_MNIST = {1: 97.96, 5: 99.44}

# What the project says of the blocks that it tried.
PUBLISHED_VARIANTS = {"outer_addition": "about equal", "squared_shortcut": "bad"}


def configs(
    base: config.TrainConfig,
    shares: Sequence[tuple[int, ...]],
    activations: Sequence[str],
    augmentations: Sequence[str],
    variants: Sequence[str],
) -> dict[str, config.TrainConfig]:
    """The trainings of a part of the grid, and of blocks in place of the base's.

    Args:
      base: `TrainConfig`; variants are trained with its activation and augmentation.
      shares: at least one tuple of integers, see `learning_rate_shares`.
      activations, augmentations: strings, see `TrainConfig`; there may be none.
      variants: names of blocks, of `VARIANTS`; they are trained with the first shares.

    Returns:
      dict of `TrainConfig` by name, such as none-relu-2:1:1 or outer_addition-2:1:1.

    Raises:
      UserError: one of them is unknown, or the base's rates do not follow shares.
    """
    if base.schedule != "steps" or base.learning_rate_drops is not None:
        raise checks.UserError(
            "`schedule` must be 'steps' and `learning_rate_drops` unset where shares are compared. "
            f"Received: schedule={base.schedule!r}, "
            f"learning_rate_drops={base.learning_rate_drops!r}"
        )
    if variants and base.depth not in BASIC_DEPTHS:
        raise checks.UserError(
            f"`depth` must be one of {', '.join(map(str, BASIC_DEPTHS))} for `variants`, which "
            f"take the place of basic blocks. Received: depth={base.depth!r}"
        )
    for values, name, allowed in (
        (activations, "activations", families.ACTIVATIONS),
        (augmentations, "augmentations", AUGMENTATIONS),
        (variants, "variants", VARIANTS),
    ):
        for value in values:
            checks.check_one_of(name, value, allowed)
    grid = {
        f"{augmentation}-{activation}-{label(share)}": base.with_options(
            augmentation=augmentation,
            activation=activation,
            learning_rate_shares=share,
        )
        for augmentation in augmentations
        for activation in activations
        for share in shares
    }
    blocks = {
        f"{variant}-{label(shares[0])}": base.with_options(
            block=variant, learning_rate_shares=shares[0]
        )
        for variant in variants
    }
    return {**grid, **blocks}


def _options(training: config.TrainConfig) -> ClassificationOptions:
    assert isinstance(training.task, ClassificationOptions)
    return training.task


def label(share: Iterable[int]) -> str:
    """A share as it is written, such as 2:1:1."""
    return ":".join(map(str, share))


def rows(
    trainings: Mapping[str, config.TrainConfig], top1: Mapping[str, Sequence[float]]
) -> list[dict[str, object]]:
    """A row for each augmentation and activation, with a column of top-1 in % for each share.

    Args:
      trainings: what `configs` returns.
      top1: what `top1_of` returns.
    """
    table: dict[tuple[str, str], dict[str, object]] = {}
    has_seeds = _has_seeds(top1)
    for name, training in trainings.items():
        if training.block is not None:
            continue
        key = (_options(training).augmentation, training.activation)
        row = table.setdefault(key, {"augmentation": key[0], "activation": key[1]})
        share = label(training.learning_rate_shares)
        row |= _shown(share, top1[name], has_seeds)
        if training.dataset == "cifar10" and training.learning_rate_shares in SHARES:
            column = SHARES.index(training.learning_rate_shares)
            published, found = PUBLISHED_CIFAR10[key][column], mean(top1[name])
            row[f"{share} published"] = published
            row[f"{share} difference"] = None if found is None else round(found - published, 2)
    return list(table.values())


def _has_seeds(top1: Mapping[str, Sequence[float]]) -> bool:
    """Whether any training has several: then all rows say what they are the mean of."""
    return any(len(found) > 1 for found in top1.values())


def _shown(label: str, found: Sequence[float], has_seeds: bool) -> dict[str, object]:
    """The mean of a column, and where there are seeds what it is the mean of."""
    shown: dict[str, object] = {label: mean(found) if found else "diverged"}
    if has_seeds:
        shown[f"{label}, each seed"] = [f"{value:.2f}" for value in found]
    return shown


def variant_rows(
    trainings: Mapping[str, config.TrainConfig], top1: Mapping[str, Sequence[float]]
) -> list[dict[str, object]]:
    """A row for each block, with its top-1 in % and what was published; the base's comes first."""
    variants = {training.block: name for name, training in trainings.items() if training.block}
    if not variants:
        return []
    first = trainings[next(iter(variants.values()))]
    alike = first.with_options(block=None)
    blocks = [("basic", name) for name, training in trainings.items() if training == alike]
    return [
        {
            "block": block,
            "shares": label(trainings[name].learning_rate_shares),
            **_shown("top-1 %", top1[name], _has_seeds(top1)),
            "published": PUBLISHED_VARIANTS.get(block),
        }
        for block, name in [*blocks, *variants.items()]
    ]


def mnist_rows(
    trainings: Mapping[str, config.TrainConfig], outcomes: Mapping[str, Outcome]
) -> list[dict[str, object]]:
    """Top-1 in % after as many epochs as were published for MNIST, where that is the data set."""
    rows: list[dict[str, object]] = []
    for name, training in trainings.items():
        if training.dataset != "mnist" or training.block is not None:
            continue
        for seed, metrics in zip(outcomes[name].seeds, outcomes[name].metrics, strict=True):
            found = {
                round(row["epoch"], 2): round(100 * row["top1"], 2)
                for row in metrics
                if row["split"] == "validation"
            }
            rows += [
                {
                    "training": name,
                    "seed": seed,
                    "epochs": epochs,
                    "top-1 %": found[epochs],
                    "published": published,
                    "difference": round(found[epochs] - published, 2),
                }
                for epochs, published in PUBLISHED_MNIST.items()
                if epochs in found
            ]
    return rows


def top1_of(outcomes: Mapping[str, Outcome]) -> dict[str, tuple[float, ...]]:
    """Top-1 in % of each seed by name; of a training that diverged there is none."""
    return {
        name: tuple(round(100 - error, 2) for error in outcome.test_errors)
        for name, outcome in outcomes.items()
    }


def differences(
    trainings: Mapping[str, config.TrainConfig], top1: Mapping[str, Sequence[float]]
) -> list[dict[str, object]]:
    """Pairs of trainings that differ in one thing, where every seed of one beats all of the other.

    Of one seed there is no spread, and no difference beyond it.

    Args:
      trainings: what `configs` returns.
      top1: what `top1_of` returns.
    """
    rows: list[dict[str, object]] = []
    for first, second in itertools.combinations(trainings, 2):
        changed = _changed(trainings[first], trainings[second])
        pair = sorted((first, second), key=lambda name: -sum(top1[name]))
        better, worse = (top1[name] for name in pair)
        if len(changed) != 1 or min(len(better), len(worse)) < 2 or min(better) <= max(worse):
            continue
        rows.append(
            {
                "differing in": changed[0],
                "better": pair[0],
                "worse": pair[1],
                "by points": round(statistics.fmean(better) - statistics.fmean(worse), 2),
                "at least": round(min(better) - max(worse), 2),
            }
        )
    return rows


def _changed(first: config.TrainConfig, second: config.TrainConfig) -> list[str]:
    """Which of what is compared two trainings differ in."""
    pairs: dict[str, tuple[object, object]] = {
        "augmentation": (_options(first).augmentation, _options(second).augmentation),
        "activation": (first.activation, second.activation),
        "shares": (first.learning_rate_shares, second.learning_rate_shares),
        "block": (first.block, second.block),
    }
    return [name for name, (ours, theirs) in pairs.items() if ours != theirs]
