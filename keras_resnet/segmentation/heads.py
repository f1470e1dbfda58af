"""What makes class scores of a network's last map: the heads of FCN and of DeepLabV3."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_resnet.networks.layers import Activation, BatchNormalization, Convolution

# Channels of all that DeepLabV3 adds.
_CHANNELS = 256


def fcn_head(channels: int, classes: int, name: str, **settings: Any) -> keras.Model:
    """A 3x3 convolution to a quarter of the channels, and one to a score for each class.

    Args:
      channels: of the map, which is its input, [n, height, width, channels].
      classes: number of scores.
      name: of the model.
      **settings: of its layers but for the scores: `dtype`, and `synchronized` of normalizations.

    Source: Long et al., 2015 (FCN), as torchvision has it.
    """
    maps = keras.Input((None, None, channels))
    x = _normalized(maps, channels // 4, 3, "", **settings)
    return keras.Model(maps, scores(x, classes, settings["dtype"].variable_dtype), name=name)


def deeplab_head(
    channels: int, classes: int, name: str, *, rates: Sequence[int], **settings: Any
) -> keras.Model:
    """What is near, far and everywhere of each place, joined: atrous spatial pyramid pooling.

    Args:
      channels: of the map. The inputs are it, and which of its places are of the picture: 1 or 0,
        [n, height, width, 1].
      classes: number of scores.
      name: of the model.
      rates: distances of the pixels that 3x3 convolutions see.
      **settings: see `fcn_head`.

    Source: Chen et al., 2017 (DeepLabV3), as torchvision has it.
    """
    maps = keras.Input((None, None, channels))
    is_seen = keras.Input((None, None, 1))
    parts = [_normalized(maps, _CHANNELS, 1, "near_", **settings)]
    for rate in rates:
        name_of_rate = f"rate{rate}_"
        parts.append(_normalized(maps, _CHANNELS, 3, name_of_rate, rate, **settings))
    mean = Mean(dtype=settings["dtype"], name="mean")(maps, is_seen)
    everywhere = _normalized(mean, _CHANNELS, 1, "everywhere_", **settings)
    parts.append(Spread(dtype=settings["dtype"], name="spread")(everywhere, maps))
    x = keras.layers.Concatenate(dtype=settings["dtype"], name="joined")(parts)
    x = _normalized(x, _CHANNELS, 1, "joined_", **settings)
    x = _normalized(x, _CHANNELS, 3, "", **settings)
    return keras.Model(
        [maps, is_seen], scores(x, classes, settings["dtype"].variable_dtype), name=name
    )


class Mean(keras.layers.Layer):
    """The mean of a map over the places that are seen: [n, 1, 1, channels]."""

    def call(self, maps: tf.Tensor, is_seen: tf.Tensor) -> tf.Tensor:
        # Of thousands of places, which bfloat16 would not count.
        wide = tf.float32 if maps.dtype == tf.bfloat16 else maps.dtype
        is_seen = tf.cast(is_seen, wide)
        total = tf.reduce_sum(tf.cast(maps, wide) * is_seen, axis=[1, 2], keepdims=True)
        mean = total / tf.reduce_sum(is_seen, axis=[1, 2], keepdims=True)
        return tf.cast(mean, maps.dtype)


class Spread(keras.layers.Layer):
    """What is known of a whole map, [n, 1, 1, channels], at each of its places."""

    def call(self, values: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([tf.shape(maps)[:3], [values.shape[-1]]], axis=0)
        return tf.broadcast_to(values, shape)

    def compute_output_shape(
        self, values_shape: Sequence[int | None], maps_shape: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        return (*maps_shape[:3], values_shape[-1])


def _normalized(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    prefix: str,
    rate: int = 1,
    *,
    dtype: Any,
    synchronized: bool,
) -> keras.KerasTensor:
    """A convolution, normalization and rectifier."""
    x = Convolution(filters, size, dilation_rate=rate, dtype=dtype, name=f"{prefix}conv")(x)
    x = BatchNormalization(synchronized=synchronized, dtype=dtype, name=f"{prefix}bn")(x)
    return Activation("relu", dtype=dtype, name=f"{prefix}relu")(x)


def scores(x: keras.KerasTensor, classes: int, dtype: str) -> keras.KerasTensor:
    """A score for each class, by a 1x1 convolution with biases, which begins as torch's do."""
    initializer = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    settings = {"use_bias": True, "kernel_initializer": initializer}
    return Convolution(classes, 1, dtype=dtype, name="scores", **settings)(x)
