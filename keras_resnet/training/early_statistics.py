"""Statistics of batch normalizations that fit, early in a training, when the moving ones do not."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.data.integrity import faults_named
from keras_resnet.distribution.watchdog import FIRST_CALL_SECONDS
from keras_resnet.distribution.workers import Workers
from keras_resnet.evaluation.precise_bn import Moments, without_memory
from keras_resnet.networks.layer_tree import batch_norms, moving_statistics
from keras_resnet.runs.task import OfBatch
from keras_resnet.training.batches import TrainingBatches

# A training is young for ten times as many steps as its moving statistics are a mean of, which are
# 1 / (1 - momentum). Of CifarResNet-8 on 576 shapes, at a rate of 0.1 that falls as a cosine, the
# validation loss with moving statistics and with those of 256 images is: after 18 steps 2.73 and
# 2.15, 48 steps 3.71 and 1.11, 78 steps 0.86 and 0.89, 100 steps 0.82 and 0.77. (Without the weight
# of their first values the moving ones give 2.79 and 3.74: it is the weights that they lag behind.)
_YOUTH = 10

# So many images are looked at, rounded up to whole batches, or an epoch.
_IMAGES = 256


@dataclasses.dataclass(frozen=True)
class EarlyStatistics:
    """Gives a network, to be evaluated, the statistics of batches as its present weights see them.

    The moving ones begin with values of no image or of others, and follow weights that change fast.
    The batches are the first ones of the training: the statistics depend on the weights alone.

    Attributes:
      values_of: what a training step computes of a batch.
      network: Keras model.
      batches: of the training.
      workers: `Workers` under whose strategy the network was made.
      schedule: of the learning rate. Where evaluations decide on the rate, as on a plateau, all of
        a training must be evaluated alike: the moving statistics stay.
    """

    values_of: OfBatch
    network: keras.Model
    batches: TrainingBatches
    workers: Workers
    schedule: str

    @contextlib.contextmanager
    def of_step(self, step: int) -> Iterator[None]:
        """Within the context the network has them, if the training is young after a step.

        Normalizations that are frozen keep what they have.

        Raises:
          UserError: an image cannot be read.
          WorkerLostError: another worker died or does not answer.
        """
        norms = [norm for norm in batch_norms(self.network) if norm.trainable]
        is_young = any(step * round(1 - norm.momentum, 6) < _YOUTH for norm in norms)
        if not is_young or self.schedule == "plateau":
            self.__dict__.pop("_first_batches", None)  # They are not needed again.
            yield
            return
        # All that a pass may move: the states of generators, too.
        variables = self.network.non_trainable_variables
        moving = [variable.numpy() for variable in variables]
        try:
            with without_memory(norms):
                values = self._observed()
            self._set(values)
            yield
        finally:
            for variable, value in zip(variables, moving, strict=True):
                variable.assign(value)

    def _moved(self) -> list[keras.Variable]:
        """Means and variances that training moves, in turn."""
        pairs = zip(batch_norms(self.network), moving_statistics(self.network), strict=True)
        return [statistic for norm, pair in pairs if norm.trainable for statistic in pair]

    def _observed(self) -> np.ndarray:
        """Means in a row and variances in a row over the batches on all replicas, [2, values]."""
        moments, of_all = Moments(), Moments()
        self.workers.begin("observing statistics", FIRST_CALL_SECONDS)
        with self.workers.losses_named():
            for batch in self._first_batches:
                for of_replica in self._observe(batch):
                    moments.add(*of_replica.numpy())
        self.workers.begin("gathering statistics", FIRST_CALL_SECONDS)
        for of_worker in self.workers.exchange(np.stack(moments.of_all()).tobytes()):
            of_all.add(*np.frombuffer(of_worker).reshape(2, -1))
        return np.stack(of_all.of_all())

    @functools.cached_property
    def _first_batches(self) -> list[Any]:
        """The batches that are looked at, which take seconds to begin with."""
        count = -(-min(_IMAGES, len(self.batches.source)) // self.batches.size)
        first = self.batches
        if count > first.last_step:
            first = dataclasses.replace(first, last_step=count)
        with faults_named(first.source, first.indices(0, count)):
            batches = iter(first.from_step(0))
            return [next(batches)[0] for _ in range(count)]

    def _set(self, values: np.ndarray) -> None:
        """Gives the network what `_observed` gives."""
        statistics = self._moved()
        ends = np.cumsum([int(np.prod(mean.shape)) for mean in statistics[::2]])
        for place, row in enumerate(values):
            parts = np.split(row, ends[:-1])
            for variable, part in zip(statistics[place::2], parts, strict=True):
                variable.assign(part.reshape(variable.shape))

    @functools.cached_property
    def _observe(self) -> Callable[[Any], tuple[tf.Tensor, ...]]:
        """A function from a batch to what it leaves on each replica of this worker.

        Means in a row and variances in a row: [2, values].
        """
        strategy, statistics = self.workers.strategy, self._moved()

        def of_replica(batch: Any) -> tf.Tensor:
            self.values_of(batch)
            values = [tf.reshape(tf.convert_to_tensor(value), [-1]) for value in statistics]
            return tf.stack([tf.concat(values[place::2], axis=0) for place in range(2)])

        def observe(batch: Any) -> tuple[tf.Tensor, ...]:
            return strategy.experimental_local_results(strategy.run(of_replica, args=(batch,)))

        # Of one replica: a graph would take longer to build than the few passes do without it.
        if strategy.num_replicas_in_sync == 1:
            return observe
        return tf.function(observe, autograph=False)
