"""Images that the caller of a training has, in place of the data set of its configuration."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from keras_resnet.checks import UserError, shown
from keras_resnet.data import integrity
from keras_resnet.data.sources import FileSource, MemorySource, Source, SubsetSource
from keras_resnet.data.survey import survey
from keras_resnet.runs.config import TrainConfig
from keras_resnet.training.inputs import divided

# A source, or what one is made of: images, or paths of files, and labels.
Given = Source | tuple[Any, Any]

# The splits, and what a progress bar says of them.
_CHECKING = {"train": "Checking training images", "validation": "Checking validation images"}


def given_sources(given: Mapping[str, Given], config: TrainConfig) -> dict[str, Source]:
    """The sources to train on, "train", and to evaluate on, "validation".

    Args:
      given: both, or "train" alone, of which `config.validation_images` are kept for validation.
      config: `TrainConfig`, whose `train_images`, `validation_images` and `skip_corrupt` hold as
        for other data.

    Raises:
      UserError: something is missing, or cannot be used.
    """
    _check_splits(given, config)
    train = _source(given["train"], "train", config)
    if len(train.class_names) == 1:
        raise UserError(
            "`sources` must have images of two classes at least: of one there is nothing to learn. "
            f"Received: {shown(train.class_names)} alone"
        )
    used, kept = divided(train, config, config.validation_images)
    if kept is not None:
        return {"train": used, "validation": kept}
    validation = _source(given["validation"], "validation", config, train.class_names)
    if validation.class_names != train.class_names:
        raise UserError(
            "`sources` must have the same classes for training and validation. Received: "
            f"{shown(train.class_names)} and {shown(validation.class_names)}"
        )
    return {"train": used, "validation": validation}


def _check_splits(given: Mapping[str, Given], config: TrainConfig) -> None:
    expected = '{"train": (images, labels), "validation": (images, labels)}'
    if not isinstance(given, Mapping):
        raise UserError(f"`sources` must be a dict {expected}. Received: a {_kind(given)}")
    unknown = sorted(map(repr, given.keys() - _CHECKING.keys()))
    if unknown or "train" not in given:
        names = ", ".join(map(repr, given))
        raise UserError(f"`sources` must be a dict {expected}. Received: with {names or 'nothing'}")
    if "validation" not in given and not config.validation_images:
        raise UserError(
            "`sources` must have images for 'validation', or `validation_images` of the "
            "configuration say how many of the training images to keep for it: "
            "config.with_options(validation_images=N). Received: neither"
        )
    if "validation" in given and config.validation_images:
        raise UserError(
            "`validation_images` must be 0 where `sources` has images for 'validation'. "
            f"Received: validation_images={config.validation_images}"
        )


def _source(
    given: Given, split: str, config: TrainConfig, class_names: Iterable[str] | None = None
) -> Source:
    """The source that was given, or that of images or paths and labels, each of which decodes."""
    if isinstance(given, Source):
        return integrity.without_corrupt(given, _CHECKING[split]) if config.skip_corrupt else given
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise UserError(
            f"`sources` must have a pair (images, labels) or a `Source` for {split!r}. Received: "
            f"a {_kind(given)}. Of a folder: dataset='folder:PATH' in the configuration. Of a "
            "tf.data.Dataset, if it fits into memory: its images and labels as NumPy arrays."
        )
    images, labels = given
    try:
        if _are_paths(images):
            files = FileSource(images, labels, class_names, converts=True)
            return _decoding(files, split, config)
        return _decoding(MemorySource(images, labels, class_names), split, config)
    except UserError as error:
        raise UserError(f"Of {split!r} in `sources`: {error}") from error


def _decoding(source: Source, split: str, config: TrainConfig) -> Source:
    """The source of images of which each decodes, as those of a folder."""
    if source.pixel_shape:
        return source  # They are pixels already.
    found = survey(source, range(len(source)), _CHECKING[split])
    if len(found) < len(source):
        message = integrity.complaint(source, found.indices, "images cannot be used")
        if not config.skip_corrupt or not len(found):
            raise UserError(
                f"{message}\nRepair or remove them, or leave them out: "
                "config.with_options(skip_corrupt=True)."
            )
        print(f"Skipped: {message}")
    if isinstance(source, FileSource):
        return source.looked_at(found)
    return source if len(found) == len(source) else SubsetSource(source, found.indices)


def _are_paths(images: Any) -> bool:
    is_column = not isinstance(images, str) and hasattr(images, "__len__") and len(images)
    first = next(iter(images)) if is_column else None
    return isinstance(first, str | os.PathLike)


def _kind(value: object) -> str:
    kind = type(value).__name__
    return f"{kind} of {len(value)}" if isinstance(value, list | tuple | np.ndarray) else kind
