"""What a detector finds in each picture of a source."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_resnet.checks import check_integer
from keras_resnet.data.batches import for_source
from keras_resnet.data.sources import Source
from keras_resnet.detection.examples import evaluation_example
from keras_resnet.detection.inference import finder
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator, Gathered
from keras_resnet.images.canvas import Canvas, Pictures
from keras_resnet.images.given import check_list, given_pixels
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.task import OfBatch


@dataclasses.dataclass(frozen=True)
class Found:
    """What a detector has found in a picture, the surest first.

    Attributes:
      boxes: left, top, right and bottom edges, in pixels of the upright picture, float32 [n, 4].
      scores: 0 to 1, float32 [n].
      labels: names of their classes.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]


def answers(
    detector: FasterRCNN,
    canvases: Sequence[Canvas] = (),
    *,
    refined: bool = False,
    voting: bool = False,
) -> OfBatch:
    """A function from a batch of evaluation to what is found in each of its pictures.

    Args: as of `inference.finder`.

    Returns:
      A function of one `Pictures` for each canvas, together a tuple, to `boxes`, `scores` and
      `classes`: ragged [b, objects, ...].
    """
    find = finder(detector, canvases=canvases, refined=refined, voting=voting)

    def found(batch: tuple[Pictures, ...]) -> dict[str, tf.Tensor]:
        values = dict(find(*batch))
        count = values.pop("count")
        return {
            name: tf.RaggedTensor.from_tensor(each, lengths=count) for name, each in values.items()
        }

    return found


def detected(
    detector: FasterRCNN,
    source: Source,
    *,
    shorter_sides: Sequence[int] = (),
    refined: bool = False,
    voting: bool = False,
    batch_size: int = 4,
    workers: Workers | None = None,
) -> Gathered:
    """What a detector finds in each picture of a source.

    Args:
      detector: `FasterRCNN` with a `preprocessing`.
      source: `Source`.
      shorter_sides: at how many pixels it sees each picture, several times; none: at its own alone.
      refined, voting: see `inference.finder`.
      batch_size: pictures at once, over all replicas; any number, the result is the same.
      workers: `Workers` under whose strategy the detector was built; None: this process alone.

    Returns:
      By name `boxes` [k, 4], `scores` [k] and `classes` [k] of each picture.

    Raises:
      UserError: an argument cannot be used, or a picture cannot be read.
    """
    canvases = [detector.canvas.with_shorter(side) for side in shorter_sides] or [detector.canvas]
    preprocessing = for_source(needed_preprocessing(detector), source)
    evaluator = Evaluator(
        answers(detector, canvases, refined=refined, voting=voting),
        source,
        evaluation_example(preprocessing, canvases),
        check_integer("batch_size", batch_size, 1),
        workers,
    )
    gathered = evaluator()
    assert gathered is not None
    return gathered


def find_objects(
    detector: FasterRCNN,
    pictures: Sequence[str | os.PathLike[str] | bytes | np.ndarray],
    *,
    voting: bool = False,
) -> list[Found]:
    """What a detector finds in some pictures.

    Example:
      for found in keras_resnet.find_objects(detector, ["street.jpg"]):
          print(found.labels, found.scores, found.boxes)

    Args:
      detector: `FasterRCNN` with a `preprocessing`.
      pictures: paths, bytes of files, or uint8 [height, width, channels], of any sizes.
      voting: see `detections.detections`.

    Returns:
      Of each picture its `Found`, those with a score of 0.05 and more, at most 100.

    Raises:
      UserError: a picture cannot be read.
    """
    check_list(pictures)
    preprocessing = needed_preprocessing(detector)
    find = tf.function(finder(detector, voting=voting), autograph=False)
    names = detector.class_names or tuple(map(str, range(detector.classes)))
    found = []
    for picture in pictures:
        inputs = detector.canvas.inputs(given_pixels(picture, preprocessing), preprocessing)
        answer = find(Pictures(*(values[tf.newaxis] for values in inputs)))
        boxes, scores, classes = (
            answer[name][0].numpy() for name in ("boxes", "scores", "classes")
        )
        count = int(answer["count"][0])
        labels = tuple(names[number] for number in classes[:count])
        found.append(Found(boxes[:count], scores[:count], labels))
    return found
