"""A training that begins with weights of another: which, what they expect, what stays as it is."""

import dataclasses

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.layer_tree import freeze_batch_norm, freeze_stages
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig
from keras_resnet.texts import harmless
from keras_resnet.training.initial_weights import check_weights_fit
from keras_resnet.weights.local import WeightFile


def preprocessing_of(file: WeightFile, options: ClassificationOptions) -> Preprocessing:
    """The `Preprocessing` of a training that begins with weights.

    Size, mean, deviation and interpolation are those of the weights, but for another size that is
    asked for; how pictures are turned and laid on a background is the training's own.

    Raises:
      UserError: the weights subtract a mean image, which has one size.
    """
    preprocessing = file.preprocessing
    assert preprocessing is not None
    size, resize = options.image_size or preprocessing.size, options.resize
    if resize is None:
        resize = round(size * preprocessing.resize / preprocessing.size)
    if isinstance(preprocessing.mean[0], tuple) and size != preprocessing.size:
        raise UserError(
            f"`image_size` must be {preprocessing.size}, that of the mean image of {file.path}. "
            f"Received: image_size={options.image_size!r}"
        )
    return dataclasses.replace(
        preprocessing,
        size=size,
        resize=resize,
        exif_orientation=True,
        background=options.background_color,
    )


def _keeps_head(model: ResNet, file: WeightFile) -> bool:
    """Whether the classifier of the weights is kept: for the same classes."""
    if file.class_names is None or model.class_names is None:
        return file.class_names is model.class_names
    return list(map(as_seen, file.class_names)) == list(map(as_seen, model.class_names))


def check_fits(model: ResNet, file: WeightFile) -> None:
    """Raises UserError unless a training of a network can begin with the weights of a file."""
    check_weights_fit(model, file, new_head=not _keeps_head(model, file))


def begin_with(model: ResNet, file: WeightFile) -> None:
    """Gives a network the weights of a file; the classifier, too, if the classes are equal."""
    keeps_head = _keeps_head(model, file)
    file.assign_to(model, new_head=not keeps_head)
    head = "" if keeps_head else f", but for a new classifier of {model.classes} classes"
    print(f"Beginning with the weights of {harmless(str(file.path))}{head}.", flush=True)


def freeze(model: ResNet, config: TrainConfig) -> None:
    """Freezes what a configuration wants to keep as the weights have it: stages, batch norms."""
    if config.freeze is not None:
        freeze_stages(model, config.freeze)
    if config.freeze_batch_norm:
        freeze_batch_norm(model)
