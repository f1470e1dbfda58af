"""What is exported of a network, whatever it was trained for."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.class_names import labels
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.localization.network import Localizer
from keras_resnet.networks.resnet import logits_model
from keras_resnet.segmentation.network import FCN
from keras_resnet.serving import results
from keras_resnet.serving.box_signatures import box_signatures
from keras_resnet.serving.optimization import Optimized
from keras_resnet.serving.options import Limits
from keras_resnet.serving.segmenter_signatures import segmenter_signatures
from keras_resnet.serving.signatures import Functions, signatures


@dataclasses.dataclass(frozen=True)
class Servable:
    """A network with what an export of it needs.

    Attributes:
      model: as it was trained.
      kind: `results.Kind` of it.
      class_names: as an export has them.
      functions: see `signatures`, `box_signatures` and `segmenter_signatures`.
      variables: that these use.
      height: of a likely picture, in pixels.
      batch_sizes: for which TensorFlow prepares, the largest last.
    """

    model: keras.Model
    kind: results.Kind
    class_names: tuple[str, ...]
    functions: Functions
    variables: list[tf.Variable]
    height: int
    batch_sizes: tuple[int, ...]


# Of networks that see pictures on a canvas: what makes their functions, and how they answer.
_WITH_CANVAS: dict[type[Any], tuple[Callable[..., Functions], results.Kind]] = {
    FasterRCNN: (box_signatures, results.OBJECTS),
    Localizer: (box_signatures, results.OBJECTS),
    FCN: (segmenter_signatures, results.MASKS),
}


def servable(
    model: keras.Model, top: int, limits: Limits, optimized: Optimized | None = None
) -> Servable:
    """What is exported of a network that classifies, detects, localizes or segments.

    Args:
      model: `ResNet` with a classifier, `FasterRCNN`, `Localizer` or `FCN`; with a `preprocessing`.
      top: number of classes named for each picture, where it has one class.
      limits: `Limits` of encoded pictures.
      optimized: what is served in place of the model; None: it is served as it is.

    Raises:
      UserError: the model cannot be served.
    """
    if getattr(model, "preprocessing", None) is None:
        raise checks.UserError(
            f"The model {model.name!r} has no `preprocessing`, so it cannot be served."
        )
    for kind, (of_model, answers) in _WITH_CANVAS.items():
        if isinstance(model, kind):
            class_names = _names(model)
            return Servable(
                model,
                answers,
                class_names,
                of_model(model, class_names, limits),
                [variable.value for variable in model.variables],
                model.canvas.shorter,
                answers.batch_sizes,
            )
    _check_classifier(model)
    class_names = _names(model)
    network = model if optimized is None else optimized.network
    functions, tracked = signatures(network, class_names, top, limits)
    return Servable(
        model,
        results.CLASSES,
        class_names,
        functions,
        [variable.value for variable in tracked.variables],
        model.preprocessing.resize,
        results.CLASSES.batch_sizes,
    )


def _check_classifier(model: keras.Model) -> None:
    logits_model(model)
    size, channels = model.preprocessing.size, model.preprocessing.channels
    _, height, width, depth = model.input_shape
    if not {height, width} <= {None, size} or depth != channels:
        raise checks.UserError(
            f"The preprocessing of the model {model.name!r} must give what the network takes. "
            f"Received: {size}x{size}x{channels} for a network of {model.input_shape[1:]}"
        )


def _names(model: keras.Model) -> tuple[str, ...]:
    """The names of a model's classes as an export has them."""
    return labels(model.class_names or map(str, range(model.classes)))
