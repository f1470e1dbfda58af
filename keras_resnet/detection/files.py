"""Detectors in `.keras` files, read as data: nothing in them is executed."""

import os
from typing import Any

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.weights import keras_files
from keras_resnet.weights.architecture import architecture
from keras_resnet.weights.damage import explained

# Of the names of weights that the network has, see `FasterRCNN.variables_by_name`.
_PARTS = ("trunk/", "head/")


def load_detector(run_or_model: str | os.PathLike[str]) -> FasterRCNN:
    """The detector of a run directory or of a `.keras` file.

    Raises:
      UserError: there is none, it is damaged, or it holds weights that are not finite.
    """
    path = keras_files.keras_file(run_or_model)
    config = keras_files.read_config(path, FasterRCNN.__name__)
    weights = keras_files.read_weights(path, of_parts=True)
    with explained(path, "describes its detector wrongly"):
        _check_size(config, weights)
        detector = FasterRCNN.from_config(config)
    variables = detector.variables_by_name()
    if variables.keys() != weights.keys():
        name = min(variables.keys() ^ weights.keys())
        raise UserError(
            f"{path} is damaged: it {'lacks' if name in variables else 'has'} {name}"
            f"{'' if name in variables else ' besides what its detector has'}."
        )
    for name, variable in variables.items():
        if weights[name].shape != tuple(variable.shape):
            raise UserError(
                f"{path} is damaged: {name} has the shape {weights[name].shape}, and by its "
                f"configuration {tuple(variable.shape)}."
            )
        if not np.isfinite(weights[name]).all():
            raise UserError(
                f"{path} cannot be used: {name} is not finite. The training that left it had "
                "diverged: take an earlier file, such as the run's best.keras."
            )
    for name, variable in variables.items():
        variable.assign(weights[name])
    return detector


def _check_size(config: dict[str, Any], weights: dict[str, np.ndarray]) -> None:
    """Raises ValueError where a description is of another size: before memory is spent on it."""
    inside = {name.partition("/")[2]: weights[name] for name in weights if name.startswith(_PARTS)}
    found = architecture(inside)
    network = config["network"]
    sizes = {
        **{name: (network[name], found[name]) for name in ("blocks", "filters")},
        "rpn_channels": (config["rpn_channels"], weights["rpn_conv/kernel"].shape[-1]),
        "classes": (config["classes"], weights["class_scores/kernel"].shape[-1] - 1),
        "anchors": (
            len(config["anchor_sizes"]) * len(config["anchor_ratios"]),
            weights["rpn_scores/kernel"].shape[-1],
        ),
    }
    for name, (described, of_weights) in sizes.items():
        if described != of_weights:
            raise ValueError(f"{name}={described!r}, of {of_weights!r} are the weights")
