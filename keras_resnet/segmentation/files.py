"""Segmenters in `.keras` files."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet.segmentation.network import FCN
from keras_resnet.weights.composites import load_composite


def load_segmenter(run_or_model: str | os.PathLike[str]) -> FCN:
    """The segmenter of a run directory or of a `.keras` file.

    Raises:
      UserError: there is none, it is damaged, or it holds weights that are not finite.
    """
    return load_composite(run_or_model, FCN, _sizes, FCN.backbone_parts)


def _sizes(config: dict[str, Any], weights: Mapping[str, np.ndarray]) -> dict[str, tuple[Any, Any]]:
    """What a configuration says of sizes, and what weights show."""
    rates = [name for name in weights if name.startswith("head/rate") and "kernel" in name]
    return {
        "classes": (config["classes"], weights["head/scores/kernel"].shape[-1]),
        "rates": (len(config["rates"]), len(rates)),
    }
