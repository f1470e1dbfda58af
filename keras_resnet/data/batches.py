"""Which images are seen, and in which order: batches as index arithmetic over a source.

A batch is a row of indices, see `training_order`: nothing but a step number is needed to go on.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.data.integrity import faults_named
from keras_resnet.data.sources import Source
from keras_resnet.images.augmentation import draw
from keras_resnet.images.preprocessing import PlainPreprocessing, Preprocessing
from keras_resnet.process.processor import usable_processors

# Images fetched from a source at once: enough to hide the cost of a call into Python.
FETCH_SIZE = 64

# Fetches at once, enough to hide a slow disk; the images of each wait in memory.
_MOST_FETCHES = 16

# Global batches that are kept ready.
_BATCHES_AHEAD = 2


def training_order(
    num_examples: int,
    seed: int,
    start: int,
    stop: int,
    shard: tuple[int, int] = (0, 1),
    batch_size: int = 1,
) -> tf.data.Dataset:
    """The endless shuffled order of training examples, from any position at once.

    Position p is in epoch p // num_examples; each epoch is one true permutation, drawn from
    (seed, epoch) alone. A global batch is `batch_size` consecutive positions, whatever the number
    of replicas and workers, and may straddle two epochs.

    Args:
      num_examples: size of the source.
      seed: integer that selects the order.
      start, stop: positions; the stream covers [start, stop).
      shard: (w, W): keep only the w-th of W equal parts of every global batch.
      batch_size: of the global batch, a multiple of W.

    Returns:
      tf.data.Dataset of an index (int64) and the random numbers of its augmentation (see
      `augmentation.draw`), which depend on seed, epoch and index alone.
    """
    shard_index, num_shards = shard
    seed = tf.constant(seed, tf.int64)

    @tf.autograph.experimental.do_not_convert
    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_examples, dtype=tf.int64), tf.stack([seed, epoch])
        )
        first = tf.maximum(start - epoch * num_examples, 0)
        last = tf.minimum(stop - epoch * num_examples, num_examples)
        indices = order[first:last]
        if num_shards > 1:
            positions = tf.range(epoch * num_examples + first, epoch * num_examples + last)
            part = positions % batch_size // (batch_size // num_shards)
            indices = tf.boolean_mask(indices, part == shard_index)
        draws = tf.gather(draw(num_examples, seed, epoch), indices)
        return tf.data.Dataset.from_tensor_slices((indices, draws))

    last_epoch = -(-stop // num_examples)
    return tf.data.Dataset.range(start // num_examples, last_epoch).flat_map(epoch_order)


def examples(
    source: Source, order: tf.data.Dataset, function: Callable[..., Any]
) -> tf.data.Dataset:
    """Calls a function with the examples of a source, in parallel, in a given order.

    Args:
      source: `Source`.
      order: tf.data.Dataset of tuples of scalars, of which the first is an index.
      function: of image, label and the tuple's scalars.

    Returns:
      tf.data.Dataset of what the function gives.
    """

    # No Python branch or loop depends on tensors in them: AutoGraph, which would rewrite them and
    # all that they call, takes 3 s of every start.
    @tf.autograph.experimental.do_not_convert
    def fetch(*scalars: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return *source.fetch(scalars[0]), *scalars

    @tf.autograph.experimental.do_not_convert
    def finish(fetched: tf.Tensor, label: tf.Tensor, *scalars: tf.Tensor) -> Any:
        return function(source.open(fetched), label, *scalars)

    parallel = usable_processors()
    fetched = order.batch(FETCH_SIZE).map(fetch, min(parallel, _MOST_FETCHES)).unbatch()
    return fetched.map(finish, parallel).with_options(_not_tuned())


def _not_tuned() -> tf.data.Options:
    """Options for pipelines whose every number is given.

    Where TensorFlow measures them all the same, pictures take up to half as long again, and to free
    an iterator can wait until the next measurement, up to a minute (TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def training_batches(
    source: Source,
    example: Callable[..., Any],
    *,
    seed: int,
    global_batch_size: int,
    num_replicas: int,
    first_step: int,
    last_step: int,
    shard: tuple[int, int] = (0, 1),
    finish: Callable[[tf.data.Dataset], tf.data.Dataset] = lambda batches: batches,
) -> tf.data.Dataset:
    """Batches of a range of training steps, one element for each replica in turn.

    Element k * R + r is replica r's part of this worker's k-th batch, R being the replicas of a
    worker.

    Args:
      source: `Source` of all that is seen in an epoch.
      example: what a batch has of each image: a function of image, label, index and random numbers
        (see `training_order`).
      seed: integer that selects order and augmentation.
      global_batch_size: examples per step, over all replicas and workers.
      num_replicas: number of replicas, over all workers.
      first_step, last_step: steps [first_step, last_step), counted from 0.
      shard: (worker, number of workers).
      finish: what becomes of the batches before some are kept ready.

    Returns:
      tf.data.Dataset of what `example` gives, each tensor [b, ...].
    """
    order = training_order(
        len(source),
        seed,
        first_step * global_batch_size,
        last_step * global_batch_size,
        shard,
        global_batch_size,
    )
    return _batched(
        examples(source, order, example),
        global_batch_size // num_replicas,
        last_step - first_step,
        num_replicas // shard[1],
        finish,
    )


def evaluation_batches(
    source: Source,
    example: Callable[..., Any],
    *,
    global_batch_size: int,
    num_replicas: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Every image once, in order, with the last batch filled up by images of weight 0.

    Args: as for `training_batches`; `example` is a function of image, label and weight, a float32
      scalar: 1, or 0 for what fills up.

    Returns:
      tf.data.Dataset of what `example` gives, each tensor [b, ...].
    """
    shard_index, num_shards = shard

    @tf.autograph.experimental.do_not_convert
    def in_shard(position: tf.Tensor) -> tf.Tensor:
        return position % global_batch_size // (global_batch_size // num_shards) == shard_index

    def weighted(image: tf.Tensor, label: tf.Tensor, index: tf.Tensor, position: tf.Tensor) -> Any:
        return example(image, label, tf.cast(position == index, tf.float32))

    num_steps = -(-len(source) // global_batch_size)
    order = (
        tf.data.Dataset.range(num_steps * global_batch_size)
        .filter(in_shard)
        .map(lambda position: (tf.minimum(position, len(source) - 1), position))
    )
    return _batched(
        examples(source, order, weighted),
        global_batch_size // num_replicas,
        num_steps,
        num_replicas // num_shards,
    )


def for_source(preprocessing: Preprocessing, source: Source) -> Preprocessing:
    """The preprocessing, or one that does the same for images of a source and is ready sooner."""
    return PlainPreprocessing.of(preprocessing) if source.is_plain else preprocessing


def labelled(
    views: Callable[[tf.Tensor], tf.Tensor],
) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """For `evaluation_batches`: what a network sees of an image, the label and the weight.

    Args:
      views: function of an image, such as a `Preprocessing`.
    """
    return lambda image, label, weight: (views(image), label, weight)


def _batched(
    dataset: tf.data.Dataset,
    batch_size: int,
    num_steps: int,
    num_replicas: int,
    finish: Callable[[tf.data.Dataset], tf.data.Dataset] = lambda batches: batches,
) -> tf.data.Dataset:
    """A worker's batches, ready when they are asked for, and whose number `fit` can know.

    What is of different sizes is filled up with zeros.
    """
    shapes = (spec.shape for spec in tf.nest.flatten(dataset.element_spec))
    are_equal = all(shape.is_fully_defined() for shape in shapes)
    batch = dataset.batch if are_equal else dataset.padded_batch
    return (
        batch(batch_size, drop_remainder=True)
        .apply(finish)
        .apply(tf.data.experimental.assert_cardinality(num_steps * num_replicas))
        .prefetch(_BATCHES_AHEAD * num_replicas)
    )


# --- Means


def channel_mean(
    source: Source, preprocessing: Preprocessing, num_images: int | None = 10_000
) -> tuple[float, ...]:
    """Mean of each channel over (evenly spaced) images as the network sees them, 0 to 255."""
    return tuple(pixel_mean(source, preprocessing, num_images).mean(axis=(0, 1)).tolist())


def pixel_mean(
    source: Source, preprocessing: Preprocessing, num_images: int | None = None
) -> np.ndarray:
    """The mean image over a source (the paper's per-pixel mean).

    Args:
      source: `Source` to average over.
      preprocessing: gives the size; its mean is not used.
      num_images: at most so many, evenly spaced; None: all.

    Returns:
      float64 [size, size, channels], 0 to 255.

    Raises:
      UserError: an image cannot be read; the message says which.
    """
    preprocessing = for_source(preprocessing, source)
    step = 1 if num_images is None else -(-len(source) // num_images)
    indices = range(0, len(source), step)
    order = tf.data.Dataset.range(0, len(source), step).map(lambda index: (index,))
    images = examples(source, order, lambda image, *_: preprocessing.center_crop(image)).batch(256)
    total = np.zeros(())
    progress = tqdm.tqdm(
        images, "Averaging the images", -(-len(indices) // 256), leave=False, disable=None
    )
    with faults_named(source, indices):
        for batch in progress:
            total = total + batch.numpy().sum(axis=0, dtype=np.float64)
    return total / len(indices)
