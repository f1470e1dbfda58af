"""What a network answers about each picture of a source, gathered from all replicas and workers."""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.batches import evaluation_batches
from keras_resnet.data.integrity import faults_named
from keras_resnet.data.sources import Source
from keras_resnet.distribution.devices import shortage
from keras_resnet.distribution.watchdog import FIRST_CALL_SECONDS
from keras_resnet.distribution.workers import Workers

# By name, an array for each picture.
Gathered = dict[str, list[np.ndarray]]


class Evaluator:
    """Asks about each picture of one source once, as often as it is called.

    Args:
      answers: function from a batch to what is to be known of its pictures, tensors by name: [b,
        ...] each, or ragged where pictures have answers of different lengths.
      source: `Source` of the pictures.
      example: what a batch has of each picture, see `evaluation_batches`.
      global_batch_size: pictures at once, over all replicas; any number, the result is the same.
      workers: `Workers` under whose strategy the network was built; None: this process alone, under
        the current strategy.
    """

    def __init__(
        self,
        answers: Callable[[Any], Mapping[str, tf.Tensor]],
        source: Source,
        example: Callable[..., Any],
        global_batch_size: int,
        workers: Workers | None = None,
    ) -> None:
        workers = workers or Workers(tf.distribute.get_strategy())
        strategy = workers.strategy
        replicas = strategy.num_replicas_in_sync
        # No more than there is; a multiple of the replicas.
        global_batch_size = -(-min(global_batch_size, len(source)) // replicas) * replicas
        self._source = source
        self._workers = workers
        self._batch_size = global_batch_size
        self._num_batches = -(-len(source) // global_batch_size)
        self._batches = strategy.distribute_datasets_from_function(
            lambda context: evaluation_batches(
                source,
                example,
                global_batch_size=global_batch_size,
                num_replicas=replicas,
                shard=(context.input_pipeline_id, context.num_input_pipelines),
            )
        )

        @tf.function(autograph=False)
        def answers_of_replicas(batch: Any) -> Any:
            return strategy.experimental_local_results(strategy.run(answers, args=(batch,)))

        self._answers = answers_of_replicas

    def __call__(self, stop_requested: Callable[[], bool] = lambda: False) -> Gathered | None:
        """One pass over the source.

        Args:
          stop_requested: function of nothing that tells whether to give up; asked at every batch.

        Returns:
          By name, a list of the answers about each picture, in the order of the source; None if a
          worker was told to give up.

        Raises:
          UserError: a picture cannot be read.
          WorkerLostError: another worker died or does not answer.
        """
        found: Gathered = {}
        workers = self._workers
        workers.begin("beginning to evaluate", FIRST_CALL_SECONDS)
        with (
            faults_named(self._source, range(len(self._source))),
            workers.losses_named(),
            self._shortages_explained(),
        ):
            iterator = iter(self._batches)
            for _ in range(self._num_batches):
                batch = next(iterator)
                workers.begin("evaluating", FIRST_CALL_SECONDS)
                for of_replica in self._answers(batch):
                    for name, values in of_replica.items():
                        found.setdefault(name, []).extend(_rows(values))
                # What took long is noted by its name, before the others are waited for.
                workers.begin("comparing with the other workers")
                if workers.share([stop_requested()]).any():
                    return None
                workers.begin("waiting for data to evaluate")
            workers.begin("gathering answers", FIRST_CALL_SECONDS)
            shares = workers.exchange(_packed(found))
        return self._in_order([_unpacked(each) for each in shares])

    @contextlib.contextmanager
    def _shortages_explained(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            line = shortage(error)
            if line is None:
                raise
            half = self._batch_size // 2
            advice = (
                f"Try half as many (--batch_size={half}; in a training --global_batch_size)."
                if half
                else "Take smaller pictures."
            )
            raise UserError(
                f"The device has no memory left to evaluate {self._batch_size} pictures at once. "
                f"{advice} TensorFlow says: {line}"
            ) from error

    def _in_order(self, found: list[Gathered]) -> Gathered:
        """All answers, for those of each worker."""
        positions = np.arange(self._num_batches * self._batch_size)
        # Of every global batch each worker has its part.
        of_workers = positions.reshape(self._num_batches, len(found), -1).swapaxes(0, 1)
        order = np.argsort(of_workers, axis=None)[: len(self._source)]
        ordered = {}
        for name in found[0]:
            rows = [row for of_worker in found for row in of_worker[name]]
            ordered[name] = [rows[place] for place in order]
        return ordered


def _rows(values: tf.Tensor) -> list[np.ndarray]:
    """What a tensor, ragged or not, has of each picture."""
    if isinstance(values, tf.RaggedTensor):
        return [row.numpy() for row in values]
    return list(values.numpy())


def _packed(found: Gathered) -> bytes:
    """The answers of one worker as bytes: of each name all numbers in a row, and the shapes."""
    arrays = {}
    for name, rows in found.items():
        arrays[f"{name}/shapes"] = np.array([np.shape(row) for row in rows], np.int64)
        arrays[f"{name}/values"] = np.concatenate([np.ravel(row) for row in rows])
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _unpacked(content: bytes) -> Gathered:
    """The inverse of `_packed`."""
    found: Gathered = {}
    with np.load(io.BytesIO(content)) as arrays:
        for name in {key.rpartition("/")[0] for key in arrays.files}:
            shapes, values = arrays[f"{name}/shapes"], arrays[f"{name}/values"]
            ends = np.cumsum(shapes.prod(axis=1, dtype=np.int64))
            parts = np.split(values, ends[:-1])
            found[name] = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    return found
