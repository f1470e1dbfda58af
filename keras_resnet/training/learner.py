"""What a training changes: the network, with its optimizer and learning rates."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.runs.config import TrainConfig
from keras_resnet.training.rates import Rates


@dataclasses.dataclass(frozen=True)
class Learner:
    """A network in training, made under a strategy.

    Attributes:
      network: Keras model.
      optimizer: built for it.
      rates: its learning rates.
      strategy: under which both were made.
    """

    network: keras.Model
    optimizer: keras.Optimizer
    rates: Rates
    strategy: tf.distribute.Strategy

    @classmethod
    def of(cls, config: TrainConfig, network: keras.Model, rates: Rates) -> Self:
        """With the optimizer of a configuration, under the current strategy."""
        optimizer = keras.optimizers.SGD(
            rates.schedule,
            momentum=config.momentum,
            use_ema=config.ema_momentum is not None,
            ema_momentum=config.ema_momentum or 0.0,
        )
        optimizer.build(network.trainable_variables)
        return cls(network, optimizer, rates, tf.distribute.get_strategy())

    @property
    def variables(self) -> list[keras.Variable]:
        """All that steps change."""
        return [*self.network.variables, *self.optimizer.variables]

    def infinite_variable(self) -> str | None:
        """Name of one whose values are not all numbers; None: all are."""
        for variable in self.network.variables:
            if not np.isfinite(variable.numpy()).all():
                return variable.path
        return None

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within the context the network has its averaged weights, where there are any."""
        if not self.optimizer.use_ema:
            yield
            return
        variables = self.network.trainable_variables
        weights = [variable.numpy() for variable in variables]
        with self.strategy.scope():
            self.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, weight in zip(variables, weights, strict=True):
                variable.assign(weight)
