"""Training steps of ResNet-50, ours against keras.applications and, if installed, torchvision.

All take the same plain loop: forward, cross-entropy, backward, SGD with momentum, on a batch of
random images in memory; where the processor has AMX or AVX512-BF16, in mixed_bfloat16 as well. The
aims: 1.4 times keras.applications in float32, and with AMX 1.8 times in mixed_bfloat16.

  python benchmarks/training_step.py [batch size] [rounds]
"""

import functools
import os
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import tensorflow as tf
from common import torch, torchvision

import keras_resnet
from keras_resnet.processor import bfloat16_instructions

BATCH_SIZE = 32
ROUNDS = 7
SIZE = 224
CLASSES = 1000


def keras_step(make_model, dtype, batch_size):
    """A training step of a Keras model under a dtype policy."""
    images = tf.random.stateless_uniform([batch_size, SIZE, SIZE, 3], [0, 0])
    labels = tf.random.stateless_uniform([batch_size], [0, 1], maxval=CLASSES, dtype=tf.int32)
    keras.config.set_dtype_policy(dtype)
    model = make_model(classifier_activation=None)
    keras.config.set_dtype_policy("float32")
    variables = model.trainable_variables
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return lambda: step().numpy()


def torchvision_step(dtype, batch_size):
    """A training step of torchvision's ResNet-50, channels last, autocast for bfloat16."""
    model = torchvision.models.resnet50().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images = torch.rand(batch_size, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, [batch_size])

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "mixed_bfloat16"):
            logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main(batch_size=BATCH_SIZE, rounds=ROUNDS):
    """Measures each precision that the processor has a use for, and prints medians and ratios."""
    common.print_processor()
    for dtype in ["float32"] + ["mixed_bfloat16"] * bool(bfloat16_instructions()):
        peer = functools.partial(keras.applications.ResNet50, weights=None)
        steps = {
            "keras_resnet": keras_step(keras_resnet.ResNet50, dtype, batch_size),
            "keras.applications": keras_step(peer, dtype, batch_size),
        }
        if torchvision:
            steps["torchvision"] = torchvision_step(dtype, batch_size)
        seconds = common.seconds_in_turns(steps, rounds)
        for name, times in seconds.items():
            rate = batch_size / statistics.median(times)
            ratio = common.median_ratio(times, seconds["keras_resnet"])
            print(f"{dtype}, batch {batch_size}: {name} {rate:.2f} images/s; ours {ratio:.2f} x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
