"""One batch normalization, forward and backward: ours against Keras's, local and synchronized.

The gradients are those of the inputs, gamma and beta. "One replica" takes the path of several, with
collectives of one; "two replicas" have a half of the batch each, on two logical CPUs. The aim:
synchronized, one replica takes at most 2.0 times as long as the local layer.

  python benchmarks/batch_norm.py [rounds]
"""

import functools
import os
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import tensorflow as tf

import keras_resnet.networks.layers
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.networks import synchronized_bn

ROUNDS = 21
SHAPES = ([32, 56, 56, 64], [32, 14, 14, 1024])


class AcrossOneReplica(keras_resnet.networks.layers.BatchNormalization):
    """Synchronized with itself; the layer would take the local kernel."""

    def _normalize_fused(self, inputs, training):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        return synchronized_bn.batch_normalization(inputs, gamma, beta, self.epsilon)


def layer_step(make_layer, dtype, shape, strategy):
    """Forward and backward pass of a layer, each replica with its part of the batch."""
    part = [shape[0] // strategy.num_replicas_in_sync, *shape[1:]]
    with strategy.scope():
        layer = make_layer(dtype=dtype)
        layer.build(part)
    x, dy = (
        strategy.experimental_distribute_values_from_function(
            lambda context, kind=kind: tf.cast(
                tf.random.stateless_normal(part, [kind, context.replica_id_in_sync_group]),
                layer.compute_dtype,
            )
        )
        for kind in range(2)
    )

    def replica_step(x, dy):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        gradients = tape.gradient(outputs, [x, layer.gamma.value, layer.beta.value], dy)
        # TensorFlow leaves out what nobody asks for, such as the outputs.
        return outputs, *gradients

    step = tf.function(lambda: strategy.run(replica_step, args=(x, dy)))
    # All of a step is done when one of its results is.
    return lambda: [value.numpy() for value in strategy.experimental_local_results(step()[-1])]


def main(rounds=ROUNDS):
    """Measures each shape and precision, and prints medians and ratios."""
    common.print_processor()
    two, one = make_strategy(2), make_strategy(1)
    ours, peer = keras_resnet.networks.layers.BatchNormalization, keras.layers.BatchNormalization
    layers = {
        "keras_resnet, local": (ours, one),
        "keras_resnet, synchronized, one replica": (AcrossOneReplica, one),
        "keras_resnet, synchronized, two replicas": (
            functools.partial(ours, synchronized=True),
            two,
        ),
        "keras.layers, local": (peer, one),
        "keras.layers, synchronized, two replicas": (
            functools.partial(peer, synchronized=True),
            two,
        ),
    }
    for shape in SHAPES:
        for dtype in ("float32", "mixed_bfloat16"):
            steps = {
                name: layer_step(make_layer, dtype, shape, strategy)
                for name, (make_layer, strategy) in layers.items()
            }
            seconds = common.seconds_in_turns(steps, rounds)
            for name, times in seconds.items():
                milliseconds = 1000 * statistics.median(times)
                ratio = common.median_ratio(times, seconds["keras_resnet, local"])
                print(f"{shape} {dtype}: {name} {milliseconds:.1f} ms; {ratio:.2f} x local")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
