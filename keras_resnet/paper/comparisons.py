"""The paper's comparisons: trainings that are alike in all but one thing, and what it claims."""

import dataclasses
from collections.abc import Mapping, Sequence

from keras_resnet.networks.families import check_depth
from keras_resnet.runs.config import TrainConfig

PLAIN_OF = {"CifarResNet": "CifarPlainNet", "ResNet": "PlainNet"}

# The authors' deepest network, 1202 layers, has no lower training error than the one of 110.
DEEPEST_CLAIM = 110


@dataclasses.dataclass(frozen=True)
class Claim:
    """What the paper says of two trainings.

    Attributes:
      sentence: such as "the training error of deeper plain networks is higher".
      first, second: names of the trainings whose errors are compared.
      of: which: "training", or "test".
    """

    sentence: str
    first: str
    second: str
    of: str = "training"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Some trainings side by side.

    Attributes:
      source: where the paper has it, such as Figure 6.
      trainings: `TrainConfig` by name.
      panels: names of those whose curves stand in one part of the picture, by its title.
      claims: of them, in order.
      published: errors in % on the paper's data set, by name; of the others there are none.
    """

    source: str
    trainings: Mapping[str, TrainConfig]
    panels: Mapping[str, Sequence[str]]
    claims: Sequence[Claim]
    published: Mapping[str, str] = dataclasses.field(default_factory=dict)


def degradation(config: TrainConfig, depths: Sequence[int]) -> Comparison:
    """Plain and residual networks of several depths.

    Args:
      config: `TrainConfig` of a residual network, for CIFAR or ImageNet.
      depths: layers of both kinds.

    Raises:
      UserError: there is no such depth.

    Source: He et al., 2016, Figures 4 and 6, Table 2.
    """
    depths = sorted(set(depths))
    kinds = {"plain": PLAIN_OF[config.network], "residual": config.network}
    for network in kinds.values():
        for depth in depths:
            check_depth(network, depth)
    is_of_cifar = config.network == "CifarResNet"
    trainings = {
        f"{kind}-{depth}": config.with_options(
            network=network, depth=depth, shortcut=config.shortcut if kind == "residual" else None
        )
        for kind, network in kinds.items()
        for depth in depths
    }
    claimed = [depth for depth in depths if depth <= DEEPEST_CLAIM]
    claims = [
        Claim(
            f"the training error of deeper {kind} networks is {found}",
            f"{kind}-{claimed[-1]}",
            f"{kind}-{claimed[0]}",
        )
        for kind, found in (("plain", "higher"), ("residual", "lower"))
        if len(claimed) > 1
    ]
    return Comparison(
        "Figure 6" if is_of_cifar else "Table 2 and Figure 4",
        trainings,
        {kind: [f"{kind}-{depth}" for depth in depths] for kind in kinds},
        claims,
        _PUBLISHED_CIFAR if is_of_cifar else _PUBLISHED_TABLE_2,
    )


# Table 6, the best of five runs where the paper has several; Table 2, top-1 of 10 crops.
_PUBLISHED_CIFAR = {
    "residual-20": "8.75",
    "residual-32": "7.51",
    "residual-44": "7.17",
    "residual-56": "6.97",
    "residual-110": "6.43 (6.61 +- 0.16)",
    "residual-1202": "7.93",
}
_PUBLISHED_TABLE_2 = {
    "plain-18": "27.94",
    "plain-34": "28.54",
    "residual-18": "27.88",
    "residual-34": "25.03",
}


def shortcuts(config: TrainConfig) -> Comparison:
    """The plain network, and the residual one with options A, B and C.

    Args:
      config: `TrainConfig` of a residual network of basic blocks.

    Raises:
      UserError: there is no plain network of that depth.

    Source: He et al., 2016, Table 3.
    """
    plain = PLAIN_OF[config.network]
    check_depth(plain, config.depth)
    trainings = {"plain": config.with_options(network=plain, shortcut=None)}
    trainings |= {option: config.with_options(shortcut=option) for option in "ABC"}
    return Comparison(
        "Table 3",
        trainings,
        {f"{config.depth} layers": list(trainings)},
        [
            Claim("shortcuts of any option are considerably better", "A", "plain", "test"),
            Claim("B is slightly better than A", "B", "A", "test"),
            Claim("C is marginally better than B", "C", "B", "test"),
        ],
        {"plain": "28.54", "A": "25.03", "B": "24.52", "C": "24.19"}
        if (config.network, config.depth) == ("ResNet", 34)
        else {},
    )


def warm_up(config: TrainConfig) -> Comparison:
    """A deep network that begins at a low rate until it has begun to learn, and one that does not.

    Args:
      config: `TrainConfig`; it begins at its `warmup_learning_rate`.

    Source: He et al., 2016, section 4.2.
    """
    trainings = {
        "warm-up": config.with_options(warmup_error=config.warmup_error or 0.8),
        "without": config.with_options(warmup_error=0.0),
    }
    return Comparison(
        "The warm-up of section 4.2",
        trainings,
        {f"{config.depth} layers": list(trainings)},
        [Claim("without a warm-up it begins later, and ends alike", "without", "warm-up")],
    )


def single_layer(config: TrainConfig) -> Comparison:
    """A plain network, one with a shortcut around each layer, and one around each two.

    Args:
      config: `TrainConfig` of a residual network of basic blocks.

    Source: He et al., 2016, section 3.2.
    """
    plain = PLAIN_OF[config.network]
    check_depth(plain, config.depth)
    trainings = {
        "plain": config.with_options(network=plain, shortcut=None),
        "one-layer": config.with_options(block="single_layer"),
        "two-layers": config,
    }
    return Comparison(
        "F of a single layer, section 3.2",
        trainings,
        {f"{config.depth} layers": list(trainings)},
        [
            Claim("a shortcut around one layer brings no advantage", "one-layer", "plain"),
            Claim("one around two layers does", "two-layers", "plain"),
        ],
    )


def with_seeds(
    trainings: Mapping[str, TrainConfig], seeds: int
) -> dict[str, dict[str, TrainConfig]]:
    """Each training so many times, with seeds that count up from its own.

    Returns:
      By the name of a training, `TrainConfig` by the name of its run: that of the first is the
      training's own, so that runs which are there already are part of it.
    """
    return {
        name: {
            run_name(name, config, seed): config.with_options(seed=seed)
            for seed in range(config.seed, config.seed + seeds)
        }
        for name, config in trainings.items()
    }


def run_name(name: str, config: TrainConfig, seed: int) -> str:
    """What the run of a training with a seed is called."""
    return name if seed == config.seed else f"{name}-seed{seed}"
