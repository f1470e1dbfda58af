"""Detection as a task: what training asks of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.data.batches import for_source
from keras_resnet.data.names import GIVEN
from keras_resnet.data.object_sets import ObjectSet, opened
from keras_resnet.data.object_summary import ObjectSummary, summarize_objects
from keras_resnet.data.objects import objects_of, table_of
from keras_resnet.data.sources import Source
from keras_resnet.detection import evaluation
from keras_resnet.detection.anchors import check_enough
from keras_resnet.detection.answers import answers
from keras_resnet.detection.examples import Variation, evaluation_example, training_example
from keras_resnet.detection.files import load_detector
from keras_resnet.detection.losses import LOSSES, SamplingOptions, training_values
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.detection.options import DetectionOptions
from keras_resnet.detection.proposals import ProposalOptions
from keras_resnet.images.canvases import by_canvas
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import OfBatch
from keras_resnet.training.annotated_task import AnnotatedTask
from keras_resnet.training.beginnings import Kind


class Detection(AnnotatedTask):
    """The task of finding objects in a picture: the box and the class of each.

    Args:
      config: `TrainConfig` whose task is `DetectionOptions`.
    """

    sums = LOSSES
    figures = evaluation.FIGURES
    best = evaluation.MAP50
    kind = Kind(
        FasterRCNN.__name__,
        "detector",
        load_detector,
        "depth, width, anchor_sizes, rpn_channels",
    )

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.task, DetectionOptions)
        self._options = config.task
        super().__init__(config, self._options.shorter_side)

    # --- What a run begins with

    def _opened(self) -> ObjectSet:
        config = self._config
        return opened(config.dataset, config.data_dir, self._kept, config.skip_corrupt)

    def summary(self, setup: dict[str, Any], sources: dict[str, Source]) -> ObjectSummary:
        tables = {split: objects_of(source) for split, source in sources.items()}
        notes = {} if self._config.dataset == GIVEN else self.data.notes
        return summarize_objects(tables, sources["train"].class_names, notes)

    def network(self, setup: dict[str, Any], sources: dict[str, Source]) -> FasterRCNN:
        options = self._options
        class_names = sources["train"].class_names
        network = self._backbone(setup)
        detector = FasterRCNN(
            network,
            len(class_names),
            canvas=(options.shorter_side, options.longer_side),
            anchor_sizes=options.anchor_sizes,
            region_size=options.region_size,
            pooling=options.pooling,
            rpn_channels=options.rpn_channels,
            proposals=options.proposals,
            class_names=class_names,
            name=f"faster_rcnn_{network.name}",
        )
        self._freeze(detector, detector.trunk)
        check_enough(
            options.anchors_per_image, detector.canvas, detector.stride, detector.anchor_shapes
        )
        return detector

    # --- Training

    def training_example(self, network: FasterRCNN, source: Source) -> Callable[..., Any]:
        options = self._options
        return training_example(
            table_of(source),
            for_source(needed_preprocessing(network), source),
            network.canvas,
            Variation(options.train_shorter_sides or (), options.crop),
        )

    def training_values(self, network: FasterRCNN, source: Source) -> OfBatch:
        options = self._options
        of_canvas = training_values(
            network,
            SamplingOptions(
                options.anchors_per_image,
                options.regions_per_image,
                ProposalOptions.of_training(options.train_proposals),
            ),
        )
        nothing = {name: tf.TensorSpec([0], network.variable_dtype) for name in self.sums}
        return by_canvas(of_canvas, network.canvas, nothing)

    # --- Evaluation

    def evaluation_example(self, network: FasterRCNN, source: Source) -> Callable[..., Any]:
        preprocessing = for_source(needed_preprocessing(network), source)
        return evaluation_example(preprocessing, [network.canvas])

    def answers(self, network: FasterRCNN) -> OfBatch:
        return answers(network)

    def evaluation(
        self, gathered: Mapping[str, Sequence[np.ndarray]], source: Source
    ) -> dict[str, float]:
        return evaluation.evaluation(gathered, objects_of(source), len(source.class_names))
