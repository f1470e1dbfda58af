"""A training that begins with weights of another: which, what they expect, what stays as it is."""

import dataclasses
import json

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.layer_tree import freeze_batch_norm, freeze_stages
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig, run_of
from keras_resnet.texts import harmless
from keras_resnet.weights.local import WeightFile, open_weights


def initial_weights(config: TrainConfig) -> WeightFile:
    """The `WeightFile` that a training begins with.

    Args:
      config: `TrainConfig` with `weights`.

    Raises:
      UserError: they cannot be had, or do not say what they expect of images.
    """
    assert config.weights is not None
    file = open_weights(config.weights, _depth_of_sets(config))
    if file.preprocessing is None:
        raise UserError(
            f"{file.path} does not say what its network expects of images. Of a network of yours "
            "take the .keras file; of weights like a published set's keras-resnet convert_weights "
            "--like=SET makes one. "
            f"Received: weights={config.weights!r}"
        )
    return file


def _depth_of_sets(config: TrainConfig) -> int | None:
    """The depth for which published sets fit the network of a configuration; None: none does."""
    of_default = {
        **{"shortcut": "B", "stem": "imagenet", "width": 64},
        **{"block": None, "activation": "relu"},
    }
    fits = config.network == "ResNet" and all(
        getattr(config, name) in (None, value) for name, value in of_default.items()
    )
    return config.depth if fits else None


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
    try:
        file.check_fits(model, new_head=not _keeps_head(model, file))
    except UserError as error:
        run = run_of(file.path)
        if run is None:
            raise
        # The run says which network its weights are of.
        options = json.loads((run / "config.json").read_text())
        flags = " ".join(f"--{name}={options.get(name)}" for name in ("network", "depth"))
        raise UserError(f"{error} The network of {run}: {flags}") from error


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
