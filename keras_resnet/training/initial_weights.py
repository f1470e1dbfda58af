"""The weights of a network that a training begins with: where they are, and whether they fit."""

import json

from keras_resnet.checks import UserError
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig, run_of
from keras_resnet.weights.local import WeightFile, open_weights


def initial_weights(config: TrainConfig) -> WeightFile:
    """The `WeightFile` that a training begins with.

    Args:
      config: `TrainConfig` with `weights`.

    Raises:
      UserError: they cannot be had, or do not say what they expect of images.
    """
    assert config.weights is not None
    file = open_weights(config.weights, _family_of_names(config), config.depth)
    if file.preprocessing is None:
        raise UserError(
            f"{file.path} does not say what its network expects of images. Of a network of yours "
            "take the .keras file; of weights like a published set's keras-resnet convert_weights "
            "--like=SET makes one. "
            f"Received: weights={config.weights!r}"
        )
    return file


# What networks that weights have names for are like.
_DEFAULTS = {
    "ResNet": {"shortcut": "B", "stem": "imagenet", "width": 64},
    "CifarResNet": {"shortcut": "A", "width": 16},
}


def _family_of_names(config: TrainConfig) -> str | None:
    """The family of a network of which `open_weights` knows names; None: it is another one."""
    if config.network not in _DEFAULTS:
        return None
    of_default = {**_DEFAULTS[config.network], "block": None, "activation": "relu"}
    fits = all(getattr(config, name) in (None, value) for name, value in of_default.items())
    return config.network if fits else None


def check_weights_fit(model: ResNet, file: WeightFile, new_head: bool) -> None:
    """Raises UserError unless a network can have the weights of a file.

    Args:
      model: `ResNet`.
      file: `WeightFile`.
      new_head: whether the classifier of the network stays as it is.
    """
    try:
        file.check_fits(model, new_head)
    except UserError as error:
        run = run_of(file.path)
        if run is None:
            raise
        # The run says which network its weights are of.
        options = json.loads((run / "config.json").read_text())
        names = ("network", "depth", "width")
        flags = " ".join(
            f"--{name}={options[name]}" for name in names if options.get(name) is not None
        )
        raise UserError(f"{error} The network of {run}: {flags}") from error
