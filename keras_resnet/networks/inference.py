"""Networks as functions that answer, at the speed that the processor can."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_resnet.process import onednn


def inference(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """A network as a function for inference, which is never slower for one picture than for two.

    Where oneDNN would be, it sees a single picture twice, and the second answer is dropped.

    Args:
      network: Keras model, of one output or more.

    Returns:
      A function from images [n, height, width, channels], n of any value, to
      network(images, training=False).
    """

    def answer(images: tf.Tensor) -> tf.Tensor:
        return network(images, training=False)

    def answer_pairs(images: tf.Tensor) -> tf.Tensor:
        number = tf.shape(images)[0]
        second = images[: tf.cast(number == 1, tf.int32)]
        answers = answer(tf.concat([images, second], axis=0))
        return tf.nest.map_structure(lambda values: values[:number], answers)

    return answer_pairs if onednn.is_slow_for_one() else answer
