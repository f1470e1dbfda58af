"""How a network answers one image in testing: one crop, ten crops, or the image at several scales.

Each protocol gives an image the mean of the softmax over several views of it (section 3.4).
"""

import functools
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet import checks
from keras_resnet.class_names import check_finite
from keras_resnet.classification.options import PROTOCOLS
from keras_resnet.data import batches
from keras_resnet.data.sources import Source
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.images.resizing import resized, resized_window, shape_after_resize
from keras_resnet.networks import resnet
from keras_resnet.networks.inference import inference

# Shorter sides for a network of 224x224; others are scaled alike.
SIDES = (224, 256, 384, 480, 640)

# More than so many times the network's size is a mistake, or more than a machine's memory.
LARGEST_SIDE = 16


def ten_crops(image: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The four corners and the center of the resized image, and their mirrors.

    Args:
      image: as for `Preprocessing.pixels`.
      preprocessing: `Preprocessing` of the network; its `resize` is the shorter side.

    Returns:
      float32 [10, size, size, channels], the network's inputs; the mirrors come last.

    Source: Krizhevsky et al., 2012, section 4.1.
    """
    pixels = preprocessing.pixels(image)
    shape = tf.shape(pixels)[:2]
    resized_shape = shape_after_resize(shape, preprocessing.resize)
    last = resized_shape - preprocessing.size
    places = [[0, 0], [0, last[1]], [last[0], 0], last, last // 2]
    size, interpolation = preprocessing.size, preprocessing.interpolation
    crops = tf.stack(
        [resized_window(pixels, resized_shape, place, size, interpolation) for place in places]
    )
    return preprocessing.normalize(tf.concat([crops, tf.reverse(crops, axis=[2])], axis=0))


def whole_and_mirror(image: tf.Tensor, preprocessing: Preprocessing, side: int) -> tf.Tensor:
    """The whole image with a given shorter side, and its mirror.

    Args:
      image: as for `ten_crops`.
      preprocessing: `Preprocessing` of the network, with a mean per channel.
      side: shorter side in pixels.

    Returns:
      float32 [2, height, width, channels].
    """
    pixels = preprocessing.pixels(image)
    shape = tf.shape(pixels)[:2]
    whole = resized(pixels, shape_after_resize(shape, side), preprocessing.interpolation)
    inputs = (whole - preprocessing.mean) / preprocessing.deviation
    return tf.stack([inputs, tf.reverse(inputs, axis=[1])])


def fully_convolutional(model: resnet.ResNet) -> Callable[[tf.Tensor], tf.Tensor]:
    """The network as a function of images of any size from its own upwards.

    The last feature map is averaged over each window of the size that the network was made for; the
    classifier sees each window, and its scores are averaged over the windows. On an image of the
    network's own size that is the network itself.

    Args:
      model: `ResNet` with a `preprocessing`.

    Returns:
      A function from float [batch, height, width, channels] to logits [batch, classes].

    Raises:
      UserError: the model has no classifier.

    Source: He et al., 2016, section 3.4; Simonyan and Zisserman, 2015, section 3.2.
    """
    resnet.logits_model(model)
    config, preprocessing = model.get_config(), resnet.needed_preprocessing(model)
    shape = [None, None, preprocessing.channels]
    copy = resnet.ResNet.from_config({**config, "input_shape": shape})
    copy.set_weights(model.get_weights())
    features = keras.Model(copy.input, copy.get_layer("avg_pool").input)
    infer = inference(features)
    size = preprocessing.size
    window = features.compute_output_shape((1, size, size, shape[-1]))[1:3]

    def logits(images: tf.Tensor) -> tf.Tensor:
        windows = tf.nn.avg_pool2d(infer(images), window, 1, "VALID")
        return copy.get_layer("fc")(tf.reduce_mean(windows, axis=[1, 2]))

    return logits


def default_sides(preprocessing: Preprocessing) -> tuple[int, ...]:
    """The paper's five sides, scaled from 224 pixels to the network's size."""
    return tuple(round(side * preprocessing.size / 224) for side in SIDES)


def answers(
    model: resnet.ResNet,
    source: Source,
    protocol: str = "1-crop",
    sides: Sequence[int] | None = None,
    batch_size: int = 128,
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities that a network gives every image of a source under a protocol.

    Args:
      model: `ResNet` with a `preprocessing`.
      source: `Source`.
      protocol: "1-crop", "10-crop" or "multi-scale" (the whole image and its mirror at several
        shorter sides, fully convolutional).
      sides: for "multi-scale", shorter sides in pixels; None: `default_sides`.
      batch_size: views at once; the result does not depend on it. For "multi-scale" it is two.

    Returns:
      float32 [images, classes] and the labels, int64 [images], in order.

    Raises:
      UserError: a value is not supported, an image cannot be read, or an answer is not finite.
    """
    checks.check_one_of("protocol", protocol, PROTOCOLS)
    batch_size = checks.check_integer("batch_size", batch_size, 1)
    preprocessing = batches.for_source(resnet.needed_preprocessing(model), source)
    if protocol != "multi-scale":
        if sides is not None:
            raise checks.UserError(
                f"`sides` is for protocol='multi-scale'. Received: sides={sides!r} with "
                f"protocol={protocol!r}"
            )
        logits = inference(resnet.logits_model(model))
        if protocol == "1-crop":
            return _mean_softmax(
                logits, source, lambda image: preprocessing(image)[tf.newaxis], 1, batch_size
            )
        return _mean_softmax(
            logits, source, lambda image: ten_crops(image, preprocessing), 10, batch_size
        )
    if np.ndim(preprocessing.mean) > 1:
        raise checks.UserError(
            "`protocol` must be 1-crop or 10-crop for a network that subtracts a mean image "
            "(mean='pixel'), which fits no other size. Received: protocol='multi-scale'"
        )
    sides = default_sides(preprocessing) if sides is None else tuple(sides)
    if not sides:
        raise checks.UserError("`sides` must name at least one shorter side. Received: none")
    sides = tuple(checks.check_integer("sides", side, preprocessing.size) for side in sides)
    for side in sides:
        checks.check_number("sides", side, 0, below=LARGEST_SIDE * preprocessing.size + 1)
    logits = fully_convolutional(model)
    total = np.zeros((len(source), model.classes), np.float32)
    for side in sides:
        probabilities, labels = _mean_softmax(
            logits,
            source,
            functools.partial(whole_and_mirror, preprocessing=preprocessing, side=side),
            num_views=2,
            # One image at a time: each has its own size.
            batch_size=2,
            title=f"Shorter side {side}",
        )
        total += probabilities
    return total / len(sides), labels


def _mean_softmax(
    logits: Callable[[tf.Tensor], tf.Tensor],
    source: Source,
    views: Callable[[tf.Tensor], tf.Tensor],
    num_views: int,
    batch_size: int,
    title: str = "Evaluating",
) -> tuple[np.ndarray, np.ndarray]:
    """For every image the mean over its views of the softmax of their logits; and its label."""
    images_at_once = max(1, batch_size // num_views)
    inputs = batches.evaluation_batches(
        source, batches.labelled(views), global_batch_size=images_at_once
    )

    # Whatever the shape of the images: one graph.
    @tf.function(reduce_retracing=True)
    def answer(views: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(views)
        of_views = tf.cast(logits(tf.reshape(views, tf.concat([[-1], shape[2:]], 0))), tf.float32)
        of_images = tf.reshape(tf.nn.softmax(of_views), [shape[0], num_views, of_views.shape[-1]])
        return tf.reduce_mean(of_images, axis=1)

    progress = tqdm.tqdm(
        inputs, title, math.ceil(len(source) / images_at_once), leave=False, disable=None
    )
    with batches.faults_named(source, range(len(source))):
        pairs = [(answer(views), labels) for views, labels, _ in progress]
    probabilities, labels = (
        np.concatenate(parts)[: len(source)] for parts in zip(*pairs, strict=True)
    )
    check_finite("probabilities", probabilities)
    return probabilities, labels
