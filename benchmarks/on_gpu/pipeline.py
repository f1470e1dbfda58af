"""The input pipeline of this machine, from JPEGs in memory: what a GPU must wait for."""

import time

import numpy as np
import tensorflow as tf
from on_gpu import networks  # noqa: F401, it sets TensorFlow up

from keras_resnet.classification.examples import training_example
from keras_resnet.data import batches
from keras_resnet.data.sources import MemorySource
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.process.memory import keep_freed_memory
from keras_resnet.process.processor import processor_name


def measure(report):
    """Reports how many images a second the ImageNet recipe makes, and decoding alone."""
    keep_freed_memory()  # As `train` does.
    batch_size, steps = (4, 3) if report.smoke else (256, 40)
    images = _photographs(8 if report.smoke else 512)
    sides = {
        "keras_resnet": _pipeline(images, batch_size, 2 * steps),
        "decoding alone": _decoding(images, batch_size, 2 * steps),
    }
    for name, dataset in sides.items():
        report.measure(
            f"input, {name}, {processor_name()}",
            lambda dataset=dataset: _rate(dataset, batch_size, steps),
        )


def _rate(dataset, batch_size, steps):
    """Of the last half of twice as many steps: tf.data first finds its pace."""
    for number, _ in enumerate(dataset):
        if number == steps - 1:
            started = time.perf_counter()
    seconds = time.perf_counter() - started
    return {"images_per_second": round(batch_size * steps / seconds, 1)}


def _photographs(number):
    """JPEGs as detailed as photographs: 60 to 100 kB."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(number):
        coarse = tf.constant(rng.uniform(0, 255, [12, 16, 3]), tf.float32)
        pixels = tf.image.resize(coarse, [375, 500], "bicubic")
        pixels += rng.normal(0, 6, pixels.shape)
        pixels = tf.cast(tf.clip_by_value(pixels, 0, 255), tf.uint8)
        images.append(tf.io.encode_jpeg(pixels, quality=90).numpy())
    return images


def _pipeline(images, batch_size, steps):
    labels = np.arange(len(images)) % 10
    source = MemorySource(images, labels, tuple(map(str, range(10))))
    preprocessing = Preprocessing(224, 256, (123.68, 116.78, 103.94))
    recipe = Augmentation("crop_mirror", (256, 480), 0.1)
    with tf.device("CPU:0"):
        return batches.training_batches(
            source,
            training_example(source, preprocessing, recipe),
            seed=0,
            global_batch_size=batch_size,
            num_replicas=1,
            first_step=0,
            last_step=steps,
        )


def _decoding(images, batch_size, steps):
    with tf.device("CPU:0"):
        encoded = tf.data.Dataset.from_tensor_slices(images).repeat()
        pixels = encoded.map(
            lambda image: tf.io.decode_jpeg(image, channels=3)[0, 0, 0], tf.data.AUTOTUNE
        )
        return pixels.batch(batch_size).take(steps)
