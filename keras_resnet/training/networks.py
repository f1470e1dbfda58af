"""The residual network that a configuration describes, which each task makes something of."""

from typing import Any

from keras_resnet import constructors
from keras_resnet.networks.layer_tree import zero_last_gammas
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig
from keras_resnet.weights.local import WeightFile

# The options that have a default of the constructor's where they are unset.
_WITH_DEFAULTS = ("shortcut", "stem", "width", "block", "activation")


def new_network(config: TrainConfig, bottleneck_stride: str | None, **arguments: Any) -> ResNet:
    """A network with random weights.

    Args:
      config: `TrainConfig`.
      bottleneck_stride: that of the weights that it is to have, see `stride_of_weights`; None: that
        of the configuration.
      **arguments: those of `ResNet` that a configuration does not say.

    Raises:
      UserError: there is no such network.
    """
    given = {name: getattr(config, name) for name in _WITH_DEFAULTS}
    model = constructors.constructor(config.network, config.depth)(
        synchronized=config.synchronized_batch_norm,
        dtype=config.dtype,
        bottleneck_stride=bottleneck_stride or config.bottleneck_stride,
        **{name: value for name, value in given.items() if value is not None},
        **arguments,
    )
    if config.zero_last_gamma:
        zero_last_gammas(model)
    return model


def stride_of_weights(config: TrainConfig, file: WeightFile) -> str | None:
    """The place of the stride in the bottlenecks of weights to begin with; None: there are none.

    Raises:
      UserError: the configuration asks for another, or neither says it.
    """
    if config.network != "ResNet" or config.depth < 50:
        return None
    return file.check_stride(config.bottleneck_stride)
