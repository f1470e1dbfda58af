"""A network as the backbone of a detector or a segmenter: the last map of each of its stages."""

import math
from typing import Any

import keras

from keras_resnet import checks
from keras_resnet.networks.layer_tree import batch_norms, follow_blocks, layers_by_path
from keras_resnet.networks.resnet import ResNet, stage_strides


def feature_pyramid(model: ResNet, output_stride: int | None = None) -> "FeaturePyramid":
    """The last feature maps of a network's stages, to be trained as part of another network.

    The weights are copied; the model is left as it is. As in the paper's detectors the batch
    normalizations are frozen and everything else is trainable. (`trainable = True` of a model sets
    it for all within, `freeze_batch_norm` then freezes them again.)

    Example:
      pyramid = feature_pyramid(ResNet50(weights="imagenet"))
      maps = pyramid(images)  # {"conv2_x": [n, h / 4, w / 4, 256], ..., "conv5_x": ...}

    Args:
      model: `ResNet`, with or without its top.
      output_stride: stride of the last map, in pixels of the image: that of a stage (32, 16, 8 or 4
        for the networks of Table 1). Stages that would go beyond it are dilated, see `ResNet`.
        None: the model's.

    Returns:
      `FeaturePyramid`.

    Raises:
      UserError: the model is no `ResNet`, or none of its stages has the stride.

    Source: He et al., 2016, appendix A; Chen et al., 2015 (DeepLab).
    """
    if not isinstance(model, ResNet):
        raise checks.UserError(f"`model` must be a keras_resnet.ResNet. Received: {model!r}")
    stride = model.get_config()["output_stride"] if output_stride is None else output_stride
    return FeaturePyramid(transferred(model, stride, f"{model.name}_pyramid"))


def transferred(model: ResNet, output_stride: int | None, name: str) -> ResNet:
    """A copy without top, for pictures of any size, whose batch normalizations are frozen."""
    network = ResNet.from_config(
        {
            **model.get_config(),
            "include_top": False,
            "pooling": None,
            "input_shape": [None, None, model.input_shape[-1]],
            "output_stride": output_stride,
            "name": name,
            "frozen": [],
        }
    )
    for layer in network.layers:
        if layer.variables:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    for norm in batch_norms(network):
        norm.trainable = False
    follow_blocks(network)
    return network


@keras.saving.register_keras_serializable(package="keras_resnet")
class FeaturePyramid(keras.Model):
    """The last feature map of each stage of a network, by the names of the stages.

    A functional model from float [batch, height, width, channels] of any size to a dict of
    [batch, ceil(height / stride), ceil(width / stride), channels of the stage]. What is frozen
    inside of its blocks stays so in `.keras` files. KerasHub takes it as an `image_encoder`.

    Args:
      network: `ResNet` without its top, whose layers it takes over.

    Attributes:
      strides: dict of the maps' strides, in pixels of the image.
      preprocessing: that of the network.
    """

    def __init__(self, network: ResNet) -> None:
        config = network.get_config()
        names = [f"conv{stage}_x" for stage, _ in enumerate(config["blocks"], 2)]
        # The last layer of a stage is its last block, or the stack that holds it.
        last_layers = {f"{layer.name.partition('_')[0]}_x": layer for layer in network.layers}
        maps = {name: last_layers[name].output for name in names}
        super().__init__(network.input, maps, name=network.name)
        strides = stage_strides(config["stem"], len(names))
        largest = config["output_stride"] or strides[-1]
        self.strides = {
            name: min(stride, largest) for name, stride in zip(names, strides, strict=True)
        }
        self.preprocessing = network.preprocessing
        self._config = config

    @property
    def pyramid_outputs(self) -> dict[str, keras.KerasTensor]:
        """The maps as KerasHub names them: "P5" has stride 2^5; of maps of one stride the last."""
        return {
            f"P{math.log2(stride):.0f}": self.output[name] for name, stride in self.strides.items()
        }

    def get_config(self) -> dict[str, object]:
        return {
            **self._config,
            "name": self.name,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "frozen": [path for path, layer in layers_by_path(self).items() if not layer.trainable],
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, object] | None = None
    ) -> "FeaturePyramid":
        return cls(ResNet.from_config(config))
