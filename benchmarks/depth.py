"""ResNet-1202: our loop over stacked weights against graphs of all blocks.

One peer is a functional model of Keras's own layers, with Python's recursion limit raised, without
which it cannot be built; the other one are our blocks, unrolled. For each: seconds to construct it,
seconds to its first training step, and images per second of further steps. The aims: constructed in
10 s, first step in 45 s, and images per second not below the peers'.

  python benchmarks/depth.py [depth] [batch size] [rounds]
"""

import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import tensorflow as tf

import keras_resnet

DEPTH = 1202
BATCH_SIZE = 16
ROUNDS = 5


def keras_model(depth):
    """The network of section 4.2 with shortcuts A, of Keras's layers alone."""

    def normalized(x, filters, strides):
        convolution = keras.layers.Conv2D(
            filters, 3, strides, "same", use_bias=False, kernel_initializer="he_normal"
        )
        return keras.layers.BatchNormalization()(convolution(x))

    inputs = keras.Input((32, 32, 3))
    x = keras.layers.ReLU()(normalized(inputs, 16, 1))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range((depth - 2) // 6):
            strides = 2 if stage > 0 and block == 0 else 1
            residual = keras.layers.ReLU()(normalized(x, filters, strides))
            residual = normalized(residual, filters, 1)
            if strides == 2:
                x = keras.ops.pad(x[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [0, filters // 2]])
            x = keras.layers.ReLU()(keras.layers.Add()([residual, x]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def our_model(depth, stacked):
    """Our network up to its logits."""
    return keras_resnet.CifarResNet(depth, classifier_activation=None, stacked=stacked)


def training_step(model, batch_size):
    """A function that takes one training step on random images and returns the loss."""
    images = tf.random.stateless_uniform([batch_size, 32, 32, 3], [0, 0])
    labels = tf.random.stateless_uniform([batch_size], [0, 1], maxval=10, dtype=tf.int32)
    variables = model.trainable_variables
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return lambda: step().numpy()


def main(depth=DEPTH, batch_size=BATCH_SIZE, rounds=ROUNDS):
    """Measures the three, and prints seconds, medians and ratios."""
    common.print_processor()
    sys.setrecursionlimit(100_000)
    makers = {
        "ours, stacked": lambda: our_model(depth, stacked=True),
        "ours, unrolled": lambda: our_model(depth, stacked=False),
        "Keras layers": lambda: keras_model(depth),
    }
    steps = {}
    for name, make in makers.items():
        started = time.perf_counter()
        model = make()
        constructed = time.perf_counter()
        steps[name] = training_step(model, batch_size)
        steps[name]()
        first_step = time.perf_counter()
        print(
            f"{name}: constructed in {constructed - started:.1f} s, "
            f"first step {first_step - constructed:.1f} s later",
            flush=True,
        )
    seconds = common.seconds_in_turns(steps, rounds)
    for name, times in seconds.items():
        rate = batch_size / statistics.median(times)
        ratio = common.median_ratio(times, seconds["ours, stacked"])
        print(f"depth {depth}, batch {batch_size}: {name} {rate:.2f} images/s; ours {ratio:.2f} x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
