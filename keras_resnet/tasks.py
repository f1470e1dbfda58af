"""The tasks by their names in config.json: the one place that knows them all."""

import os
import types
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_resnet.checks import check_one_of
from keras_resnet.classification import recipes as classification_recipes
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.detection import recipes as detection_recipes
from keras_resnet.detection.files import load_detector
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.detection.options import DetectionOptions
from keras_resnet.localization import recipes as localization_recipes
from keras_resnet.localization.files import load_localizer
from keras_resnet.localization.network import Localizer
from keras_resnet.localization.options import LocalizationOptions
from keras_resnet.runs import run_directory
from keras_resnet.runs.config import TrainConfig, run_of
from keras_resnet.runs.formats import FORMAT
from keras_resnet.runs.options import TaskOptions, fields
from keras_resnet.runs.run_directory import read_config
from keras_resnet.segmentation import recipes as segmentation_recipes
from keras_resnet.segmentation.files import load_segmenter
from keras_resnet.segmentation.network import FCN
from keras_resnet.segmentation.options import SegmentationOptions
from keras_resnet.weights import keras_files

# The recipes of each program.
RECIPES: Mapping[str, Mapping[str, TrainConfig]] = types.MappingProxyType(
    {
        **classification_recipes.RECIPES,
        "detection": detection_recipes.RECIPES,
        "segmentation": segmentation_recipes.RECIPES,
        "localization": localization_recipes.RECIPES,
    }
)

TASKS: dict[str, type[TaskOptions]] = {
    options.name: options
    for options in (
        ClassificationOptions,
        DetectionOptions,
        SegmentationOptions,
        LocalizationOptions,
    )
}

# Of networks that have others as parts.
_LOADERS: dict[str, Callable[[str | os.PathLike[str]], keras.Model]] = {
    FasterRCNN.__name__: load_detector,
    FCN.__name__: load_segmenter,
    Localizer.__name__: load_localizer,
}


def load_config(run_or_model: str | os.PathLike[str]) -> TrainConfig | None:
    """The configuration of a run directory, or of that of a network in one; None for anything else.

    Raises:
      UserError: it is damaged, or of a task or format that is not known.
    """
    run = run_of(run_or_model)
    return None if run is None else read_config(run, _options_of, _upgraded)


def load_network(run_or_model: str | os.PathLike[str]) -> keras.Model:
    """The network of a run directory or of a `.keras` file, whatever it was trained for.

    Raises:
      UserError: there is none, or it is not one of ours.
    """
    path = keras_files.keras_file(run_or_model)
    return _LOADERS.get(keras_files.kind_of(path), run_directory.load_network)(path)


def _options_of(name: str) -> type[TaskOptions]:
    check_one_of("task", name, TASKS)
    return TASKS[name]


def _upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a config.json in today's format; format 1 had no name for its one task."""
    if "format" in values:
        return values
    names = {field.name for field in fields(ClassificationOptions)} & values.keys()
    options = {name: values.pop(name) for name in names}
    task = ClassificationOptions.name
    # Runs that began before there was a warm-up have none.
    return {"format": FORMAT, "task": task, task: options, "warmup_error": 0.0, **values}
