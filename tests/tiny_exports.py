"""SavedModels that answer in no time, or just as late as they are asked to."""

import tensorflow as tf


def write(directory, factor):
    """Writes a version that multiplies.

    `serving_default` gives `y`, `factor` times `x`; `wait` the same after as many seconds as the
    largest `x`; `limited` fails where an `x` exceeds 1; `both` adds `x` and `z`.
    """
    numbers = tf.TensorSpec([None], tf.float32, name="x")
    module = tf.Module()
    module.factor = tf.Variable(float(factor))

    @tf.function(input_signature=[numbers])
    def multiply(x):
        return {"y": module.factor * x}

    @tf.function(input_signature=[numbers])
    def wait(x):
        end = tf.timestamp() + tf.cast(tf.reduce_max(x), tf.float64)
        rounds = tf.while_loop(lambda _: tf.timestamp() < end, lambda n: [n + 1], [0])
        with tf.control_dependencies(rounds):
            return {"y": module.factor * x}

    @tf.function(input_signature=[numbers])
    def limited(x):
        with tf.control_dependencies([tf.debugging.assert_less_equal(x, 1.0, "too large")]):
            return {"y": tf.identity(x)}

    @tf.function(input_signature=[numbers, tf.TensorSpec([None], tf.float32, name="z")])
    def both(x, z):
        return {"y": x + z, "words_bytes": tf.strings.as_string(x), "words": tf.as_string(z)}

    signatures = {"serving_default": multiply, "wait": wait, "limited": limited, "both": both}
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return directory
