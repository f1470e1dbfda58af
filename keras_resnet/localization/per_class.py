"""A layer with outputs of its own for each of many classes, of which some are computed."""

from typing import Any

import keras
import tensorflow as tf


class PerClass(keras.layers.Layer):
    """A linear layer that is asked for some classes alone: a thousand would be 45,000 outputs.

    Args:
      classes: number of classes.
      outputs: of each class.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, classes: int, outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = classes
        self.outputs = outputs

    def build(self, input_shape: Any) -> None:
        units = self.classes * self.outputs
        self.kernel = self.add_weight(
            shape=(input_shape[-1], units),
            initializer=keras.initializers.RandomNormal(stddev=0.01),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")

    def call(self, inputs: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        """The outputs of some classes at each place.

        Args:
          inputs: [b, places, channels].
          classes: of which each picture is asked, int [b, k].

        Returns:
          [b, k, places, outputs].
        """
        # As a product: the gradient of a gather is not the same twice on a GPU.
        chosen = tf.one_hot(classes, self.classes, dtype=self.compute_dtype)
        kernels = tf.reshape(self.kernel, [-1, self.classes, self.outputs])
        biases = tf.reshape(self.bias, [self.classes, self.outputs])
        of_classes = tf.einsum("bkn,cno->bkco", chosen, tf.cast(kernels, self.compute_dtype))
        offsets = tf.einsum("bkn,no->bko", chosen, tf.cast(biases, self.compute_dtype))
        return tf.einsum("bpc,bkco->bkpo", inputs, of_classes) + offsets[:, :, tf.newaxis]
