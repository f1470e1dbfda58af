"""Segmentation as a task: what training asks of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data.batches import for_source
from keras_resnet.data.mask_sets import MaskSet, opened
from keras_resnet.data.mask_summary import MaskSummary, summarize_masks
from keras_resnet.data.masks import masks_of, table_of
from keras_resnet.data.names import GIVEN
from keras_resnet.data.sources import Source
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import OfBatch
from keras_resnet.segmentation import evaluation
from keras_resnet.segmentation.answers import answers
from keras_resnet.segmentation.examples import Variation, evaluation_example, training_example
from keras_resnet.segmentation.files import load_segmenter
from keras_resnet.segmentation.losses import LOSSES, training_values
from keras_resnet.segmentation.network import FCN, MOST_CLASSES, RATES
from keras_resnet.segmentation.options import SegmentationOptions
from keras_resnet.training.annotated_task import AnnotatedTask
from keras_resnet.training.beginnings import Kind


class Segmentation(AnnotatedTask):
    """The task of telling the class of each pixel of a picture.

    Args:
      config: `TrainConfig` whose task is `SegmentationOptions`.
    """

    sums = LOSSES
    figures = evaluation.FIGURES
    best = evaluation.MEAN_IOU
    kind = Kind(FCN.__name__, "segmenter", load_segmenter, "depth, width, head, auxiliary, skip")

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.task, SegmentationOptions)
        self._options = config.task
        super().__init__(config, self._options.shorter_side)

    # --- What a run begins with

    def _opened(self) -> MaskSet:
        config = self._config
        return opened(
            config.dataset, config.data_dir, self._kept, config.skip_corrupt, self._options.key
        )

    def summary(self, setup: dict[str, Any], sources: dict[str, Source]) -> MaskSummary:
        tables = {split: masks_of(source) for split, source in sources.items()}
        notes = {} if self._config.dataset == GIVEN else self.data.notes
        return summarize_masks(tables, sources["train"].class_names, notes)

    def network(self, setup: dict[str, Any], sources: dict[str, Source]) -> FCN:
        options = self._options
        class_names = sources["train"].class_names
        if len(class_names) >= MOST_CLASSES:
            raise UserError(
                f"A segmenter has fewer than {MOST_CLASSES} classes. Received: {len(class_names)}"
            )
        network = self._backbone(setup)
        model = FCN(
            network,
            len(class_names),
            rates=RATES if options.head == "deeplabv3" else (),
            output_stride=options.output_stride,
            auxiliary=options.auxiliary,
            skip=options.skip,
            canvas=(options.shorter_side, options.longer_side),
            class_names=class_names,
            name=f"{options.head}_{network.name}",
        )
        self._freeze(model, model.trunk)
        return model

    # --- Training

    def training_example(self, network: FCN, source: Source) -> Callable[..., Any]:
        options = self._options
        least, largest = options.train_scales
        return training_example(
            table_of(source),
            for_source(needed_preprocessing(network), source),
            network.canvas,
            Variation((least, largest), options.crop_size),
        )

    def training_values(self, network: FCN, source: Source) -> OfBatch:
        return training_values(network)

    # --- Evaluation

    def evaluation_example(self, network: FCN, source: Source) -> Callable[..., Any]:
        preprocessing = for_source(needed_preprocessing(network), source)
        return evaluation_example(table_of(source), preprocessing, [network.canvas])

    def answers(self, network: FCN) -> OfBatch:
        return answers(network)

    def evaluation(
        self, gathered: Mapping[str, Sequence[np.ndarray]], source: Source
    ) -> dict[str, float]:
        return evaluation.evaluation(evaluation.total(gathered))
