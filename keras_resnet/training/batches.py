"""What a training sees: the batches of its steps, from any step at once."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from keras_resnet.data.batches import training_batches, training_order
from keras_resnet.data.sources import Source
from keras_resnet.training.clock import time_after


def stamped(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs of a batch and when it was made, see `time_after`."""
    return batches.map(lambda *batch: (batch if len(batch) > 1 else batch[0], time_after()))


@dataclasses.dataclass(frozen=True)
class TrainingBatches:
    """The global batches of a training, whatever the number of replicas and workers.

    Attributes:
      source: all that is seen in an epoch.
      example: what a batch has of each image, see `training_batches`.
      seed: integer that selects order and augmentation.
      size: images of a global batch.
      last_step: number of steps of the whole training.
      strategy: over whose replicas they are distributed.
    """

    source: Source
    example: Callable[..., Any]
    seed: int
    size: int
    last_step: int
    strategy: tf.distribute.Strategy

    def from_step(self, first_step: int) -> Any:
        """The distributed, `stamped` batches from a step on."""
        return self._from_beginning if first_step == 0 else self._distributed(first_step)

    @functools.cached_property
    def _from_beginning(self) -> Any:
        # Its graph takes a part of a second to build, and more than one may ask for it.
        return self._distributed(0)

    def _distributed(self, first_step: int) -> Any:
        return self.strategy.distribute_datasets_from_function(
            lambda context: training_batches(
                self.source,
                self.example,
                seed=self.seed,
                global_batch_size=self.size,
                num_replicas=self.strategy.num_replicas_in_sync,
                first_step=first_step,
                last_step=self.last_step,
                shard=(context.input_pipeline_id, context.num_input_pipelines),
                finish=stamped,
            )
        )

    def indices(self, step: int, count: int) -> Iterator[int]:
        """Yields the indices that steps [step, step + count) see; computed when asked for."""
        first, last = step * self.size, (step + count) * self.size
        for index, _ in training_order(len(self.source), self.seed, first, last):
            yield int(index)
