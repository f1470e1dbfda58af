"""The functions that an export answers with: from bytes or pixels to classes or features.

A picture that cannot be used does not fail its batch: its row says why in `status`, and holds
zeros, classes of -1 and empty labels.
"""

import dataclasses

import keras
import tensorflow as tf

from keras_resnet import checks, models, preprocessing

OK = "OK"
TOO_LONG = "too many bytes"
TOO_LARGE = "too many pixels"
NOT_AN_IMAGE = "neither JPEG nor PNG"
# Also what is a JPEG or PNG by its first bytes only, and what is too narrow to be resized.
DAMAGED = "damaged"


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a picture may cost; checked before it is decoded.

    Attributes:
      max_bytes: longest encoded picture, in bytes.
      max_pixels: largest picture, in pixels; decoding takes 3 bytes of each. At most
        `preprocessing.MAX_PIXELS`.

    Raises:
      UserError: a limit is not positive, or above what decoding allows.
    """

    max_bytes: int = 20 * 2**20
    max_pixels: int = 50_000_000

    def __post_init__(self):
        checks.check_integer("max_bytes", self.max_bytes, 1)
        checks.check_integer("max_pixels", self.max_pixels, 1)
        most = preprocessing.MAX_PIXELS
        checks.check_number("max_pixels", self.max_pixels, 1, below=most + 1)


def signatures(model, class_names, top, limits):
    """The functions of an export by name, each with the `tf.TensorSpec` of its argument.

    `serving_default` and `features` take `image_bytes`, string [n]: JPEGs and PNGs of any sizes;
    `images` takes uint8 [n, height, width, channels]. Of n pictures, n from 0 on, they give

    - `probabilities`: float32 [n, classes];
    - `classes`: int32 [n, top], the most probable first, and their `labels`: string [n, top];
    - `features` (that signature only, instead of these): float32 [n, channels of the last stage],
      the average over the last feature map;
    - `status`: string [n], "OK" or one of this module's others.

    Args:
      model: `ResNet` with a classifier and a `preprocessing`.
      class_names: strings, one for each class.
      top: number of classes named for each picture; no more than there are.
      limits: `Limits` of `image_bytes`.

    Returns:
      dict of pairs, and the Keras model that the functions use, to be tracked with them.
    """
    logits = models.logits_model(model)
    network = keras.Model(model.input, [model.get_layer("avg_pool").output, logits.output])
    of_model = model.preprocessing
    top = min(top, len(class_names))

    def classified(inputs, status, usable):
        _, logits = network(_at_least_one(inputs), training=False)
        probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))[: tf.shape(usable)[0]]
        classes = tf.math.top_k(probabilities, top).indices
        # Made here it is part of the graph; OpenVINO reads no others.
        names = tf.constant(class_names)
        return {
            "probabilities": tf.where(usable, probabilities, 0.0),
            "classes": tf.where(usable, classes, -1),
            "labels": tf.where(usable, tf.gather(names, classes), ""),
            "status": status,
        }

    def serve_bytes(image_bytes):
        inputs, status = rows_of_bytes(image_bytes, of_model, limits)
        return classified(inputs, status, tf.equal(status, OK)[:, tf.newaxis])

    def serve_images(images):
        inputs = of_model.normalize(of_model.center_crops(images))
        count = tf.shape(images)[:1]
        # Not compared with strings, of which OpenVINO's processors know nothing.
        return classified(inputs, tf.fill(count, OK), tf.fill(count, True)[:, tf.newaxis])

    def serve_features(image_bytes):
        inputs, status = rows_of_bytes(image_bytes, of_model, limits)
        features, _ = network(_at_least_one(inputs), training=False)
        features = tf.cast(features, tf.float32)[: tf.size(status)]
        usable = tf.equal(status, OK)[:, tf.newaxis]
        return {"features": tf.where(usable, features, 0.0), "status": status}

    image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    images = tf.TensorSpec([None, None, None, of_model.channels], tf.uint8, name="images")
    return {
        "serving_default": (serve_bytes, image_bytes),
        "images": (serve_images, images),
        "features": (serve_features, image_bytes),
    }, network


def _at_least_one(inputs):
    """The inputs, or a row of zeros for none: a convolution of nothing is an error."""
    missing = tf.maximum(1 - tf.shape(inputs)[0], 0)
    return tf.pad(inputs, [[0, missing], [0, 0], [0, 0], [0, 0]])


def rows_of_bytes(image_bytes, of_model, limits):
    """The network's inputs for pictures of which any may be unusable.

    Args:
      image_bytes: string [n].
      of_model: `Preprocessing`.
      limits: `Limits`.

    Returns:
      float32 [n, size, size, channels], zeros for what is unusable, and the status of each,
      string [n].
    """
    count = tf.size(image_bytes)
    shape = [of_model.size, of_model.size, of_model.channels]
    nothing = tf.zeros(shape)

    def row(index, image_bytes):
        def inputs():
            too_large = (
                preprocessing.num_pixels(preprocessing.encoded_shape(image_bytes))
                > limits.max_pixels
            )
            return tf.cond(
                too_large,
                lambda: (nothing, tf.constant(TOO_LARGE)),
                lambda: (of_model(image_bytes), tf.constant(OK)),
            )

        known = tf.io.is_jpeg(image_bytes) | preprocessing.is_png(image_bytes)
        too_long = tf.strings.length(image_bytes) > limits.max_bytes
        image, status = tf.cond(
            known & ~too_long,
            inputs,
            lambda: (nothing, tf.where(too_long, TOO_LONG, NOT_AN_IMAGE)),
        )
        return index, tf.ensure_shape(image, shape), status

    # A data set is what can lose a row to an error, and decodes several at once. The last row,
    # which is cut off again, is there because a batch must have one.
    last = tf.data.Dataset.from_tensors((tf.cast(count, tf.int64), nothing, DAMAGED))
    indices, images, statuses = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(row, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
        .ignore_errors()
        .concatenate(last)
        .batch(tf.cast(count, tf.int64) + 1)
        .get_single_element()
    )
    rows = tf.scatter_nd(indices[:, tf.newaxis], images, [count + 1, *shape])
    status = tf.tensor_scatter_nd_update(
        tf.fill([count + 1], DAMAGED), indices[:, tf.newaxis], statuses
    )
    return rows[:count], status[:count]
