"""Training steps of ResNet-50 and of CIFAR's ResNet-20, ours against those of peers.

Ours against keras.applications and, if they are installed, torchvision and PyTorch; those that run
on TensorFlow with oneDNN off and on. All take the same plain loop: forward, cross-entropy,
backward, SGD with momentum, on a batch of random images in memory; where the processor has AMX or
AVX512-BF16, in mixed_bfloat16 as well. Our programs train with oneDNN on. The aims: ResNet-50 at
1.4 times keras.applications, with AMX 1.8 times in mixed_bfloat16; where TensorFlow leaves oneDNN
off, 1.4 times that default and 1.3 times torchvision, and ResNet-20 at 1.8 and 1.15 times.

  python benchmarks/training_step.py [rounds]
"""

import os
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import tensorflow as tf
from common import torch, torchvision

import keras_resnet
from keras_resnet.process.processor import bfloat16_instructions

ROUNDS = 7
# Batch size, side of the images and classes.
IMAGENET = (32, 224, 1000)
CIFAR = (128, 32, 10)


def keras_step(make_model, dtype, batch_size, size, classes):
    """A training step of a Keras model under a dtype policy."""
    images = tf.random.stateless_uniform([batch_size, size, size, 3], [0, 0])
    labels = tf.random.stateless_uniform([batch_size], [0, 1], maxval=classes, dtype=tf.int32)
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


def keras_steps(dtype):
    """The steps of ours and of keras.applications."""

    def peer(**options):
        return keras.applications.ResNet50(weights=None, **options)

    def resnet20(**options):
        return keras_resnet.CifarResNet(20, **options)

    return {
        "ResNet-50, keras_resnet": keras_step(keras_resnet.ResNet50, dtype, *IMAGENET),
        "ResNet-50, keras.applications": keras_step(peer, dtype, *IMAGENET),
        "ResNet-20, keras_resnet": keras_step(resnet20, dtype, *CIFAR),
    }


def torch_step(model, dtype, batch_size, size, classes):
    """A training step of a PyTorch model, channels last, autocast for bfloat16."""
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images = torch.rand(batch_size, 3, size, size).to(memory_format=torch.channels_last)
    labels = torch.randint(classes, [batch_size])

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "mixed_bfloat16"):
            logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_steps(dtype):
    """The steps of torchvision's ResNet-50, and of a ResNet-20 in PyTorch."""
    return {
        "ResNet-50, torchvision": torch_step(torchvision.models.resnet50(), dtype, *IMAGENET),
        "ResNet-20, PyTorch": torch_step(_torch_resnet20(), dtype, *CIFAR),
    }


def _torch_resnet20():
    """The network of section 4.2 with option A, of torchvision's blocks."""
    nn = torch.nn

    class Shortcut(nn.Module):
        """Every second pixel, and channels of zeros."""

        def forward(self, x):
            channels = x.shape[1] // 2
            return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, channels, channels))

    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for width in (16, 32, 64):
        for position in range(3):
            changes = position == 0 and width > 16
            layers.append(
                torchvision.models.resnet.BasicBlock(
                    channels, width, 1 + changes, Shortcut() if changes else None
                )
            )
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def main(rounds=ROUNDS):
    """Measures each precision that the processor has a use for, and prints medians and ratios."""
    common.print_processor()
    for dtype in ["float32"] + ["mixed_bfloat16"] * bool(bfloat16_instructions()):
        makers = {side: (value, keras_steps, dtype) for side, value in common.ONEDNN.items()}
        if torchvision:
            makers["its own oneDNN"] = ("1", torch_steps, dtype)
        with common.in_processes(makers) as steps:
            for network, batch_size in (("ResNet-50", IMAGENET[0]), ("ResNet-20", CIFAR[0])):
                of_network = {n: step for n, step in steps.items() if n.startswith(network)}
                seconds = common.seconds_in_turns(of_network, rounds)
                ours = seconds[f"{network}, keras_resnet, oneDNN on"]
                print(f"{network}, {dtype}, batch {batch_size}, {rounds} rounds")
                for name, times in seconds.items():
                    rate = batch_size / statistics.median(times)
                    ratio = common.median_ratio(times, ours)
                    print(f"  {name}: {rate:.2f} images/s; ours, oneDNN on, {ratio:.2f} x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
