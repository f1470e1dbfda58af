"""What the tasks have in common whose pictures have annotations, and whose networks a backbone."""

import abc
import dataclasses
import functools
from typing import Any, ClassVar

from keras_resnet import checks
from keras_resnet.checks import UserError
from keras_resnet.data.annotated_sets import AnnotatedSet
from keras_resnet.data.batches import channel_mean
from keras_resnet.data.sources import Source
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.families import STRIDE_PLACES
from keras_resnet.networks.layer_tree import batch_norms, follow_blocks, freeze_stages
from keras_resnet.networks.resnet import ResNet
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import Task
from keras_resnet.training.beginnings import BACKGROUND, Beginning, Composite, Kind
from keras_resnet.training.initial_weights import WeightFile
from keras_resnet.training.inputs import described, divided
from keras_resnet.training.networks import new_network, stride_of_weights

# Side of the squares over which the mean color is computed.
_SIDE_OF_MEAN = 64


class AnnotatedTask(Task):
    """Base of such tasks.

    Args:
      config: `TrainConfig`.
      size: side of the pictures in pixels, for the record.

    Attributes:
      kind: `Kind` of the networks.
      can_be_compiled: see `Task`.
    """

    kind: ClassVar[Kind]
    can_be_compiled = False

    def __init__(self, config: TrainConfig, size: int) -> None:
        self._config = config
        self._size = size

    @functools.cached_property
    def _weights(self) -> Beginning:
        return self.kind.beginning(self._config)

    @abc.abstractmethod
    def _opened(self) -> AnnotatedSet:
        """The data set of the configuration."""

    @functools.cached_property
    def data(self) -> AnnotatedSet:
        """The data set of the configuration."""
        if self._config.classes is not None:
            raise UserError(
                "`classes` is for folders of pictures of one class each. "
                f"Received: classes={self._config.classes!r}"
            )
        return self._opened()

    @property
    def _kept(self) -> int | float:
        """How many pictures of a folder, or what share, are kept for validation."""
        return self._config.validation_images or self._config.validation_share

    def sources(self) -> dict[str, Source]:
        used, held_out = divided(self.data.source("train"), self._config, self.held_out)
        validation = self.data.source("validation") if held_out is None else held_out
        return {"train": used, "validation": validation}

    def validation_source(self) -> Source:
        """The pictures to validate on alone."""
        if self.held_out:
            return self.sources()["validation"]
        return self.data.source("validation")

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
            preprocessing = self._mean_of(sources["train"])
        else:
            preprocessing = self.kind.preprocessing_of(self._weights)
            stride = self._stride()
        return {"preprocessing": preprocessing.to_json(), "bottleneck_stride": stride}

    def _mean_of(self, source: Source) -> Preprocessing:
        """The preprocessing of a network that begins with nothing: the pictures' mean color."""
        geometry = Preprocessing(
            size=_SIDE_OF_MEAN,
            resize=_SIDE_OF_MEAN,
            mean=(0.0,) * source.channels,
            channels=source.channels,
            exif_orientation=True,
            background=BACKGROUND,
        )
        mean = channel_mean(source, geometry)
        return dataclasses.replace(geometry, size=self._size, resize=self._size).with_mean(mean)

    def _stride(self) -> str | None:
        if isinstance(self._weights, WeightFile):
            return stride_of_weights(self._config, self._weights)
        return self._weights.get_config()["network"]["bottleneck_stride"]

    def check_setup(self, setup: dict[str, Any]) -> None:
        Preprocessing.from_json(setup["preprocessing"])
        checks.check_one_of("bottleneck_stride", setup["bottleneck_stride"], (None, *STRIDE_PLACES))

    def _backbone(self, setup: dict[str, Any]) -> ResNet:
        """A new network without its classifier, which has a preprocessing."""
        preprocessing = Preprocessing.from_json(setup["preprocessing"])
        return new_network(
            self._config,
            setup["bottleneck_stride"],
            include_top=False,
            input_shape=(None, None, preprocessing.channels),
            preprocessing=preprocessing,
        )

    def _freeze(self, model: Composite, trunk: Any) -> None:
        """Freezes what the configuration wants to keep, of a network and its first stages."""
        for part in (getattr(model, name) for name in model.backbone_parts):
            for norm in batch_norms(part):
                norm.trainable = self._config.weights is None or not self._config.freeze_batch_norm
            follow_blocks(part)
        if self._config.freeze is not None:
            freeze_stages(trunk, self._config.freeze)

    def check_beginning(
        self, network: Any, setup: dict[str, Any], sources: dict[str, Source]
    ) -> None:
        if self._config.weights is None:
            return
        self.kind.check_fits(network, self._weights)
        known = Preprocessing.from_json(setup["preprocessing"]), setup["bottleneck_stride"]
        if (self.kind.preprocessing_of(self._weights), self._stride()) != known:
            raise UserError(
                f"{self._config.weights} expects other pictures than when this run began: it was "
                "replaced. Restore it, or name another --run_dir."
            )

    def begin(self, network: Any) -> None:
        if self._config.weights is not None:
            self.kind.begin_with(network, self._weights)
