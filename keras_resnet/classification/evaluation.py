"""How good a classifier is: top-1, top-5 and loss over a data set, each image counted once."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError, check_integer
from keras_resnet.class_names import as_seen, check_finite
from keras_resnet.classification.steps import answers
from keras_resnet.data.batches import for_source, labelled
from keras_resnet.data.sources import ReorderedSource, Source
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.evaluator import Evaluator
from keras_resnet.networks.resnet import ResNet, needed_preprocessing
from keras_resnet.runs.figures import Figure

TOP1 = Figure("top1", "top-1", "%", higher_is_better=True)
TOP5 = Figure("top5", "top-5", "%", higher_is_better=True)
LOSS = Figure("loss", "loss")
FIGURES = (TOP1, TOP5, LOSS)


def evaluate(
    model: ResNet, source: Source, batch_size: int = 128, workers: Workers | None = None
) -> dict[str, float]:
    """One pass over a source.

    Args:
      model: `ResNet` with a `preprocessing`.
      source: `Source` to evaluate on.
      batch_size: images at once, over all replicas; any number, the result is the same.
      workers: `Workers` under whose strategy the model was built; None: this process alone, under
        the current strategy.

    Returns:
      dict of `top1` and, of more than five classes, `top5` (shares of images, 0 to 1), `loss` (mean
      cross-entropy) and `images` (number of images counted).

    Raises:
      UserError: model and source do not fit each other, an image cannot be read, or an answer is
        not finite.
    """
    batch_size = check_integer("batch_size", batch_size, 1)
    source = fitted(model, source)
    example = labelled(for_source(needed_preprocessing(model), source))
    gathered = Evaluator(answers(model), source, example, batch_size, workers)()
    assert gathered is not None
    check_finite("answers", np.array(gathered["loss"]))
    return {**evaluation(gathered), "images": len(source)}


def evaluation(gathered: Mapping[str, Sequence[np.ndarray]]) -> dict[str, float]:
    """The figures for what `answers` gives of each image."""
    number = len(gathered["loss"])
    shares = {
        figure.name: int(np.count_nonzero(gathered[figure.name])) / number
        for figure in (TOP1, TOP5)
        if figure.name in gathered
    }
    # Rounded once: the same for any size of batches and any number of replicas.
    return {**shares, "loss": math.fsum(gathered["loss"]) / number}


def fitted(model: ResNet, source: Source) -> Source:
    """The source with its classes in the order of a network's.

    Names that look the same may be in another order: as macOS writes them "Äpfel" comes before
    "Birnen", as Linux does, after them.

    Raises:
      UserError: they are other classes, or the network is none for the images.
    """
    class_names = model.class_names or ()
    ours, theirs = (
        [as_seen(name) for name in names] for names in (class_names, source.class_names)
    )
    if ours != theirs and sorted(ours) == sorted(theirs) and len(set(ours)) == len(ours):
        places = [ours.index(name) for name in theirs]
        source = ReorderedSource(source, tuple(class_names), places)
    check_fits(model, source)
    return source


def check_fits(model: ResNet, source: Source) -> None:
    """Raises UserError unless the network is one for the images of a source."""
    preprocessing = needed_preprocessing(model)
    if len(source.class_names) != model.classes:
        raise UserError(
            f"The model has {model.classes} classes and the data set "
            f"{len(source.class_names)}: it was trained on another one."
        )
    pairs = zip(model.class_names or source.class_names, source.class_names, strict=True)
    for ours, theirs in pairs:
        if as_seen(ours) == as_seen(theirs):
            continue
        raise UserError(
            "The classes of the model and of the data set have different names, "
            f"{ours!r} and {theirs!r} for one: it was trained on another data set."
        )
    if source.channels != preprocessing.channels and source.pixel_shape:
        raise UserError(
            f"The model sees images of {preprocessing.channels} channels and the data "
            f"set has {source.channels}."
        )
