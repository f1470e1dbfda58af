"""Localizers in `.keras` files."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet.localization.network import Localizer
from keras_resnet.weights.composites import load_composite


def load_localizer(run_or_model: str | os.PathLike[str]) -> Localizer:
    """The localizer of a run directory or of a `.keras` file.

    Raises:
      UserError: there is none, it is damaged, or it holds weights that are not finite.
    """
    return load_composite(run_or_model, Localizer, _sizes, Localizer.backbone_parts)


def _sizes(config: dict[str, Any], weights: Mapping[str, np.ndarray]) -> dict[str, tuple[Any, Any]]:
    """What a configuration says of sizes, and what weights show."""
    classes = weights["class_scores/kernel"].shape[-1]
    return {
        "rpn_channels": (config["rpn_channels"], weights["rpn_conv/kernel"].shape[-1]),
        "classes": (config["classes"], classes),
        "anchors": (
            len(config["anchor_sizes"]) * len(config["anchor_ratios"]),
            weights["rpn_scores/kernel"].shape[-1] / classes,
        ),
    }
