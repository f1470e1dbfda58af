"""The functions that the export of a segmenter answers with: from bytes or pixels to masks."""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_resnet.images.canvas import Pictures
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.segmentation.inference import Scores, ids_of, scorer
from keras_resnet.segmentation.network import FCN
from keras_resnet.serving.answers import OK
from keras_resnet.serving.options import Limits
from keras_resnet.serving.signatures import Functions
from keras_resnet.serving.usable_rows import PICTURES_AT_ONCE, at_least_one, usable_rows


def segmenter_signatures(model: FCN, class_names: Sequence[str], limits: Limits) -> Functions:
    """The functions of an export by name, each with the `tf.TensorSpec` of its argument.

    `serving_default` takes `image_bytes`, string [n]: pictures of any sizes. Of n pictures, n from
    0 on, it gives

    - `mask_bytes`: gray PNGs of the numbers of the classes, each as large as its picture is when it
      is turned as its EXIF says, string [n];
    - `shares`: how many of its pixels are of each class, 0 to 1, float32 [n, classes];
    - `labels`: the names of all classes, in order, string [n, classes];
    - `status`: string [n], one of those in `answers`. Where a picture cannot be used its mask and
      labels are empty, and its shares 0.

    `images` takes uint8 [n, height, width, channels], and gives `ids`, the numbers of the classes,
    uint8 [n, height, width], and `status`.

    Args:
      model: `FCN` with a `preprocessing`.
      class_names: strings, one for each class.
      limits: `Limits` of `image_bytes`.
    """
    preprocessing, canvas = needed_preprocessing(model), model.canvas
    score = scorer(model)
    side, channels, classes = canvas.longer, preprocessing.channels, len(class_names)
    nothing = (tf.zeros([side, side, channels]), *[tf.zeros([2], tf.int32)] * 2)

    def seen(pixels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return canvas.inputs(pixels, preprocessing)

    def serve_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, places, status = usable_rows(image_bytes, preprocessing, seen, nothing, limits)
        count, places = tf.size(status), places[:, tf.newaxis]
        signature = tf.TensorSpec([], tf.string), tf.TensorSpec([classes], tf.float32)
        written = functools.partial(_written, classes=classes)
        pngs, shares = _of_pictures(score, inputs, written, signature)
        labels = tf.where(tf.equal(status, OK)[:, tf.newaxis], tf.constant([*class_names]), "")
        return {
            "mask_bytes": tf.tensor_scatter_nd_update(tf.fill([count], ""), places, pngs),
            "shares": tf.tensor_scatter_nd_update(tf.zeros([count, classes]), places, shares),
            "labels": labels,
            "status": status,
        }

    def serve_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        number, height, width = tf.unstack(tf.shape(images)[:3])
        specs = tuple(tf.TensorSpec(each.shape, each.dtype) for each in nothing)
        # Without any there is no shape of ids.
        inputs = tf.map_fn(seen, at_least_one(images), fn_output_signature=specs)
        of_ids = (tf.TensorSpec([None, None], tf.uint8),)
        (ids,) = _of_pictures(score, inputs, lambda ids: (ids,), of_ids)
        ids = tf.reshape(ids[:number], [number, height, width])
        return {"ids": ids, "status": tf.fill(tf.shape(images)[:1], OK)}

    return {
        "serving_default": (serve_bytes, tf.TensorSpec([None], tf.string, name="image_bytes")),
        "images": (
            serve_images,
            tf.TensorSpec([None, None, None, channels], tf.uint8, name="images"),
        ),
    }


def _of_pictures(
    score: Callable[..., list[Scores]],
    inputs: Sequence[tf.Tensor],
    function: Callable[[tf.Tensor], tuple[tf.Tensor, ...]],
    signature: tuple[tf.TensorSpec, ...],
) -> tuple[tf.Tensor, ...]:
    """What a function of the ids of a picture gives for each, of a signature; there may be none."""
    pictures = Pictures(*map(at_least_one, inputs))
    number = tf.shape(inputs[0])[0]
    (scores,) = score(pictures)
    rows = [values[:number] for values in (*scores, pictures.own_shapes)]

    def of_picture(row: Sequence[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        *of_scores, own_shape = row
        return function(ids_of([Scores(*of_scores)], own_shape, False))

    return tf.map_fn(
        of_picture, rows, fn_output_signature=signature, parallel_iterations=PICTURES_AT_ONCE
    )


def _written(ids: tf.Tensor, classes: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The PNG of the ids of a picture, and the share of each class, float32 [classes]."""
    numbers = tf.reshape(tf.cast(ids, tf.int32), [-1])
    with tf.device("CPU:0"):
        counts = tf.math.bincount(numbers, minlength=classes, maxlength=classes)
    shares = tf.cast(counts / tf.size(numbers), tf.float32)
    return tf.io.encode_png(ids[..., tf.newaxis]), tf.ensure_shape(shares, [classes])
