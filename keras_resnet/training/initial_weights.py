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
    file = open_weights(config.weights, _depth_of_sets(config))
    if file.preprocessing is None:
        raise UserError(
            f"{file.path} does not say what its network expects of images. Of a network of yours "
            "take the .keras file; of weights like a published set's keras-resnet convert_weights "
            "--like=SET makes one. "
            f"Received: weights={config.weights!r}"
        )
    return file


def _depth_of_sets(config: TrainConfig) -> int | None:
    """The depth for which published sets fit the network of a configuration; None: none does."""
    of_default = {
        **{"shortcut": "B", "stem": "imagenet", "width": 64},
        **{"block": None, "activation": "relu"},
    }
    fits = config.network == "ResNet" and all(
        getattr(config, name) in (None, value) for name, value in of_default.items()
    )
    return config.depth if fits else None


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
