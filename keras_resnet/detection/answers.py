"""What a detector finds in each picture of a source."""

from collections.abc import Sequence

import tensorflow as tf

from keras_resnet.checks import check_integer
from keras_resnet.data.batches import for_source
from keras_resnet.data.sources import Source
from keras_resnet.detection.examples import evaluation_example
from keras_resnet.detection.inference import Pictures, finder
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator, Gathered
from keras_resnet.images.canvas import Canvas
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.task import OfBatch


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
