"""Which network weights are of, as far as their names and shapes tell it."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet.checks import UserError

_STEMS = {7: "imagenet", 3: "cifar"}

# What a network computes beside its weights, and a file of weights may say.
OF_FUNCTION = ("stem", "block", "shortcut", "bottleneck_stride", "activation")


def architecture(weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The arguments of `ResNet` that weights of ours show.

    Where bottlenecks have their stride they do not show, nor what has no weights: option A looks
    like a plain net, and activations like each other. Nor do they show it within stacked blocks.

    Args:
      weights: dict of arrays by our names.

    Returns:
      dict of `stem`, `block`, `blocks`, `filters`, `include_top`, `classes` (with the top) and
      `shortcut`; None for a shortcut that cannot be told.

    Raises:
      UserError: they are of no residual network.
    """
    matches = (re.match(r"conv(\d)_(\d+)(?:-(\d+))?/", name) for name in weights)
    # Stage, first and last position: of a block the same, of a stack of them not.
    spans = {(int(m[1]), int(m[2]), int(m[3] or m[2])) for m in matches if m}
    blocks: list[int] = []
    filters: list[int] = []
    while f"conv{len(blocks) + 2}_1/conv1/kernel" in weights:
        stage = len(blocks) + 2
        blocks.append(sum(last - first + 1 for number, first, last in spans if number == stage))
        filters.append(weights[f"conv{stage}_1/conv1/kernel"].shape[-1])
    stages = {number for number, _, _ in spans}
    if not blocks or len(stages) != len(blocks) or "conv1/kernel" not in weights:
        raise UserError("The weights are of no residual network with blocks of its own.")
    is_bottleneck = "conv2_1/conv3/kernel" in weights
    found = {
        "stem": _STEMS.get(weights["conv1/kernel"].shape[0]),
        "block": "bottleneck" if is_bottleneck else "basic",
        "blocks": blocks,
        "filters": filters,
        "include_top": "fc/kernel" in weights,
        "shortcut": _shortcut(weights, spans),
    }
    if found["include_top"]:
        found["classes"] = weights["fc/kernel"].shape[-1]
    return found


def _shortcut(weights: Mapping[str, np.ndarray], spans: set[tuple[int, int, int]]) -> str | None:
    blocks = {f"conv{stage}_{first}" for stage, first, last in spans if first == last}
    if len(blocks) < len(spans):
        return None
    projecting = {block for block in blocks if f"{block}/shortcut/conv/kernel" in weights}
    if projecting == blocks:
        return "C"
    return "B" if "conv3_1" in projecting else None


def describe(weights: Mapping[str, np.ndarray]) -> str:
    """A few words for the network that weights of ours are of."""
    try:
        found = architecture(weights)
    except UserError:
        return "another kind of network"
    listing = ", ".join(map(str, found["blocks"]))
    return f"{name_of(found)} ({found['block']} blocks: {listing})"


def name_of(found: dict[str, Any]) -> str:
    """A name for what `architecture` found: resnet50, cifar_resnet20."""
    convolutions = {"basic": 2, "bottleneck": 3}[found["block"]]
    prefix = {"imagenet": "", "cifar": "cifar_"}.get(found["stem"], "")
    return f"{prefix}resnet{convolutions * sum(found['blocks']) + 2}"
