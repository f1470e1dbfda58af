"""How much of a training goes into checkpoints, at the default interval.

The claim: under 2%. A checkpoint is written, hashed and forced to disk; between two of them are
500 steps. Restoring one, with its verification, is timed besides.
"""

import os
import pathlib
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import keras
import numpy as np
import tensorflow as tf

from keras_resnet import constructors
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.classification.steps import training_values
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.training.batches import stamped
from keras_resnet.training.steps import steps_function

# Name: network, side and batch size; ResNet-50's batch is made for two cores.
NETWORKS = {
    "ResNet-20, batch 128": (
        lambda: constructors.CifarResNet(20, input_shape=(32, 32, 3)),
        32,
        128,
    ),
    "ResNet-50, batch 32": (lambda: constructors.ResNet50(input_shape=(224, 224, 3)), 224, 32),
}
ROUNDS = 5


def measure(construct, side, batch_size, directory):
    """Seconds of a step, of writing a checkpoint and of restoring one: lists."""
    model = construct()
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    take_steps = steps_function(
        training_values(model),
        ("loss", "top1"),
        model,
        optimizer,
        tf.distribute.get_strategy(),
        global_batch_size=batch_size,
        weight_decay=1e-4,
        average_statistics=True,
    )
    images = np.random.default_rng(0).normal(size=(batch_size, side, side, 3)).astype(np.float32)
    labels = np.zeros(batch_size, np.int64)
    batches = iter(stamped(tf.data.Dataset.from_tensors((images, labels)).repeat()))
    checkpoints = Checkpoints(directory, model=model.variables, optimizer=optimizer.variables)
    numbers = iter(range(ROUNDS + 1))
    functions = {
        "step": lambda: take_steps(batches, tf.constant(1)),
        "write": lambda: checkpoints.save(next(numbers), {}),
        "restore": checkpoints.restore_newest,
    }
    return common.seconds_in_turns(functions, ROUNDS)


def main():
    """Measures in turns and prints medians."""
    common.print_processor()
    interval = RECIPES["imagenet"]["paper"].checkpoint_every_steps
    for name, (construct, side, batch_size) in NETWORKS.items():
        with tempfile.TemporaryDirectory() as directory:
            seconds = measure(construct, side, batch_size, pathlib.Path(directory))
            size = sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*.*")) / 2
        step, write, restore = (statistics.median(seconds[n]) for n in ("step", "write", "restore"))
        print(
            f"{name}: step {step:.2f} s, checkpoint of {size / 1e6:.0f} MB written in "
            f"{write:.2f} s, restored in {restore:.2f} s: {write / (interval * step):.3%} of "
            f"{interval} steps"
        )


if __name__ == "__main__":
    main()
