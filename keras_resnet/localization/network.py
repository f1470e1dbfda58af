"""The paper's localizer on a residual network, as a Keras model."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.detection.anchors import RATIOS, anchor_shapes
from keras_resnet.detection.network import (
    checked_sizes,
    named_variables,
    parts_of,
    small_convolution,
    small_dense,
)
from keras_resnet.detection.options import MOST_CHANNELS
from keras_resnet.localization.per_class import PerClass
from keras_resnet.networks.on_canvas import OnCanvas
from keras_resnet.networks.resnet import ResNet, stage_strides

# Half as large as those of a detector: pictures are, too.
SIZES = (64, 128, 256)


@keras.saving.register_keras_serializable(package="keras_resnet")
class Localizer(OnCanvas):
    """A network that tells the class of a picture, and of each class where it would be.

    Example:
      localizer = Localizer(ResNet101(weights="imagenet"), classes=1000)

    The residual network classifies, over all of the picture. On the maps of its last stage but one
    there is a region proposal network with outputs of its own for each class. The weights are
    copied, but for the classifier; the network is left as it is. Batch normalizations are frozen.
    `finder` of `localization.inference` makes a function of pictures of it.

    Args:
      network: `ResNet`, with or without its top.
      classes: number of classes.
      canvas: shorter and longer side, see `Canvas`.
      anchor_sizes: see `anchors.anchor_shapes`.
      anchor_ratios: the same.
      rpn_channels: of the region proposal network.
      class_names: names of the classes, in order; travels with the model.
      name: of the model.

    Raises:
      UserError: an argument is none of the above; the message names it.

    Source: He et al., 2016, appendix C. There another network classifies; here it is the same one.
    """

    backbone_parts = ("trunk", "head")

    def __init__(
        self,
        network: ResNet,
        classes: int,
        *,
        canvas: Sequence[int] = (256, 427),
        anchor_sizes: Sequence[float] = SIZES,
        anchor_ratios: Sequence[float] = RATIOS,
        rpn_channels: int = 512,
        class_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        checks.check_number(
            "rpn_channels",
            checks.check_integer("rpn_channels", rpn_channels, 1),
            1,
            below=MOST_CHANNELS + 1,
        )
        super().__init__(
            network,
            classes,
            canvas,
            class_names,
            name,
            anchor_sizes=checked_sizes("anchor_sizes", anchor_sizes),
            anchor_ratios=checked_sizes("anchor_ratios", anchor_ratios),
            rpn_channels=rpn_channels,
        )
        self.stride, self.trunk, self.head = parts_of(network)
        self._last_stride = stage_strides(self._config["stem"], len(self._config["blocks"]))[-1]
        self.anchor_shapes = anchor_shapes(anchor_sizes, anchor_ratios)
        number = len(self.anchor_shapes)
        # Of float32 under mixed_bfloat16, too, as those of a detector.
        wide = self.variable_dtype
        self.rpn_conv = small_convolution(
            rpn_channels, 3, "rpn_conv", dtype=self.dtype_policy, activation="relu"
        )
        self.rpn_scores = PerClass(classes, number, name="rpn_scores", dtype=wide)
        self.rpn_codes = PerClass(classes, 4 * number, name="rpn_codes", dtype=wide)
        self.class_scores = small_dense(classes, 0.01, "class_scores", wide)
        self.rpn_conv.build((None, None, None, self.trunk.output.shape[-1]))
        for layer in (self.rpn_scores, self.rpn_codes):
            layer.build((None, None, rpn_channels))
        self.class_scores.build((None, self.head.output.shape[-1]))
        self.built = True

    def classify(
        self, maps: tf.Tensor, shapes: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        """What is said of whole pictures, as logits [n, classes] of the dtype of the weights.

        Args:
          maps: what `trunk` gives, [n, height, width, channels].
          shapes: of the pictures on their canvas, int32 [n, 2], beyond which nothing counts; None:
            they fill it.
          training: whether normalizations that are not frozen take the moments of these pictures.
        """
        last = tf.cast(self.head(maps, training=training), self.variable_dtype)
        if shapes is None:
            return self.class_scores(tf.reduce_mean(last, axis=(1, 2)))
        ends = -(-shapes // self._last_stride)
        rows, columns = (
            tf.sequence_mask(ends[:, axis], tf.shape(last)[1 + axis], last.dtype)
            for axis in range(2)
        )
        total = tf.einsum("nhwc,nh,nw->nc", last, rows, columns)
        places = tf.cast(tf.reduce_prod(ends, axis=1, keepdims=True), last.dtype)
        return self.class_scores(total / places)

    def look(self, maps: tf.Tensor, classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What is said of each anchor, if there is an object of a class: [n, k, anchors(, 4)].

        Args:
          maps: what `trunk` gives, [n, height, width, channels].
          classes: those that each picture is asked for, int [n, k].

        Returns:
          Logits that it is one, and the codes of `boxes.encode`, of the dtype of the weights.
        """
        hidden = self.rpn_conv(maps)
        count, number = tf.unstack(tf.shape(classes))
        hidden = tf.reshape(hidden, [count, -1, hidden.shape[-1]])
        hidden = tf.cast(hidden, self.variable_dtype)
        scores = tf.reshape(self.rpn_scores(hidden, classes), [count, number, -1])
        codes = tf.reshape(self.rpn_codes(hidden, classes), [count, number, -1, 4])
        return scores, codes

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Logits of the classes of pictures without anything beside them, [n, classes]."""
        return self.classify(self.trunk(images))

    def rows_of_classes(self, places: Sequence[int]) -> dict[str, list[int]]:
        """Which outputs are those of some classes, by layer, see `beginnings.Composite`."""
        number = len(self.anchor_shapes)

        def rows(outputs: int) -> list[int]:
            return [outputs * place + part for place in places for part in range(outputs)]

        return {
            "class_scores": list(places),
            "rpn_scores": rows(number),
            "rpn_codes": rows(4 * number),
        }

    def variables_by_name(self) -> dict[str, keras.Variable]:
        """All variables by our names, such as trunk/conv1/kernel and rpn_conv/bias."""
        layers = [self.rpn_conv, self.rpn_scores, self.rpn_codes, self.class_scores]
        return named_variables([self.trunk, self.head], layers)
