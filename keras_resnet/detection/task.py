"""Detection as a task: what training asks of it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet import checks
from keras_resnet.checks import UserError
from keras_resnet.data.batches import channel_mean, for_source
from keras_resnet.data.names import GIVEN
from keras_resnet.data.object_sets import ObjectSet, opened
from keras_resnet.data.object_summary import ObjectSummary, summarize_objects
from keras_resnet.data.objects import objects_of, table_of
from keras_resnet.data.sources import Source
from keras_resnet.detection import beginning, evaluation
from keras_resnet.detection.answers import answers
from keras_resnet.detection.canvases import by_canvas
from keras_resnet.detection.examples import Variation, evaluation_example, training_example
from keras_resnet.detection.losses import LOSSES, SamplingOptions, training_values
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.detection.options import DetectionOptions
from keras_resnet.detection.proposals import ProposalOptions
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.families import STRIDE_PLACES
from keras_resnet.networks.layer_tree import batch_norms, follow_blocks, freeze_stages
from keras_resnet.networks.resnet import needed_preprocessing
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import OfBatch, Task
from keras_resnet.training.inputs import described, divided
from keras_resnet.training.networks import new_network, stride_of_weights

# Side of the squares over which the mean color is computed.
_SIDE_OF_MEAN = 64


class Detection(Task):
    """The task of finding objects in a picture: the box and the class of each.

    Args:
      config: `TrainConfig` whose task is `DetectionOptions`.
    """

    sums = LOSSES
    figures = evaluation.FIGURES
    best = evaluation.MAP50
    can_be_compiled = False

    def __init__(self, config: TrainConfig) -> None:
        assert isinstance(config.task, DetectionOptions)
        self._config = config
        self._options = config.task

    @functools.cached_property
    def _weights(self) -> beginning.Beginning:
        return beginning.beginning(self._config)

    # --- What a run begins with

    def sources(self) -> dict[str, Source]:
        used, held_out = divided(self.data.source("train"), self._config, self.held_out)
        validation = self.data.source("validation") if held_out is None else held_out
        return {"train": used, "validation": validation}

    def validation_source(self) -> Source:
        """The pictures to validate on alone."""
        if self.held_out:
            return self.sources()["validation"]
        return self.data.source("validation")

    @functools.cached_property
    def data(self) -> ObjectSet:
        """The data set of the configuration."""
        config = self._config
        if config.classes is not None:
            raise UserError(
                "`classes` is for folders of pictures of one class each. "
                f"Received: classes={config.classes!r}"
            )
        kept = config.validation_images or config.validation_share
        return opened(config.dataset, config.data_dir, kept, config.skip_corrupt)

    @property
    def held_out(self) -> int:
        """How many of the pictures to train on are kept for validation; 0: it has its own."""
        return 0 if self.data.lacks_validation else self._config.validation_images

    def describe(self, sources: dict[str, Source]) -> dict[str, Any]:
        return described(sources)

    def setup(self, sources: dict[str, Source]) -> dict[str, Any]:
        """The preprocessing, and the stride of initial weights."""
        stride = None
        if self._config.weights is None:
            preprocessing = _preprocessing(self._options, sources["train"])
        else:
            preprocessing = beginning.preprocessing_of(self._weights)
            stride = self._stride()
        return {"preprocessing": preprocessing.to_json(), "bottleneck_stride": stride}

    def _stride(self) -> str | None:
        if isinstance(self._weights, FasterRCNN):
            return self._weights.get_config()["network"]["bottleneck_stride"]
        return stride_of_weights(self._config, self._weights)

    def summary(self, setup: dict[str, Any], sources: dict[str, Source]) -> ObjectSummary:
        tables = {split: objects_of(source) for split, source in sources.items()}
        notes = {} if self._config.dataset == GIVEN else self.data.notes
        return summarize_objects(tables, sources["train"].class_names, notes)

    def check_setup(self, setup: dict[str, Any]) -> None:
        Preprocessing.from_json(setup["preprocessing"])
        checks.check_one_of("bottleneck_stride", setup["bottleneck_stride"], (None, *STRIDE_PLACES))

    def network(self, setup: dict[str, Any], sources: dict[str, Source]) -> FasterRCNN:
        config, options = self._config, self._options
        preprocessing = Preprocessing.from_json(setup["preprocessing"])
        class_names = sources["train"].class_names
        network = new_network(
            config,
            setup["bottleneck_stride"],
            include_top=False,
            input_shape=(None, None, preprocessing.channels),
            preprocessing=preprocessing,
        )
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
        _freeze(detector, config)
        _check_anchors(detector, options)
        return detector

    def check_beginning(
        self, network: FasterRCNN, setup: dict[str, Any], sources: dict[str, Source]
    ) -> None:
        if self._config.weights is None:
            return
        beginning.check_fits(network, self._weights)
        known = Preprocessing.from_json(setup["preprocessing"]), setup["bottleneck_stride"]
        if (beginning.preprocessing_of(self._weights), self._stride()) != known:
            raise UserError(
                f"{self._config.weights} expects other pictures than when this run began: it was "
                "replaced. Restore it, or name another --run_dir."
            )

    def begin(self, network: FasterRCNN) -> None:
        if self._config.weights is not None:
            beginning.begin_with(network, self._weights)

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


def _preprocessing(options: DetectionOptions, source: Source) -> Preprocessing:
    """That of a network that begins with nothing: the mean color of the pictures."""
    geometry = Preprocessing(
        size=_SIDE_OF_MEAN,
        resize=_SIDE_OF_MEAN,
        mean=(0.0,) * source.channels,
        channels=source.channels,
        exif_orientation=True,
        background=beginning.BACKGROUND,
    )
    mean = channel_mean(source, geometry)
    side = options.shorter_side
    return dataclasses.replace(geometry, size=side, resize=side).with_mean(mean)


def _freeze(detector: FasterRCNN, config: TrainConfig) -> None:
    """Freezes what a configuration wants to keep; a detector itself has its norms frozen."""
    for norm in batch_norms(detector):
        norm.trainable = config.weights is None or not config.freeze_batch_norm
    for part in (detector.trunk, detector.head):
        follow_blocks(part)
    if config.freeze is not None:
        freeze_stages(detector.trunk, config.freeze)


def _check_anchors(detector: FasterRCNN, options: DetectionOptions) -> None:
    """Raises UserError where pictures have fewer anchors than are to be learned from."""
    canvas, stride = detector.canvas, detector.stride
    places = -(-canvas.shorter // stride) * -(-canvas.longer // stride)
    number = places * len(detector.anchor_shapes)
    if options.anchors_per_image > number:
        raise UserError(
            f"`anchors_per_image` must be at most {number}, which pictures of {canvas.shorter}x"
            f"{canvas.longer} pixels have. Received: anchors_per_image={options.anchors_per_image}"
        )
