"""What a localizer says of each picture of a source, and of pictures that a caller gives."""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import check_integer
from keras_resnet.data.batches import for_source
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import Source
from keras_resnet.detection.answers import Found
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator, Gathered
from keras_resnet.images.canvas import Pictures
from keras_resnet.images.given import check_list, given_pixels
from keras_resnet.localization.examples import Judged, evaluation_example
from keras_resnet.localization.inference import finder, judge
from keras_resnet.localization.network import Localizer
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.task import OfBatch


def answers(localizer: Localizer) -> OfBatch:
    """A function from a batch of evaluation to what is said of each of its pictures.

    Returns:
      A function of a `Judged` to what `inference.judge` gives, and `shape`, that of the picture,
      int32 [b, 2].
    """
    of_judged = judge(localizer)

    def found(batch: Judged) -> dict[str, tf.Tensor]:
        return {**of_judged(batch), "shape": batch.own_shapes}

    return found


def judged(
    localizer: Localizer,
    source: Source,
    objects: ObjectTable,
    *,
    batch_size: int = 4,
    workers: Workers | None = None,
) -> Gathered:
    """What a localizer says of each picture of a source.

    Args:
      localizer: `Localizer` with a `preprocessing`.
      source: `Source` of pictures.
      objects: `ObjectTable` whose rows its labels are, with classes as the localizer has them.
      batch_size: pictures at once, over all replicas; any number, the result is the same.
      workers: `Workers` under whose strategy the localizer was built; None: this process alone.

    Returns:
      By name what `answers` gives of each picture.

    Raises:
      UserError: an argument cannot be used, or a picture cannot be read.
    """
    preprocessing = for_source(needed_preprocessing(localizer), source)
    evaluator = Evaluator(
        answers(localizer),
        source,
        evaluation_example(objects, preprocessing, localizer.canvas),
        check_integer("batch_size", batch_size, 1),
        workers,
    )
    gathered = evaluator()
    assert gathered is not None
    return gathered


def localize(
    localizer: Localizer, pictures: Sequence[str | os.PathLike[str] | bytes | np.ndarray]
) -> list[Found]:
    """The most probable classes of some pictures, and where what is of them would be.

    Example:
      for found in keras_resnet.localize(localizer, ["street.jpg"]):
          print(found.labels[0], found.scores[0], found.boxes[0])

    Args:
      localizer: `Localizer` with a `preprocessing`.
      pictures: paths, bytes of files, or uint8 [height, width, channels], of any sizes.

    Returns:
      Of each picture its `Found`: five classes, or all, the most probable first.

    Raises:
      UserError: a picture cannot be read.
    """
    check_list(pictures)
    preprocessing = needed_preprocessing(localizer)
    find = tf.function(finder(localizer), autograph=False)
    names = localizer.class_names or tuple(map(str, range(localizer.classes)))
    found = []
    for picture in pictures:
        inputs = localizer.canvas.inputs(given_pixels(picture, preprocessing), preprocessing)
        answer = find(Pictures(*(values[tf.newaxis] for values in inputs)))
        boxes, scores, classes = (
            answer[name][0].numpy() for name in ("boxes", "scores", "classes")
        )
        found.append(Found(boxes, scores, tuple(names[number] for number in classes)))
    return found
