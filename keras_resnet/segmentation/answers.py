"""What a segmenter says of each picture of a source, beside what is true."""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import check_integer
from keras_resnet.data.batches import for_source
from keras_resnet.data.mask_keys import IGNORED
from keras_resnet.data.masks import MaskTable
from keras_resnet.data.sources import Source
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator, Gathered
from keras_resnet.images.canvas import Canvas, Pictures
from keras_resnet.images.given import check_list, given_pixels
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.task import OfBatch
from keras_resnet.segmentation.examples import Judged, evaluation_example
from keras_resnet.segmentation.inference import Scores, ids_of, scorer
from keras_resnet.segmentation.network import FCN


def answers(model: FCN, canvases: Sequence[Canvas] = (), *, mirrored: bool = False) -> OfBatch:
    """A function from a batch of evaluation to how often each class was taken for each.

    Args: as of `inference.scorer`.

    Returns:
      A function of a `Judged` to `confusion`, int32 [b, classes, classes]: of pixels of a class
      (row) how many the network has as of which (column).
    """
    score = scorer(model, canvases=canvases, mirrored=mirrored)
    classes = model.classes

    def confusion_of(
        one: tuple[list[Scores], tf.Tensor, tf.Tensor],
    ) -> tf.Tensor:
        scores, own_shape, true_ids = one
        ids = tf.reshape(ids_of(scores, own_shape, mirrored), [-1])
        # Beyond the picture is what fills up the batch.
        true_ids = true_ids[: tf.size(ids)]
        counts = tf.not_equal(true_ids, IGNORED)
        pairs = true_ids * classes + tf.cast(ids, tf.int32)
        pairs = tf.boolean_mask(pairs, counts)
        number = classes * classes
        # That of GPUs raises where determinism is asked for.
        with tf.device("CPU:0"):
            return tf.math.bincount(pairs, minlength=number, maxlength=number)

    def found(batch: Judged) -> dict[str, tf.Tensor]:
        scores = score(*batch.pictures)
        own_shapes = batch.pictures[0].own_shapes
        confusion = tf.map_fn(
            confusion_of,
            (scores, own_shapes, tf.cast(batch.ids, tf.int32)),
            fn_output_signature=tf.int32,
        )
        return {"confusion": tf.reshape(confusion, [-1, classes, classes])}

    return found


def judged(
    model: FCN,
    source: Source,
    masks: MaskTable,
    *,
    shorter_sides: Sequence[int] = (),
    mirrored: bool = False,
    batch_size: int = 4,
    workers: Workers | None = None,
) -> Gathered:
    """How often a segmenter takes each class for each, in each picture of a source.

    Args:
      model: `FCN` with a `preprocessing`.
      source: `Source` of pictures.
      masks: `MaskTable` whose rows its labels are, with ids as the segmenter has its classes.
      shorter_sides: at how many pixels it sees each picture, several times; none: at its own alone.
      mirrored: whether it sees each picture from the back, too.
      batch_size: pictures at once, over all replicas; any number, the result is the same.
      workers: `Workers` under whose strategy the segmenter was built; None: this process alone.

    Returns:
      `confusion` of each picture, see `answers`.

    Raises:
      UserError: an argument cannot be used, or a picture cannot be read.
    """
    canvases = [model.canvas.with_shorter(side) for side in shorter_sides] or [model.canvas]
    preprocessing = for_source(needed_preprocessing(model), source)
    evaluator = Evaluator(
        answers(model, canvases, mirrored=mirrored),
        source,
        evaluation_example(masks, preprocessing, canvases),
        check_integer("batch_size", batch_size, 1),
        workers,
    )
    gathered = evaluator()
    assert gathered is not None
    return gathered


def segment(
    model: FCN, pictures: Sequence[str | os.PathLike[str] | bytes | np.ndarray]
) -> list[np.ndarray]:
    """The class of each pixel of some pictures.

    Example:
      for ids in keras_resnet.segment(segmenter, ["street.jpg"]):
          print((ids == segmenter.class_names.index("car")).mean())

    Args:
      model: `FCN` with a `preprocessing`.
      pictures: paths, bytes of files, or uint8 [height, width, channels], of any sizes.

    Returns:
      Of each picture, upright, the numbers of the classes, uint8 [height, width].

    Raises:
      UserError: a picture cannot be read.
    """
    check_list(pictures)
    preprocessing = needed_preprocessing(model)
    score = scorer(model)

    @tf.function(autograph=False)
    def ids(picture: Pictures) -> tf.Tensor:
        scores = [Scores(*(values[0] for values in each)) for each in score(picture)]
        return ids_of(scores, picture.own_shapes[0], False)

    found = []
    for picture in pictures:
        inputs = model.canvas.inputs(given_pixels(picture, preprocessing), preprocessing)
        found.append(ids(Pictures(*(values[tf.newaxis] for values in inputs))).numpy())
    return found
