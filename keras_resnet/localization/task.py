"""Localization as a task: what training asks of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.data.batches import for_source
from keras_resnet.data.localization_sets import OneClassSet, check_one_class, opened
from keras_resnet.data.names import GIVEN
from keras_resnet.data.object_summary import ObjectSummary, summarize_objects
from keras_resnet.data.objects import objects_of, table_of
from keras_resnet.data.sources import Source
from keras_resnet.detection.anchors import check_enough
from keras_resnet.detection.examples import Variation, training_example
from keras_resnet.images.canvases import by_canvas
from keras_resnet.localization import evaluation
from keras_resnet.localization.answers import answers
from keras_resnet.localization.examples import evaluation_example
from keras_resnet.localization.files import load_localizer
from keras_resnet.localization.losses import LOSSES, training_values
from keras_resnet.localization.network import Localizer
from keras_resnet.localization.options import LocalizationOptions
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import OfBatch
from keras_resnet.training.annotated_task import AnnotatedTask
from keras_resnet.training.beginnings import Kind


class Localization(AnnotatedTask):
    """The task of telling the class of a picture, and the box around what is of it.

    Args:
      config: `TrainConfig` whose task is `LocalizationOptions`.
    """

    sums = LOSSES
    figures = evaluation.FIGURES
    best = evaluation.TOP1
    kind = Kind(
        Localizer.__name__,
        "localizer",
        load_localizer,
        "depth, width, anchor_sizes, rpn_channels",
        classifier="class_scores",
    )

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.task, LocalizationOptions)
        self._options = config.task
        super().__init__(config, self._options.shorter_side)

    # --- What a run begins with

    def _opened(self) -> OneClassSet:
        config = self._config
        return opened(
            config.dataset, config.data_dir, self._kept, config.skip_corrupt, self._options.boxes
        )

    def describe(self, sources: dict[str, Source]) -> dict[str, Any]:
        # Before anything is written.
        for source in sources.values():
            check_one_class(source)
        return super().describe(sources)

    def summary(self, setup: dict[str, Any], sources: dict[str, Source]) -> ObjectSummary:
        tables = {split: objects_of(source) for split, source in sources.items()}
        notes = {} if self._config.dataset == GIVEN else self.data.notes
        return summarize_objects(tables, sources["train"].class_names, notes)

    def network(self, setup: dict[str, Any], sources: dict[str, Source]) -> Localizer:
        options = self._options
        class_names = sources["train"].class_names
        network = self._backbone(setup)
        localizer = Localizer(
            network,
            len(class_names),
            canvas=(options.shorter_side, options.longer_side),
            anchor_sizes=options.anchor_sizes,
            rpn_channels=options.rpn_channels,
            class_names=class_names,
            name=f"localizer_{network.name}",
        )
        self._freeze(localizer, localizer.trunk)
        number = options.anchors_per_image
        check_enough(number, localizer.canvas, localizer.stride, localizer.anchor_shapes)
        return localizer

    # --- Training

    def training_example(self, network: Localizer, source: Source) -> Callable[..., Any]:
        options = self._options
        return training_example(
            table_of(source),
            for_source(needed_preprocessing(network), source),
            network.canvas,
            Variation(options.train_shorter_sides or (), options.crop),
        )

    def training_values(self, network: Localizer, source: Source) -> OfBatch:
        of_canvas = training_values(network, self._options.anchors_per_image)
        nothing = {name: tf.TensorSpec([0], network.variable_dtype) for name in self.sums}
        return by_canvas(of_canvas, network.canvas, nothing)

    # --- Evaluation

    def evaluation_example(self, network: Localizer, source: Source) -> Callable[..., Any]:
        preprocessing = for_source(needed_preprocessing(network), source)
        return evaluation_example(table_of(source), preprocessing, network.canvas)

    def answers(self, network: Localizer) -> OfBatch:
        return answers(network)

    def evaluation(
        self, gathered: Mapping[str, Sequence[np.ndarray]], source: Source
    ) -> dict[str, float]:
        return evaluation.evaluation(gathered, objects_of(source))
