"""The functions that an export answers with: from bytes or pixels to classes or features.

A picture that cannot be used does not fail its batch: its row says why in `status`, and holds
zeros, classes of -1 and empty labels.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_resnet.images import headers, preprocessing
from keras_resnet.networks import resnet
from keras_resnet.serving.answers import (
    CONVERT_FIRST,
    DAMAGED,
    NOT_AN_IMAGE,
    OK,
    TOO_LARGE,
    TOO_LONG,
    TOO_MANY_SCANS,
)
from keras_resnet.serving.options import Limits

# Of a progressive JPEG, which has some ten. Each may take as long as decoding all of another.
MAX_SCANS = 100


def signatures(
    model: keras.Model, class_names: Sequence[str], top: int, limits: Limits
) -> tuple[
    dict[str, tuple[Callable[[tf.Tensor], dict[str, tf.Tensor]], tf.TensorSpec]], keras.Model
]:
    """The functions of an export by name, each with the `tf.TensorSpec` of its argument.

    `serving_default` and `features` take `image_bytes`, string [n]: pictures of any sizes;
    `images` takes uint8 [n, height, width, channels]. Of n pictures, n from 0 on, they give

    - `probabilities`: float32 [n, classes];
    - `classes`: int32 [n, top], the most probable first, and their `labels`: string [n, top];
    - `features` (that signature only, instead of these): float32 [n, channels of the last stage],
      the average over the last feature map;
    - `status`: string [n], one of those in `answers`.

    Args:
      model: `ResNet` with a classifier and a `preprocessing`.
      class_names: strings, one for each class.
      top: number of classes named for each picture; no more than there are.
      limits: `Limits` of `image_bytes`.

    Returns:
      dict of pairs, and the Keras model that the functions use, to be tracked with them.
    """
    logits = resnet.logits_model(model)
    network = keras.Model(model.input, [model.get_layer("avg_pool").output, logits.output])
    of_model = model.preprocessing
    top = min(top, len(class_names))

    def classified(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        _, logits = network(_at_least_one(inputs), training=False)
        logits = tf.cast(logits, tf.float32)[: tf.shape(inputs)[0]]
        probabilities = tf.nn.softmax(logits)
        classes = tf.math.top_k(probabilities, top).indices
        # Made here they are part of the graph; OpenVINO reads no others.
        return probabilities, classes, tf.gather(tf.constant(class_names), classes)

    def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, places, status = usable_rows(image_bytes, of_model, limits)
        count, places = tf.size(status), places[:, tf.newaxis]
        probabilities, classes, labels = classified(inputs)
        no_classes, no_labels = tf.fill([count, top], -1), tf.fill([count, top], "")
        shape = [count, len(class_names)]
        return {
            "probabilities": tf.scatter_nd(tf.cast(places, tf.int32), probabilities, shape),
            "classes": tf.tensor_scatter_nd_update(no_classes, places, classes),
            "labels": tf.tensor_scatter_nd_update(no_labels, places, labels),
            "status": status,
        }

    def serve_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities, classes, labels = classified(
            of_model.normalize(of_model.center_crops(images))
        )
        return {
            "probabilities": probabilities,
            "classes": classes,
            "labels": labels,
            "status": tf.fill(tf.shape(images)[:1], OK),
        }

    def serve_features(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, places, status = usable_rows(image_bytes, of_model, limits)
        features, _ = network(_at_least_one(inputs), training=False)
        features = tf.cast(features, tf.float32)[: tf.shape(inputs)[0]]
        shape = [tf.size(status), features.shape[-1]]
        places = tf.cast(places[:, tf.newaxis], tf.int32)
        return {"features": tf.scatter_nd(places, features, shape), "status": status}

    image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    images = tf.TensorSpec([None, None, None, of_model.channels], tf.uint8, name="images")
    return {
        "serving_default": (serve_bytes, image_bytes),
        "images": (serve_images, images),
        "features": (serve_features, image_bytes),
    }, network


def _at_least_one(inputs: tf.Tensor) -> tf.Tensor:
    """The inputs, or a row of zeros for none: a convolution of nothing is an error."""
    missing = tf.maximum(1 - tf.shape(inputs)[0], 0)
    return tf.pad(inputs, [[0, missing], [0, 0], [0, 0], [0, 0]])


def usable_rows(
    image_bytes: tf.Tensor, of_model: preprocessing.Preprocessing, limits: Limits
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The network's inputs for those of some pictures that can be used.

    Args:
      image_bytes: string [n].
      of_model: `Preprocessing`.
      limits: `Limits`.

    Returns:
      float32 [k, size, size, channels] of the k usable ones, their places among the n, int64 [k],
      and the status of each, string [n].
    """

    def header(place: tf.Tensor, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return place, _status_of_header(image_bytes, limits)

    def row(place: tf.Tensor, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        fits = tf.equal(_status_of_header(image_bytes, limits), OK)
        with headers.checked(fits, "the picture is not to be decoded"):
            return place, of_model(tf.identity(image_bytes))

    count = tf.size(image_bytes, tf.int64)
    shape = [of_model.size, of_model.size, of_model.channels]
    places, found = _rows_without_error(image_bytes, header, tf.constant(DAMAGED), count)
    status = tf.tensor_scatter_nd_update(tf.fill([count], DAMAGED), places[:, tf.newaxis], found)
    places, inputs = _rows_without_error(image_bytes, row, tf.zeros(shape), count)
    # What has a good header and does not decode is damaged.
    decoded = tf.scatter_nd(places[:, tf.newaxis], tf.ones_like(places), [count]) > 0
    status = tf.where(tf.equal(status, OK) & ~decoded, DAMAGED, status)
    return inputs, places, status


def _rows_without_error(
    image_bytes: tf.Tensor,
    function: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    nothing: tf.Tensor,
    count: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What a function of (place, row) gives for the rows for which it is no error, in batches."""
    # A data set is what can lose a row to an error, and works on several at once. The last row,
    # which is cut off again, is there because a batch must have one.
    last = tf.data.Dataset.from_tensors((count, nothing))
    places, values = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(function, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .concatenate(last)
        .batch(count + 1)
        .get_single_element()
    )
    return places[:-1], values[:-1]


def _status_of_header(image_bytes: tf.Tensor, limits: Limits) -> tf.Tensor:
    """The status of a picture before it is decoded; an error where its header is damaged."""

    def of_jpeg() -> tf.Tensor:
        too_many = _number_of_scans(image_bytes) > MAX_SCANS
        return tf.cond(too_many, lambda: TOO_MANY_SCANS, of_size)

    def of_size() -> tf.Tensor:
        pixels = headers.num_pixels(headers.encoded_shape(image_bytes))
        return tf.where(pixels > limits.max_pixels, TOO_LARGE, OK)

    def of_others() -> tf.Tensor:
        return tf.cond(headers.is_decodable(image_bytes), of_size, not_decodable)

    def not_decodable() -> tf.Tensor:
        return tf.where(headers.is_picture(image_bytes), CONVERT_FIRST, NOT_AN_IMAGE)

    too_long = tf.strings.length(image_bytes) > limits.max_bytes
    return tf.cond(
        too_long,
        lambda: TOO_LONG,
        lambda: tf.cond(tf.io.is_jpeg(image_bytes), of_jpeg, of_others),
    )


def _number_of_scans(image_bytes: tf.Tensor) -> tf.Tensor:
    """How many scans a JPEG has, at most; thumbnails within it count, too."""
    values = tf.io.decode_raw(image_bytes, tf.uint8)
    starts = tf.equal(values[:-1], 0xFF) & tf.equal(values[1:], 0xDA)
    return tf.math.count_nonzero(starts)
