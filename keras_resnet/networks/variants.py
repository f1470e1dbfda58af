"""Blocks that are not the paper's, to compare it with."""

from typing import Any

import keras
import tensorflow as tf

from keras_resnet.networks.layers import BasicBlock, Block


@keras.saving.register_keras_serializable(package="keras_resnet")
class InvertedBottleneckBlock(Block):
    """1x1, 3x3, 1x1 convolutions, twice as wide in the middle as at the ends.

    From [batch, h, w, any] to [batch, ceil(h / strides), ceil(w / strides), filters]; the stride is
    that of the 3x3 convolution. Arguments as for `BasicBlock`.
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        shortcut: str | None = "B",
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        table = [(2 * filters, 1, 1), (2 * filters, 3, strides), (filters, 1, 1)]
        super().__init__(table, filters, strides, shortcut, synchronized, **kwargs)


@keras.saving.register_keras_serializable(package="keras_resnet")
class SingleLayerBlock(Block):
    """One 3x3 convolution with a shortcut around it: a linear layer and its input, y = W x + x.

    From [batch, h, w, any] to [batch, ceil(h / strides), ceil(w / strides), filters]. Arguments as
    for `BasicBlock`.

    Source: He et al., 2016, section 3.2, which saw no advantage in it.
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        shortcut: str | None = "B",
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        table = [(filters, 3, strides)]
        super().__init__(table, filters, strides, shortcut, synchronized, **kwargs)


@keras.saving.register_keras_serializable(package="keras_resnet")
class OuterAdditionBlock(BasicBlock):
    """`BasicBlock` that computes ReLU(F(x)) + x: nothing follows the addition."""

    def merge(self, residual: tf.Tensor, shortcut: tf.Tensor) -> tf.Tensor:
        return self.activate(residual) + shortcut


@keras.saving.register_keras_serializable(package="keras_resnet")
class SquaredShortcutBlock(BasicBlock):
    """`BasicBlock` that computes ReLU(F(x) + x^2)."""

    def merge(self, residual: tf.Tensor, shortcut: tf.Tensor) -> tf.Tensor:
        return self.activate(residual + shortcut**2)
