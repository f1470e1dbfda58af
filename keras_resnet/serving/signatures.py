"""The functions that an export answers with: from bytes or pixels to classes or features.

A picture that cannot be used does not fail its batch: its row says why in `status`, and holds
zeros, classes of -1 and empty labels.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from keras_resnet.networks import resnet
from keras_resnet.serving.answers import OK
from keras_resnet.serving.options import Limits
from keras_resnet.serving.usable_rows import at_least_one, usable_rows

# By name, each with the specification of its argument.
Functions: TypeAlias = dict[str, tuple[Callable[[tf.Tensor], dict[str, tf.Tensor]], tf.TensorSpec]]


def signatures(
    model: keras.Model, class_names: Sequence[str], top: int, limits: Limits
) -> tuple[Functions, keras.Model]:
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
    outputs = [model.get_layer("avg_pool").output, logits.output]
    network = keras.Model(model.input, outputs, name=model.name)
    of_model = model.preprocessing
    top = min(top, len(class_names))
    nothing = tf.zeros([of_model.size, of_model.size, of_model.channels])

    def classified(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        _, logits = network(at_least_one(inputs), training=False)
        logits = tf.cast(logits, tf.float32)[: tf.shape(inputs)[0]]
        probabilities = tf.nn.softmax(logits)
        classes = tf.math.top_k(probabilities, top).indices
        # Made here they are part of the graph; OpenVINO reads no others.
        return probabilities, classes, tf.gather(tf.constant(class_names), classes)

    def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, places, status = usable_rows(image_bytes, of_model, of_model, nothing, limits)
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
        inputs, places, status = usable_rows(image_bytes, of_model, of_model, nothing, limits)
        features, _ = network(at_least_one(inputs), training=False)
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
