"""Faster R-CNN on a residual network, as a Keras model."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.detection import regions
from keras_resnet.detection.anchors import RATIOS, VOC_SIZES, anchor_shapes
from keras_resnet.detection.options import (
    LARGEST_REGION,
    MOST_CHANNELS,
    MOST_PROPOSALS,
    POOLINGS,
)
from keras_resnet.networks.feature_pyramid import transferred
from keras_resnet.networks.on_canvas import OnCanvas
from keras_resnet.networks.resnet import ResNet, stage_strides
from keras_resnet.weights.names import variables_by_name

_CUTS = {"align": regions.align, "max": regions.pool}

# By which codes are multiplied: those of regions vary less than those of anchors.
REGION_SCALES = (10.0, 10.0, 5.0, 5.0)


_MOST = {
    "region_size": LARGEST_REGION,
    "proposals": MOST_PROPOSALS,
    "rpn_channels": MOST_CHANNELS,
}


@keras.saving.register_keras_serializable(package="keras_resnet")
class FasterRCNN(OnCanvas):
    """Faster R-CNN as in the paper: all stages but the last are shared, the last looks at regions.

    Example:
      detector = FasterRCNN(ResNet101(weights="imagenet"), classes=20)

    The weights are copied; the network is left as it is. Batch normalizations are frozen. `finder`
    of `detection.inference` makes a function of pictures of it.

    Args:
      network: `ResNet`, with or without its top.
      classes: number of classes of objects.
      canvas: shorter and longer side, see `Canvas`.
      anchor_sizes: see `anchors.anchor_shapes`.
      anchor_ratios: the same.
      region_size: side of what is cut out of a feature map for each region, in places.
      pooling: "align" (RoIAlign) or "max" (the RoI pooling of Fast R-CNN).
      rpn_channels: of the region proposal network.
      proposals: number of regions of a picture that it looks at.
      class_names: names of the classes, in order; travels with the model.
      name: of the model.

    Raises:
      UserError: an argument is none of the above; the message names it.

    Source: He et al., 2016, appendix A; Ren et al., 2015 (Faster R-CNN).
    """

    backbone_parts = ("trunk", "head")

    def __init__(
        self,
        network: ResNet,
        classes: int,
        *,
        canvas: Sequence[int] = (600, 1000),
        anchor_sizes: Sequence[float] = VOC_SIZES,
        anchor_ratios: Sequence[float] = RATIOS,
        region_size: int = 14,
        pooling: str = "align",
        rpn_channels: int = 512,
        proposals: int = 300,
        class_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        given = {
            "region_size": checks.check_integer("region_size", region_size, 1),
            "rpn_channels": checks.check_integer("rpn_channels", rpn_channels, 1),
            "proposals": checks.check_integer("proposals", proposals, 1),
        }
        for argument, most in _MOST.items():
            checks.check_number(argument, given[argument], 1, below=most + 1)
        checks.check_one_of("pooling", pooling, POOLINGS)
        super().__init__(
            network,
            classes,
            canvas,
            class_names,
            name,
            anchor_sizes=checked_sizes("anchor_sizes", anchor_sizes),
            anchor_ratios=checked_sizes("anchor_ratios", anchor_ratios),
            pooling=pooling,
            **given,
        )
        self.proposals = proposals
        self.stride, self.trunk, self.head = parts_of(network)
        self.anchor_shapes = anchor_shapes(anchor_sizes, anchor_ratios)
        number = len(self.anchor_shapes)
        self.rpn_conv = small_convolution(
            rpn_channels, 3, "rpn_conv", dtype=self.dtype_policy, activation="relu"
        )
        # Of float32 under mixed_bfloat16, too: coarser codes would move a box of 512 pixels by one.
        wide = self.variable_dtype
        self.rpn_scores = small_convolution(number, 1, "rpn_scores", dtype=wide)
        self.rpn_codes = small_convolution(4 * number, 1, "rpn_codes", dtype=wide)
        self.class_scores = small_dense(classes + 1, 0.01, "class_scores", wide)
        self.box_codes = small_dense(4 * classes, 0.001, "box_codes", wide)
        self._cut = _CUTS[pooling]
        self._region_size = region_size
        self._build()

    def _build(self) -> None:
        channels = self.trunk.output.shape[-1]
        self.rpn_conv.build((None, None, None, channels))
        for layer in (self.rpn_scores, self.rpn_codes):
            layer.build((None, None, None, self._arguments["rpn_channels"]))
        for layer in (self.class_scores, self.box_codes):
            layer.build((None, self.head.output.shape[-1]))
        self.built = True

    def propose(self, maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the region proposal network says of each anchor: [n, anchors] and [n, anchors, 4].

        The scores are logits; the codes are those of `boxes.encode`. Both are of the dtype of the
        weights.
        """
        count = tf.shape(maps)[0]
        hidden = self.rpn_conv(maps)
        scores = tf.reshape(self.rpn_scores(hidden), [count, -1])
        codes = tf.reshape(self.rpn_codes(hidden), [count, -1, 4])
        return scores, codes

    def look(
        self, maps: tf.Tensor, boxes: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What the last stage says of regions.

        Args:
          maps: what `trunk` gives, [n, height, width, channels].
          boxes: [n, regions, 4].
          training: whether normalizations that are not frozen take the moments of these regions.

        Returns:
          Logits [n, regions, 1 + classes], of background first, and codes [n, regions, classes, 4],
          of the dtype of the weights.
        """
        count, number = tf.unstack(tf.shape(boxes)[:2])
        parts = self._cut(maps, boxes, self.stride, self._region_size)
        parts = tf.reshape(parts, [-1, self._region_size, self._region_size, maps.shape[-1]])
        of_parts = tf.cast(self.head(parts, training=training), self.variable_dtype)
        features = tf.reduce_mean(of_parts, axis=(1, 2))
        logits = tf.reshape(self.class_scores(features), [count, number, 1 + self.classes])
        codes = tf.reshape(self.box_codes(features), [count, number, self.classes, 4])
        return logits, codes

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.trunk(images)

    def rows_of_classes(self, places: Sequence[int]) -> dict[str, list[int]]:
        """Which outputs are those of some classes, by layer, see `beginnings.Composite`."""
        fours = [4 * place + part for place in places for part in range(4)]
        return {"class_scores": [0, *(place + 1 for place in places)], "box_codes": fours}

    def variables_by_name(self) -> dict[str, keras.Variable]:
        """All variables by our names, such as trunk/conv1/kernel and rpn_conv/bias."""
        layers = (self.rpn_conv, self.rpn_scores, self.rpn_codes)
        return named_variables(
            [self.trunk, self.head], [*layers, self.class_scores, self.box_codes]
        )


def named_variables(
    parts: Sequence[keras.Model], layers: Sequence[keras.layers.Layer]
) -> dict[str, keras.Variable]:
    """The variables of parts of a backbone, and of layers with kernels and biases, by our names."""
    found: dict[str, keras.Variable] = {}
    for part in parts:
        inside = variables_by_name(part)
        found |= {f"{part.name}/{name}": variable for name, variable in inside.items()}
    for layer in layers:
        found |= {f"{layer.name}/kernel": layer.kernel, f"{layer.name}/bias": layer.bias}
    return found


def checked_sizes(name: str, values: object) -> list[float]:
    """The numbers above 0, one or more, that an argument must be."""
    listed = checks.plain(values)
    if not isinstance(listed, list | tuple) or not listed:
        raise checks.UserError(
            f"`{name}` must be one or more numbers. Received: {name}={checks.shown(values)}"
        )
    for value in listed:
        checks.check_positive(name, value)
    return list(listed)


def parts_of(network: ResNet) -> tuple[int, keras.Model, keras.Model]:
    """The stride of the last stage but one, and all up to it, and the last stage, as models."""
    config = network.get_config()
    copy = transferred(network, None, network.name)
    stages = len(config["blocks"])
    # The last layer of a stage is its last block, or the stack that holds it.
    shared = [layer for layer in copy.layers if layer.name.startswith(f"conv{stages}_")][-1].output
    trunk = keras.Model(copy.input, shared, name="trunk")
    head = keras.Model(shared, copy.output, name="head")
    return stage_strides(config["stem"], stages)[-2], trunk, head


def small_convolution(filters: int, size: int, name: str, **kwargs: Any) -> keras.layers.Conv2D:
    """A convolution with biases that begins with small weights."""
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    return keras.layers.Conv2D(
        filters, size, padding="same", kernel_initializer=initializer, name=name, **kwargs
    )


def small_dense(units: int, deviation: float, name: str, dtype: Any) -> keras.layers.Dense:
    """A dense layer that begins with small weights, of a standard deviation."""
    initializer = keras.initializers.RandomNormal(stddev=deviation)
    return keras.layers.Dense(units, kernel_initializer=initializer, dtype=dtype, name=name)
