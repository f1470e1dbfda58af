"""Classification as a task: what training asks of it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnet import checks
from keras_resnet.checks import UserError
from keras_resnet.classification import evaluation, fine_tuning, steps
from keras_resnet.classification.examples import (
    make_augmentation,
    make_preprocessing,
    training_example,
    with_copies,
)
from keras_resnet.classification.imbalance import balanced, class_weights
from keras_resnet.classification.options import ClassificationOptions
from keras_resnet.data.batches import for_source, labelled
from keras_resnet.data.sources import Source
from keras_resnet.data.summary import SECONDS, summarize, surveys
from keras_resnet.data.summary_files import ClassSummary
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.families import STRIDE_PLACES
from keras_resnet.networks.resnet import ResNet, needed_preprocessing
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import OfBatch, Task
from keras_resnet.training.initial_weights import initial_weights
from keras_resnet.training.inputs import described, make_sources, opened, read_besides
from keras_resnet.training.networks import new_network, stride_of_weights
from keras_resnet.weights.local import WeightFile


class Classification(Task):
    """The task of naming what a picture shows, by one of the classes of a data set.

    Args:
      config: `TrainConfig` whose task is `ClassificationOptions`.
    """

    sums = ("loss", "top1")
    figures = evaluation.FIGURES
    best = evaluation.TOP1

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.task, ClassificationOptions)
        self._config = config
        self._options = config.task

    @functools.cached_property
    def _weights(self) -> WeightFile:
        return initial_weights(self._config)

    def sources(self) -> dict[str, Source]:
        train, validation = make_sources(self._config)
        return {"train": train, "validation": validation}

    def describe(self, sources: dict[str, Source]) -> dict[str, Any]:
        return described(sources)

    def explain_change(self, known: dict[str, Any], sources: dict[str, Source]) -> str:
        return read_besides(known, sources)

    def setup(self, sources: dict[str, Source]) -> dict[str, Any]:
        """The preprocessing, and the stride of initial weights."""
        stride = None
        if self._config.weights is None:
            preprocessing = make_preprocessing(self._options, sources["train"])
        else:
            preprocessing = fine_tuning.preprocessing_of(self._weights, self._options)
            stride = stride_of_weights(self._config, self._weights)
        return {"preprocessing": preprocessing.to_json(), "bottleneck_stride": stride}

    def summary(self, setup: dict[str, Any], sources: dict[str, Source]) -> ClassSummary:
        # Into the embedded pictures nobody needs to look.
        seconds = 0 if self._config.dataset == "shapes" else SECONDS
        size = Preprocessing.from_json(setup["preprocessing"]).size
        return ClassSummary(summarize(sources, surveys(sources, seconds), size))

    def number_of_test_images(self) -> int:
        data = opened(self._config)
        return data.number_of("test") if data.has_test and data.test_fits else 0

    def check_setup(self, setup: dict[str, Any]) -> None:
        Preprocessing.from_json(setup["preprocessing"])
        checks.check_one_of("bottleneck_stride", setup["bottleneck_stride"], (None, *STRIDE_PLACES))

    def network(self, setup: dict[str, Any], sources: dict[str, Source]) -> ResNet:
        config, source = self._config, sources["train"]
        preprocessing = Preprocessing.from_json(setup["preprocessing"])
        # Before a network is built: its mistakes are told at once.
        make_augmentation(self._options, preprocessing, source)
        model = new_network(
            config,
            setup["bottleneck_stride"],
            input_shape=(preprocessing.size, preprocessing.size, preprocessing.channels),
            classes=len(source.class_names),
            preprocessing=preprocessing,
            class_names=source.class_names,
        )
        fine_tuning.freeze(model, config)
        evaluation.check_fits(model, sources["validation"])
        return model

    def check_beginning(
        self, network: ResNet, setup: dict[str, Any], sources: dict[str, Source]
    ) -> None:
        if self._config.weights is None:
            return
        fine_tuning.check_fits(network, self._weights)
        if _comparable(self.setup(sources)) != _comparable(setup):
            raise UserError(
                f"{self._weights.path} expects other images than when this run began: it was "
                "replaced. Restore it, or name another --run_dir."
            )

    def begin(self, network: ResNet) -> None:
        if self._config.weights is not None:
            fine_tuning.begin_with(network, self._weights)

    def epoch(self, source: Source) -> Source:
        if self._options.balanced_sampling:
            source = balanced(source)
        return with_copies(source, self._options.augmentation)

    def training_example(self, network: ResNet, source: Source) -> Callable[..., Any]:
        preprocessing = for_source(needed_preprocessing(network), source)
        augmentation = make_augmentation(self._options, preprocessing, source)
        return training_example(source, preprocessing, augmentation)

    def training_values(self, network: ResNet, source: Source) -> OfBatch:
        weights = class_weights(source) if self._options.class_weights else None
        return steps.training_values(network, self._options.label_smoothing, weights)

    def evaluation_example(self, network: ResNet, source: Source) -> Callable[..., Any]:
        return labelled(for_source(needed_preprocessing(network), source))

    def answers(self, network: ResNet) -> OfBatch:
        return steps.answers(network)

    def evaluation(
        self, gathered: Mapping[str, Sequence[np.ndarray]], source: Source
    ) -> dict[str, float]:
        return evaluation.evaluation(gathered)


def _comparable(setup: dict[str, Any]) -> dict[str, Any]:
    """Of a setup what weights say, equal to itself whether it was read from a file or not."""
    preprocessing = Preprocessing.from_json(setup["preprocessing"])
    # Runs of before neither turned pictures nor laid them on a background.
    preprocessing = dataclasses.replace(preprocessing, exif_orientation=False, background=None)
    return {**setup, "preprocessing": preprocessing}
