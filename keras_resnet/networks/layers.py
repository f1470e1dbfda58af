"""The parts of a residual network as Keras layers: convolution, batch norm, shortcuts, blocks.

A block computes `ReLU(F(x) + shortcut(x))` (He et al., 2016, eq. 1 and 2), with batch
normalization after each convolution and before each activation. A block without a shortcut is the
block of a plain net. All layers take and give [batch, height, width, channels].
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.networks import frozen_bn, synchronized_bn
from keras_resnet.networks.families import SHORTCUTS, STRIDE_PLACES

# Batch, height, width, channels.
Shape: TypeAlias = tuple[int | None, int | None, int | None, int]

# The paper's is ReLU; the others are for comparison. The slope is the one of Maas et al., 2013.
LEAKY_SLOPE = 0.01
ACTIVATIONS = {
    "relu": tf.nn.relu,
    "leaky_relu": functools.partial(tf.nn.leaky_relu, alpha=LEAKY_SLOPE),
    # TensorFlow 2.21 fuses convolution, normalization and Tanh into an operation that it then does
    # not have on CPU ("Fusion is not implemented"). Negations keep them apart.
    "tanh": lambda x: -tf.math.tanh(-x),
    "sigmoid": tf.math.sigmoid,
}

# He et al., 2015 ("MSRA"): zero-mean normal of variance 2 / fan_in, not truncated.
HE_NORMAL = {"scale": 2.0, "mode": "fan_in", "distribution": "untruncated_normal"}


# Of fewer channels oneDNN's gradient of a 1x1 kernel that leaves out pixels is wrong, and another
# one each time (TensorFlow 2.21): pixels are left out before.
_ONEDNN_CHANNELS = 8


def _symmetric_padding(size: int) -> list[list[int]]:
    """Zeros on each side, so that an odd-sized kernel of stride 1 keeps height and width."""
    return [[0, 0], [size // 2, size // 2], [size // 2, size // 2], [0, 0]]


def _dilated_convolution(
    inputs: tf.Tensor, kernel: tf.Tensor | keras.Variable, dilation: int
) -> tf.Tensor:
    """A convolution of stride 1 whose kernel sees every so many-th pixel only, with its gradients.

    TensorFlow 2.21 has none of it on CPU. The gradient of the inputs is such a convolution with the
    kernel turned round. That of each pixel of the kernel is a product of matrices.
    """

    @tf.custom_gradient
    def convolve(
        inputs: tf.Tensor, kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
            of_kernel = _kernel_gradient(inputs, upstream, kernel.shape, dilation)
            of_inputs = _dilated_convolution(upstream, turned, dilation)
            return of_inputs, tf.cast(of_kernel, kernel.dtype)

        return tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=dilation), gradients

    return convolve(inputs, tf.convert_to_tensor(kernel))


def _kernel_gradient(
    inputs: tf.Tensor, upstream: tf.Tensor, shape: tf.TensorShape, dilation: int
) -> tf.Tensor:
    """The gradient of a dilated kernel [height, width, in, out], at least in float32."""
    # A sum over all places, which bfloat16 would round each time.
    wide = tf.float32 if inputs.dtype == tf.bfloat16 else inputs.dtype
    inputs, upstream = tf.cast(inputs, wide), tf.cast(upstream, wide)
    height, width, *channels = shape
    sides = tf.unstack(tf.shape(inputs)[1:3])
    pixels = []
    for row, column in itertools.product(range(height), range(width)):
        # How far what the pixel of the kernel sees is from what it adds to.
        ways = [dilation * (place - side // 2) for place, side in ((row, height), (column, width))]
        lengths = [tf.maximum(side - abs(way), 0) for side, way in zip(sides, ways, strict=True)]
        seen = _rows_of_window(inputs, [max(0, way) for way in ways], lengths)
        added = _rows_of_window(upstream, [max(0, -way) for way in ways], lengths)
        pixels.append(tf.matmul(seen, added, transpose_a=True))
    return tf.reshape(tf.stack(pixels), [height, width, *channels])


def _rows_of_window(values: tf.Tensor, starts: list[int], lengths: list[tf.Tensor]) -> tf.Tensor:
    """The pixels of a window of [n, height, width, channels], a row for each."""
    sides = tf.unstack(tf.shape(values)[1:3])
    begin = [tf.minimum(start, side) for start, side in zip(starts, sides, strict=True)]
    window = tf.slice(values, [0, *begin, 0], [-1, *lengths, -1])
    return tf.reshape(window, [-1, values.shape[-1]])


@keras.saving.register_keras_serializable(package="keras_resnet")
class Convolution(keras.layers.Conv2D):
    """A convolution, He-initialized, by default without bias, padded alike on both sides.

    TensorFlow's "same" pads an even input 2/3 under a 7x7 kernel of stride 2; Caffe and torch pad
    3/3, and converted weights depend on it.

    Args:
      filters: output channels.
      kernel_size: odd side of the kernel, in pixels.
      strides: step of the kernel, in pixels; the output is ceil(input / strides) on each side.
      dilation_rate: distance of the pixels that the kernel sees; above 1 where `strides` is 1.
    """

    def __init__(self, filters: int, kernel_size: int, strides: int = 1, **kwargs: Any) -> None:
        settings = {
            "padding": "same",
            "use_bias": False,
            "kernel_initializer": keras.initializers.VarianceScaling(**HE_NORMAL),
            "data_format": "channels_last",
        }
        super().__init__(filters, kernel_size, strides=strides, **{**settings, **kwargs})
        checks.check_one_of("data_format", self.data_format, ["channels_last"])

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = self.convolution_op(inputs, self.kernel)
        # Keras's broadcasting addition would not be fused with the convolution.
        return tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor | keras.Variable) -> tf.Tensor:
        if self.dilation_rate != (1, 1):
            return _dilated_convolution(inputs, kernel, self.dilation_rate[0])
        # Padding given as numbers would send the gradients past oneDNN's kernels: on CPU a training
        # step would take 1.5 to 2 times as long.
        strides = self.strides
        if self.kernel_size[0] == 1 and strides != (1, 1) and inputs.shape[-1] < _ONEDNN_CHANNELS:
            inputs, strides = tf.nn.max_pool2d(inputs, 1, strides, "VALID"), (1, 1)
        if self.kernel_size[0] == 1 or strides == (1, 1):
            return tf.nn.conv2d(inputs, kernel, strides, "SAME")
        inputs = tf.pad(inputs, _symmetric_padding(self.kernel_size[0]))
        return tf.nn.conv2d(inputs, kernel, self.strides, "VALID")


@keras.saving.register_keras_serializable(package="keras_resnet")
class MaxPooling(keras.layers.MaxPooling2D):
    """Max pooling padded alike on both sides (the 3x3 pool after conv1).

    Args:
      pool_size: odd side of the window, in pixels.
      strides: step of the window, in pixels.
    """

    def __init__(self, pool_size: int, strides: int, **kwargs: Any) -> None:
        settings = {"padding": "same", "data_format": "channels_last"}
        super().__init__(pool_size, strides=strides, **{**settings, **kwargs})

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        padding = _symmetric_padding(self.pool_size[0])
        inputs = tf.pad(inputs, padding, constant_values=inputs.dtype.min)
        return tf.nn.max_pool2d(inputs, self.pool_size, self.strides, "VALID")


@keras.saving.register_keras_serializable(package="keras_resnet")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization over the last of four axes, from TensorFlow's fused kernels.

    Keras's layer of the same name is not fused (1.5x slower ResNet-50 training steps on CPU).
    Float64 has no fused kernel and takes the plain formula. Either way the moving variance averages
    the unbiased batch variance, as Caffe and torch do.

    Args:
      momentum: share of the moving statistics that a step keeps.
      epsilon: added to the variance.
      synchronized: normalize by the moments of the global batch instead of the replica's.
    """

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, synchronized=synchronized, **kwargs)

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        is_frozen = bool(training) and not self.trainable
        training = bool(training) and self.trainable
        across_replicas = training and self.synchronized and synchronized_bn.has_other_replicas()
        # The fused kernels keep their statistics in float32 for float32, bfloat16 and float16.
        if inputs.dtype == tf.float64:
            results = self._normalize_by_formula(inputs, training, across_replicas)
        elif is_frozen:
            results = self._normalize_frozen(inputs), None, None
        elif across_replicas:
            gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
            results = synchronized_bn.batch_normalization(inputs, gamma, beta, self.epsilon)
        else:
            results = self._normalize_fused(inputs, training)
        outputs, mean, unbiased_variance = results
        if training:
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, unbiased_variance)
        return outputs

    def _normalize_fused(
        self, inputs: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=None if training else tf.convert_to_tensor(self.moving_mean),
            variance=None if training else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=training,
        )

    def _normalize_frozen(self, inputs: tf.Tensor) -> tf.Tensor:
        """Within a training step; other inference is fused with the convolution before it."""
        return frozen_bn.batch_normalization(
            inputs,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            tf.convert_to_tensor(self.moving_mean),
            tf.convert_to_tensor(self.moving_variance),
            self.epsilon,
        )

    def _normalize_by_formula(
        self, inputs: tf.Tensor, training: bool, across_replicas: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        mean, variance = self.moving_mean, self.moving_variance
        unbiased_variance = variance
        if training:
            mean, variance = tf.nn.moments(inputs, axes=[0, 1, 2])
            count = tf.size(inputs) // tf.shape(inputs)[-1]
            if across_replicas:
                mean, variance, count = synchronized_bn.global_moments(mean, variance, count)
            unbiased_variance = synchronized_bn.unbiased(variance, count)
        outputs = tf.nn.batch_normalization(
            inputs, mean, variance, self.beta, self.gamma, tf.constant(self.epsilon, inputs.dtype)
        )
        return outputs, mean, unbiased_variance

    def _update(self, moving: keras.Variable, value: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


@keras.saving.register_keras_serializable(package="keras_resnet")
class ZeroPaddedShortcut(keras.layers.Layer):
    """Option A: the identity, subsampled, with zeros for the added channels; parameter-free.

    Args:
      filters: output channels, at least the input's.
      strides: step of the subsampling, in pixels.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        added = self.filters - inputs.shape[-1]
        # The maximum of one pixel is the pixel: six times as fast as a strided slice.
        subsampled = tf.nn.max_pool2d(inputs, 1, self.strides, "VALID")
        return tf.pad(subsampled, [[0, 0], [0, 0], [0, 0], [0, added]])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "filters": self.filters, "strides": self.strides}


@keras.saving.register_keras_serializable(package="keras_resnet")
class ProjectionShortcut(keras.layers.Layer):
    """Options B and C: a 1x1 convolution with batch normalization (W_s in eq. 2).

    Args:
      filters: output channels.
      strides: step of the convolution, in pixels.
      synchronized: see `BatchNormalization`.
      folded: see `Block`.
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        synchronized: bool = False,
        folded: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.synchronized = synchronized
        self.folded = folded
        settings = {"use_bias": folded, "dtype": self.dtype_policy, "name": "conv"}
        self.conv = Convolution(filters, 1, strides, **settings)
        self.bn = None
        if not folded:
            settings = {"synchronized": synchronized, "dtype": self.dtype_policy, "name": "bn"}
            self.bn = BatchNormalization(**settings)

    def build(self, input_shape: Shape) -> None:
        self.conv.build(input_shape)
        if self.bn is not None:
            self.bn.build(self.conv.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = self.conv(inputs)
        return x if self.bn is None else self.bn(x)

    def get_config(self) -> dict[str, object]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "synchronized": self.synchronized,
            "folded": self.folded,
        }


@keras.saving.register_keras_serializable(package="keras_resnet")
class Activation(keras.layers.Layer):
    """A nonlinearity as a layer.

    Args:
      activation: one of `ACTIVATIONS`.
    """

    def __init__(self, activation: str, **kwargs: Any) -> None:
        checks.check_one_of("activation", activation, ACTIVATIONS)
        super().__init__(**kwargs)
        self.activation = activation

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return ACTIVATIONS[self.activation](inputs)

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "activation": self.activation}


class Block(keras.layers.Layer):
    """What all blocks share: convolutions in a row, each normalized, and a shortcut around them.

    Args:
      table: (channels, kernel size, stride) of each convolution, in order.
      dilation: of the convolutions whose kernels are larger than a pixel.
      subsample: False: the block keeps height and width whatever its strides; the convolutions that
        come after one of stride 2 are dilated twice as much instead. So every second pixel of the
        output is what the block would give otherwise. (In bottlenecks with the stride in the 3x3
        convolution that one keeps its dilation, as in torchvision; where the 1x1 convolution has
        the stride, and in the second of a basic block, it doubles.)
      folded: convolutions with biases and no normalization, which is then part of their weights:
        the same function, faster, and not to be trained (see `serving.folding`).
    """

    def __init__(
        self,
        table: Sequence[tuple[int, int, int]],
        filters: int,
        strides: int,
        shortcut: str | None,
        synchronized: bool,
        activation: str = "relu",
        folded: bool = False,
        dilation: int = 1,
        subsample: bool = True,
        **kwargs: Any,
    ) -> None:
        if shortcut is not None:
            checks.check_one_of("shortcut", shortcut, SHORTCUTS)
        checks.check_one_of("activation", activation, ACTIVATIONS)
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.shortcut = shortcut
        self.synchronized = synchronized
        self.activation = activation
        self.folded = folded
        self.dilation = dilation
        self.subsample = subsample
        dtype = self.dtype_policy
        self.convolutions = []
        for position, (channels, size, stride) in enumerate(table, 1):
            settings = {"use_bias": folded, "dtype": dtype, "name": f"conv{position}"}
            if size > 1:
                settings["dilation_rate"] = dilation
            self.convolutions.append(
                Convolution(channels, size, stride if subsample else 1, **settings)
            )
            dilation *= 1 if subsample else stride
        self.norms = [
            BatchNormalization(synchronized=synchronized, dtype=dtype, name=f"bn{position}")
            for position in range(1, 1 if folded else len(table) + 1)
        ]
        self.shortcut_layer: keras.layers.Layer | None = None

    def build(self, input_shape: Shape) -> None:
        shape = input_shape
        for position, conv in enumerate(self.convolutions):
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
            if not self.folded:
                self.norms[position].build(shape)
        changes_shape = self.strides != 1 or input_shape[-1] != shape[-1]
        strides = self.strides if self.subsample else 1
        settings = {"strides": strides, "dtype": self.dtype_policy, "name": "shortcut"}
        if self.shortcut == "C" or (self.shortcut == "B" and changes_shape):
            self.shortcut_layer = ProjectionShortcut(
                shape[-1], synchronized=self.synchronized, folded=self.folded, **settings
            )
        elif self.shortcut == "A" and changes_shape:
            self.shortcut_layer = ZeroPaddedShortcut(shape[-1], **settings)
        if self.shortcut_layer is not None:
            self.shortcut_layer.build(input_shape)

    def activate(self, x: tf.Tensor) -> tf.Tensor:
        """The nonlinearity after each convolution but the last, and where `merge` wants it."""
        return ACTIVATIONS[self.activation](x)

    def merge(self, residual: tf.Tensor, shortcut: tf.Tensor) -> tf.Tensor:
        """The output for F(x) and x (eq. 1) or the projection of x (eq. 2)."""
        return self.activate(residual + shortcut)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs
        for position, conv in enumerate(self.convolutions):
            if position > 0:
                x = self.activate(x)
            x = conv(x)
            if not self.folded:
                x = self.norms[position](x)
        if self.shortcut is None:
            return self.activate(x)
        return self.merge(x, inputs if self.shortcut_layer is None else self.shortcut_layer(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        for conv in self.convolutions:
            input_shape = conv.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, object]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "shortcut": self.shortcut,
            "synchronized": self.synchronized,
            "activation": self.activation,
            "folded": self.folded,
            "dilation": self.dilation,
            "subsample": self.subsample,
        }


@keras.saving.register_keras_serializable(package="keras_resnet")
class BasicBlock(Block):
    """Two 3x3 convolutions and a shortcut around them.

    From [batch, h, w, any] to [batch, ceil(h / strides), ceil(w / strides), filters].

    Args:
      filters: channels of both convolutions and of the output.
      strides: stride of the first convolution and of the shortcut, in pixels.
      shortcut: "A" zero-padded identity where the shape changes, "B" projection where the shape
        changes, "C" projection always (section 4.1); None: no shortcut, a plain block.
      synchronized: see `BatchNormalization`.
      activation: "relu", "leaky_relu" (slope 0.01), "tanh" or "sigmoid".

    Raises:
      ValueError: `shortcut` or `activation` is none of these.

    Source: He et al., 2016, figure 5 left.
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        shortcut: str | None = "B",
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        table = [(filters, 3, strides), (filters, 3, 1)]
        super().__init__(table, filters, strides, shortcut, synchronized, **kwargs)


@keras.saving.register_keras_serializable(package="keras_resnet")
class BottleneckBlock(Block):
    """1x1, 3x3, 1x1 convolutions and a shortcut around them.

    From [batch, h, w, any] to [batch, ceil(h / strides), ceil(w / strides), 4 * filters].

    Args:
      filters: channels of the first two convolutions; the output has four times as many.
      strides: stride of the block, in pixels.
      shortcut: as for `BasicBlock`.
      bottleneck_stride: the convolution that carries the stride: "1x1", the first (the authors',
        "v1"), or "3x3" (torchvision's and timm's, "v1.5").
      synchronized, activation: as for `BasicBlock`.

    Raises:
      ValueError: `shortcut`, `bottleneck_stride` or `activation` is none of these.

    Source: He et al., 2016, figure 5 right.
    """

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        shortcut: str | None = "B",
        bottleneck_stride: str = "1x1",
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        checks.check_one_of("bottleneck_stride", bottleneck_stride, STRIDE_PLACES)
        first, second = (strides, 1) if bottleneck_stride == "1x1" else (1, strides)
        table = [(filters, 1, first), (filters, 3, second), (4 * filters, 1, 1)]
        super().__init__(table, filters, strides, shortcut, synchronized, **kwargs)
        self.bottleneck_stride = bottleneck_stride

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "bottleneck_stride": self.bottleneck_stride}


def parts(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers that one of this module's layers is made of, in order; none for any other."""
    if isinstance(layer, Block):
        shortcut = [] if layer.shortcut_layer is None else [layer.shortcut_layer]
        if layer.folded:
            return layer.convolutions + shortcut
        pairs = zip(layer.convolutions, layer.norms, strict=True)
        return [part for pair in pairs for part in pair] + shortcut
    if isinstance(layer, ProjectionShortcut):
        return [layer.conv] if layer.folded else [layer.conv, layer.bn]
    return []
