"""Networks with a backbone in `.keras` files, read as data: nothing in them is executed."""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import keras
import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.weights import keras_files
from keras_resnet.weights.architecture import architecture
from keras_resnet.weights.damage import explained

_Model = TypeVar("_Model", bound=keras.Model)


def load_composite(
    run_or_model: str | os.PathLike[str],
    kind: type[_Model],
    sizes: Callable[[dict[str, Any], Mapping[str, np.ndarray]], Mapping[str, tuple[Any, Any]]],
    backbone_parts: tuple[str, ...],
) -> _Model:
    """The network of a run directory or of a `.keras` file.

    Args:
      run_or_model: path.
      kind: its class, which has `variables_by_name`.
      sizes: a function of a configuration and the weights by our names, to what the one says of
        sizes and the other shows, by the names of arguments.
      backbone_parts: names of the parts that are the backbone's.

    Raises:
      UserError: there is none, it is damaged, or it holds weights that are not finite.
    """
    path = keras_files.keras_file(run_or_model)
    config = keras_files.read_config(path, kind.__name__)
    weights = keras_files.read_weights(path, of_parts=True)
    with explained(path, "describes its network wrongly"):
        # Before memory is spent on another size.
        inside = {
            name.partition("/")[2]: value
            for name, value in weights.items()
            if name.partition("/")[0] in backbone_parts
        }
        found, network = architecture(inside), config["network"]
        of_backbone = {name: (network[name], found[name]) for name in ("blocks", "filters")}
        for name, (described, shown) in {**of_backbone, **sizes(config, weights)}.items():
            if described != shown:
                raise ValueError(f"{name}={described!r}, of {shown!r} are the weights")
        model = kind.from_config(config)
    variables = model.variables_by_name()
    if variables.keys() != weights.keys():
        name = min(variables.keys() ^ weights.keys())
        raise UserError(
            f"{path} is damaged: it {'lacks' if name in variables else 'has'} {name}"
            f"{'' if name in variables else ' besides what its network has'}."
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
    return model
