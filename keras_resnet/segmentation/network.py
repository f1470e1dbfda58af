"""Fully convolutional networks on residual networks, as Keras models."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.networks.feature_pyramid import transferred
from keras_resnet.networks.layer_tree import batch_norms, follow_blocks
from keras_resnet.networks.on_canvas import OnCanvas
from keras_resnet.networks.resnet import ResNet, stage_strides
from keras_resnet.segmentation.heads import deeplab_head, fcn_head, scores
from keras_resnet.segmentation.interpolation import resized
from keras_resnet.weights.names import variables_by_name

# Ids of pixels are bytes, of which the last means that a pixel is none of the classes.
MOST_CLASSES = 255

# DeepLabV3's distances at a stride of 8.
RATES = (12, 24, 36)


@keras.saving.register_keras_serializable(package="keras_resnet")
class FCN(OnCanvas):
    """A fully convolutional network: a residual network and a head that scores each place.

    Example:
      segmenter = FCN(ResNet50(weights="imagenet"), classes=21)
      logits = segmenter(images)  # [n, height, width, 21]

    The weights are copied; the network is left as it is. Batch normalizations are trained.

    Args:
      network: `ResNet`, with or without its top.
      classes: number of classes, of which the first is usually the background.
      rates: distances of the pixels that the head of DeepLabV3 sees; none: the head of an FCN.
      output_stride: stride of the last map, in pixels, see `ResNet`.
      auxiliary: whether a second head learns from the last stage but one; it serves training only.
      skip: whether the first stage has scores of its own, which are added: outlines of small things
        become sharper.
      canvas: shorter and longer side of what it sees of a picture, see `Canvas`.
      class_names: names of the classes, in order; travels with the model.
      name: of the model.

    Attributes:
      place: side of what a score of `maps` is for, in pixels.

    Raises:
      UserError: an argument is none of the above; the message names it.

    Source: Long et al., 2015 (FCN); Chen et al., 2015 (DeepLab): dilated stages.
    """

    backbone_parts = ("trunk",)
    # Of which `variables_by_name` tells.
    parts: ClassVar[tuple[str, ...]] = ("trunk", "head", "auxiliary", "skip")

    def __init__(
        self,
        network: ResNet,
        classes: int,
        *,
        rates: Sequence[int] = (),
        output_stride: int = 8,
        auxiliary: bool = True,
        skip: bool = False,
        canvas: Sequence[int] = (520, 868),
        class_names: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        checks.check_integer("classes", classes, 2)
        checks.check_number("classes", classes, 2, below=MOST_CLASSES + 1)
        super().__init__(
            network,
            classes,
            canvas,
            class_names,
            name,
            rates=[checks.check_integer("rates", rate, 1) for rate in rates],
            output_stride=checks.check_integer("output_stride", output_stride, 1),
            auxiliary=checks.check_bool("auxiliary", auxiliary),
            skip=checks.check_bool("skip", skip),
        )
        config = self._config
        first_stride = stage_strides(config["stem"], len(config["blocks"]))[0]
        self.place = first_stride if skip else output_stride
        copy = transferred(network, output_stride, network.name)
        for norm in batch_norms(copy):
            norm.trainable = True
        follow_blocks(copy)
        stages = len(config["blocks"])
        first, inner = (_last_map(copy, stage) for stage in (2, stages))
        self.trunk = keras.Model(copy.input, [first, inner, copy.output], name="trunk")
        settings = {"dtype": self.dtype_policy, "synchronized": config["synchronized"]}
        channels = copy.output.shape[-1]
        if rates:
            self.head = deeplab_head(channels, classes, "head", rates=rates, **settings)
        else:
            self.head = fcn_head(channels, classes, "head", **settings)
        self.auxiliary = None
        if auxiliary:
            self.auxiliary = fcn_head(inner.shape[-1], classes, "auxiliary", **settings)
        self.skip = None
        if skip:
            self.skip = _skip(first.shape[-1], classes, self.variable_dtype)
        self.built = True

    def maps(
        self, images: tf.Tensor, shapes: tf.Tensor | None = None, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Scores of the places of a picture, and those of the auxiliary head, if there is one.

        Args:
          images: [n, height, width, channels].
          shapes: of the pictures on them, int32 [n, 2]; None: they fill them.
          training: whether normalizations take the moments of these images.

        Returns:
          Logits [n, places, places, classes] of the dtype of the weights: a place for so many
          pixels as is the stride, with `skip` for those of the first stage.
        """
        first, inner, last = self.trunk(images, training=training)
        scores = self._scores(images, last, shapes, training)
        if self.skip is not None:
            scores = resized(scores, tf.shape(first)[1:3]) + self.skip(first)
        of_inner = None if self.auxiliary is None else self.auxiliary(inner, training=training)
        return scores, of_inner

    def _scores(
        self, images: tf.Tensor, maps: tf.Tensor, shapes: tf.Tensor | None, training: bool
    ) -> tf.Tensor:
        """What the head says of the last map."""
        if not self._arguments["rates"]:
            return self.head(maps, training=training)
        is_seen = tf.ones_like(maps[..., :1])
        if shapes is not None:
            sides = tf.shape(maps)[1:3]
            ends = self.ends(shapes, sides, tf.shape(images)[1:3])
            rows, columns = (tf.sequence_mask(ends[:, axis], sides[axis]) for axis in range(2))
            is_seen = tf.cast((rows[:, :, None] & columns[:, None])[..., None], maps.dtype)
        return self.head([maps, is_seen], training=training)

    @staticmethod
    def ends(shapes: tf.Tensor, sides: tf.Tensor, canvas: tf.Tensor) -> tf.Tensor:
        """Rows and columns of the places of a map that are those of pictures, int32 [n, 2].

        Args:
          shapes: of the pictures on their canvas, int32 [n, 2].
          sides: of the map, int32 [2].
          canvas: its shape, int32 [2].
        """
        # A place is of the picture where its first pixel is.
        return -(-shapes * sides // canvas)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits of each pixel, [n, height, width, classes]."""
        scores, _ = self.maps(images, training=training)
        return resized(scores, tf.shape(images)[1:3])

    def rows_of_classes(self, places: Sequence[int]) -> dict[str, list[int]]:
        """Which outputs are those of some classes, by layer, see `beginnings.Composite`."""
        parts = [name for name in ("head", "auxiliary", "skip") if getattr(self, name) is not None]
        return {f"{name}/scores": list(places) for name in parts}

    def variables_by_name(self) -> dict[str, keras.Variable]:
        """All variables by our names, such as trunk/conv1/kernel and head/scores/bias."""
        found: dict[str, keras.Variable] = {}
        for name in self.parts:
            part = getattr(self, name)
            if part is not None:
                inside = variables_by_name(part)
                found |= {f"{name}/{inner}": variable for inner, variable in inside.items()}
        return found


def DeepLabV3(network: ResNet, classes: int, **arguments: Any) -> FCN:  # noqa: N802
    """An `FCN` whose head sees what is near, far and everywhere; the other arguments are its.

    Example:
      segmenter = DeepLabV3(ResNet50(weights="imagenet"), classes=21)

    Source: Chen et al., 2017.
    """
    return FCN(network, classes, **{"rates": RATES, **arguments})


def _last_map(network: ResNet, stage: int) -> keras.KerasTensor:
    """That of a stage: of its last block, or the stack that holds it."""
    return [each for each in network.layers if each.name.startswith(f"conv{stage}_")][-1].output


def _skip(channels: int, classes: int, dtype: Any) -> keras.Model:
    maps = keras.Input((None, None, channels))
    return keras.Model(maps, scores(maps, classes, dtype), name="skip")
