"""What a training is for, as a value: all that training knows of what it trains."""

import abc
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.data.sources import Source
from keras_resnet.runs.figures import Figure


class Summary(Protocol):
    """What a person should know of the images before a training."""

    def lines(self) -> list[str]:
        """It in lines of text."""

    def write(self, directory: pathlib.Path) -> None:
        """Writes it into a directory: data_summary.txt, and data_summary.json as the last file."""


# Of a batch, as `training_example` or `evaluation_example` fills it, to tensors by name.
OfBatch = Callable[[Any], Mapping[str, tf.Tensor]]


class Task(abc.ABC):
    """What a network is to learn: from which images, by which loss, and how it is judged.

    It is made from a configuration, by `TrainConfig.task.task(config)`.

    Attributes:
      sums: what `training_values` gives; the first is the loss.
      figures: what `evaluation` gives, in order; it may leave some out but for `best`.
      best: that of the figures by which networks are compared. Where `sums` has one of its name,
        that one's mean is the same of training.
      can_be_compiled: whether XLA can compile a training step.
    """

    sums: ClassVar[tuple[str, ...]]
    figures: ClassVar[tuple[Figure, ...]]
    best: ClassVar[Figure]
    can_be_compiled: ClassVar[bool] = True

    # --- What a run begins with

    @abc.abstractmethod
    def sources(self) -> dict[str, Source]:
        """The images to train on, "train", and those to evaluate on, "validation".

        Raises:
          UserError: they cannot be used.
        """

    @abc.abstractmethod
    def describe(self, sources: dict[str, Source]) -> dict[str, Any]:
        """Facts about the data, JSON values: with others a run does not go on."""

    def explain_change(self, known: dict[str, Any], sources: dict[str, Source]) -> str:
        """Another sentence about why `describe` gave what is `known` before, or nothing."""
        return ""

    def setup(self, sources: dict[str, Source]) -> dict[str, Any]:
        """What a run finds out when it first starts, and remembers: JSON values.

        Raises:
          UserError: something cannot be used.
        """
        return {}

    def summary(self, setup: dict[str, Any], sources: dict[str, Source]) -> Summary | None:
        """What a person should know of the images before the training; None: nothing."""
        return None

    def check_setup(self, setup: dict[str, Any]) -> None:  # noqa: B027
        """Raises ValueError, TypeError or KeyError unless `setup` has given these values."""

    def number_of_test_images(self) -> int:
        """How many images there are to test on, which neither train nor choose; 0: none."""
        return 0

    @abc.abstractmethod
    def network(self, setup: dict[str, Any], sources: dict[str, Source]) -> keras.Model:
        """A new network, made under the strategy's scope; what is frozen is not trainable.

        Raises:
          UserError: the configuration, or the images, do not fit.
        """

    def check_beginning(  # noqa: B027
        self, network: keras.Model, setup: dict[str, Any], sources: dict[str, Source]
    ) -> None:
        """Raises UserError unless `begin` can do its work; before anything is written."""

    def begin(self, network: keras.Model) -> None:  # noqa: B027
        """Gives the network the weights that the training is to begin with, if it is any."""

    # --- Training

    def epoch(self, source: Source) -> Source:
        """All that training sees in an epoch, for the images to train on."""
        return source

    @abc.abstractmethod
    def training_example(self, network: keras.Model, source: Source) -> Callable[..., Any]:
        """What a training batch has of each image.

        Returns:
          A function from an image (as its source has it), its label, its index in the epoch and the
          random numbers drawn for it (see `augmentation.draw`) to a structure of tensors.
        """

    @abc.abstractmethod
    def training_values(self, network: keras.Model, source: Source) -> OfBatch:
        """A function from a batch, within a training step, to `sums`: [b] each, one per image.

        The step descends the mean of the first over the global batch.
        """

    # --- Evaluation

    @abc.abstractmethod
    def evaluation_example(self, network: keras.Model, source: Source) -> Callable[..., Any]:
        """What a batch of evaluation has of each image: a function of image, label and weight.

        The weight is 1, or 0 for what fills up the last batch.
        """

    @abc.abstractmethod
    def answers(self, network: keras.Model) -> OfBatch:
        """A function from a batch to what evaluation gathers of each of its images.

        Its tensors are [b, ...], or ragged where images have answers of different lengths.
        """

    @abc.abstractmethod
    def evaluation(
        self, gathered: Mapping[str, Sequence[np.ndarray]], source: Source
    ) -> dict[str, float]:
        """The figures of all images, by name.

        Args:
          gathered: of each image what `answers` gives, in the order of the source.
          source: the images.
        """
