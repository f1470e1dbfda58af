"""The functions that an export of boxes answers with, a detector's or a localizer's."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_resnet.detection import inference as of_detectors
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.images.canvas import Pictures
from keras_resnet.localization import inference as of_localizers
from keras_resnet.localization.network import Localizer
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.serving.answers import OK
from keras_resnet.serving.options import Limits
from keras_resnet.serving.signatures import Functions
from keras_resnet.serving.usable_rows import at_least_one, usable_rows


def box_signatures(
    model: FasterRCNN | Localizer, class_names: Sequence[str], limits: Limits
) -> Functions:
    """The functions of an export by name, each with the `tf.TensorSpec` of its argument.

    `serving_default` takes `image_bytes`, string [n]: pictures of any sizes; `images` takes uint8
    [n, height, width, channels]. Of n pictures, n from 0 on, both give

    - `boxes`: left, top, right and bottom edge, in pixels of the picture itself, turned as its EXIF
      says, float32 [n, k, 4], k being 100, and of a localizer as many classes as a picture gets;
    - `scores`: float32 [n, k], the highest first;
    - `classes`: int32 [n, k], and their `labels`: string [n, k];
    - `count`: how many were found, int32 [n]. Beyond that boxes and scores are 0, classes -1 and
      labels empty;
    - `status`: string [n], one of those in `answers`.

    Args:
      model: `FasterRCNN` or `Localizer`, with a `preprocessing`.
      class_names: strings, one for each class.
      limits: `Limits` of `image_bytes`.
    """
    preprocessing, canvas = needed_preprocessing(model), model.canvas
    of_kind = of_detectors if isinstance(model, FasterRCNN) else of_localizers
    find = of_kind.finder(model)
    side, channels = canvas.longer, preprocessing.channels
    nothing = (tf.zeros([side, side, channels]), *[tf.zeros([2], tf.int32)] * 2)

    def found(inputs: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        answer = find(Pictures(*map(at_least_one, inputs)))
        answer = {name: values[: tf.shape(inputs[0])[0]] for name, values in answer.items()}
        is_one = tf.range(tf.shape(answer["classes"])[1]) < answer["count"][:, tf.newaxis]
        classes = tf.where(is_one, answer["classes"], -1)
        # Made here they are part of the graph.
        labels = tf.gather(
            tf.constant([*class_names, ""]), tf.where(is_one, classes, len(class_names))
        )
        boxes = tf.where(is_one[..., tf.newaxis], answer["boxes"], 0)
        return {**answer, "boxes": boxes, "classes": classes, "labels": labels}

    def seen(pixels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return canvas.inputs(pixels, preprocessing)

    def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, places, status = usable_rows(image_bytes, preprocessing, seen, nothing, limits)
        count, places = tf.size(status), places[:, tf.newaxis]
        answer = {}
        for name, values in found(inputs).items():
            empty = tf.constant(_EMPTY.get(name, 0), values.dtype)
            rows = tf.fill(tf.concat([[count], tf.shape(values)[1:]], 0), empty)
            answer[name] = tf.tensor_scatter_nd_update(rows, places, values)
        return {**answer, "status": status}

    def serve_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        shapes = tuple(tf.TensorSpec(each.shape, each.dtype) for each in nothing)
        inputs = tf.map_fn(seen, images, fn_output_signature=shapes)
        return {**found(inputs), "status": tf.fill(tf.shape(images)[:1], OK)}

    return {
        "serving_default": (serve_bytes, tf.TensorSpec([None], tf.string, name="image_bytes")),
        "images": (
            serve_images,
            tf.TensorSpec([None, None, None, channels], tf.uint8, name="images"),
        ),
    }


# What a row holds where there is nothing, if that is not 0.
_EMPTY: dict[str, Any] = {"classes": -1, "labels": ""}
