"""What the workers of a training tell each other, and how they miss one."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.distribution import rendezvous, slurm
from keras_resnet.distribution.cluster import Cluster, cluster_of_environment
from keras_resnet.distribution.lost import RESUME, WorkerLostError, is_of_loss, loss_of
from keras_resnet.distribution.strategy import HEARTBEAT_SECONDS, make_strategy
from keras_resnet.distribution.watchdog import Watchdog

_KEPT: list[object] = []

T = TypeVar("T")


def join_workers(replicas: int, stall_seconds: int, facts: dict[str, Any]) -> "Workers":
    """The `Workers` of this training, connected: this process alone, or those of TF_CONFIG.

    Where it is not set, a step of several tasks in Slurm sets it, see `slurm.set_tf_config`.

    Args:
      replicas: see `make_strategy`.
      stall_seconds: see `Watchdog`.
      facts: dict of JSON values that must be the same for all workers.

    Raises:
      UserError: TF_CONFIG or the devices cannot be used, or the workers are not alike.
      WorkerLostError: another worker did not come, or is gone again.
    """
    slurm.set_tf_config()
    cluster = cluster_of_environment()
    if cluster.num_workers > 1:
        print(f"This is {cluster.describe(cluster.index)} of {cluster.num_workers}.", flush=True)
        rendezvous.meet(cluster, {"TF_CONFIG": [list(task) for task in cluster.tasks], **facts})
        print(f"All {cluster.num_workers} workers are here.", flush=True)
    return Workers(make_strategy(replicas, cluster), cluster, stall_seconds)


class Workers:
    """All workers of a training, of which this process is one; often the only one.

    What a method does with the others, all workers must call in the same order.

    Args:
      strategy: the tf.distribute strategy over all workers.
      cluster: `Cluster`; None: this process is alone.
      stall_seconds: of several workers, see `Watchdog`.

    Attributes:
      strategy: the same.
      is_chief: whether this process writes the run directory.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        cluster: Cluster | None = None,
        stall_seconds: int = 0,
    ) -> None:
        cluster = cluster or Cluster()
        self.strategy = strategy
        self.is_chief = cluster.is_chief
        self._cluster = cluster
        self._alone = cluster.num_workers == 1
        if not self._alone:
            self._watchdog = Watchdog(cluster.describe(cluster.index), stall_seconds)
            self._sum = self._sum_function()
            self._check_devices()

    def _check_devices(self) -> None:
        numbers = self.share([len(self.strategy.extended.worker_devices)])[:, 0]
        unlike = np.flatnonzero(numbers != numbers[0]).tolist()
        if unlike:
            self._part()
        for index in unlike:
            raise UserError(
                f"All workers must have as many devices. {self._cluster.describe(index)} has "
                f"{numbers[index]}, the chief {numbers[0]}: choose with --replicas."
            )

    @property
    def local_replicas(self) -> int:
        """Number of replicas of this process; of all workers the same."""
        return self.strategy.num_replicas_in_sync // self._cluster.num_workers

    def names(self) -> list[str]:
        """Of all workers, for messages."""
        return [self._cluster.describe(index) for index in range(self._cluster.num_workers)]

    # --- Exchange

    def share(self, numbers: Sequence[int]) -> np.ndarray:
        """What each worker gives, known to all.

        Args:
          numbers: integers, of all workers as many.

        Returns:
          int64 array [number of workers, number of integers].
        """
        if self._alone:
            return np.array([numbers], np.int64)
        table = np.zeros((self._cluster.num_workers, len(numbers)), np.int64)
        table[self._cluster.index] = numbers
        with self._watchdog.waiting(), self.losses_named():
            return self._sum(tf.constant(table)).numpy()

    def meet(self) -> None:
        """Returns when all workers are here."""
        self.share([0])

    def _part(self) -> None:
        """Returns when the others have all that they need of this process, which may end now.

        What a worker receives of a meeting it fetches from the others, who may be through with it
        before: another meeting shows that it has come, whatever becomes of that one.
        """
        with contextlib.suppress(WorkerLostError):
            self.meet()

    def leave(self, *used: object) -> None:
        """Ends the work with the others, when all are here.

        Args:
          used: what was used with them. It is kept as long as the process lives: TensorFlow has
            been seen to hang when it freed an iterator after another worker had left.
        """
        self.meet()
        self._part()
        if not self._alone:
            self._watchdog.end()
            _KEPT.extend(used)

    def on_chief(self, function: Callable[[], T]) -> T | None:
        """What a function gives on the chief, which alone calls it; None on the others.

        Raises:
          UserError: the function did, on the chief; then all workers do.
        """
        result, refusal = None, None
        if self.is_chief:
            try:
                result = function()
            except UserError as error:
                refusal = error
        self._raise_on_all(refusal)
        return result

    def _raise_on_all(self, refusal: UserError | None) -> None:
        """Raises the chief's UserError, if there is one, on all workers."""
        text = self._text_of_chief("" if refusal is None else str(refusal))
        if text:
            self._part()
        if refusal is not None:
            raise refusal
        if text:
            raise UserError(f"The chief refuses to train: {text}")

    def from_chief(self, function: Callable[[], Any]) -> Any:
        """What a function gives on the chief, which alone calls it.

        Args:
          function: of nothing; its result must be made of JSON types.

        Raises:
          UserError: as `on_chief`.
        """
        result = self.on_chief(function)
        return result if self._alone else json.loads(self._text_of_chief(json.dumps(result)))

    def _text_of_chief(self, text: str) -> str:
        """The text that the chief gives; what the others give is ignored."""
        if self._alone:
            return text
        encoded = text.encode() if self.is_chief else b""
        return self._bytes_of(0, encoded, self.share([len(encoded)])[0, 0]).decode()

    def exchange(self, content: bytes) -> list[bytes]:
        """The bytes that each worker gives, known to all, in the order of the workers."""
        if self._alone:
            return [content]
        lengths = self.share([len(content)])[:, 0]
        return [self._bytes_of(index, content, length) for index, length in enumerate(lengths)]

    def _bytes_of(self, index: int, content: bytes, length: int) -> bytes:
        """The bytes that one worker gives, of a length that all know."""
        row = np.zeros((1, -(-length // 4)), np.int64)
        if index == self._cluster.index:
            # Four at a time: a sum over replicas still is a number of 64 bits.
            row[0] = np.frombuffer(content.ljust(4 * row.size, b"\0"), np.uint32)
        if row.size:
            with self._watchdog.waiting(), self.losses_named():
                row = self._sum(tf.constant(row)).numpy()
        return row.astype(np.uint32).tobytes()[:length]

    def check_alike(self, what: str, facts: dict[str, Any]) -> None:
        """Raises UserError on all workers if one has other facts than the chief.

        Args:
          what: what the facts are about, for the message.
          facts: dict of JSON values.
        """
        theirs = self.from_chief(lambda: facts)
        differing = [name for name in theirs if facts.get(name) != theirs[name]]
        others = np.flatnonzero(self.share([len(differing)])[:, 0]).tolist()
        if others:
            self._part()
        if differing:
            name = differing[0]
            raise UserError(
                f"This worker has another {what} than the chief: {name} is {facts.get(name)!r}, "
                f"the chief's {theirs[name]!r}."
            )
        if others:
            names = " and ".join(map(self._cluster.describe, others))
            raise UserError(f"{names} has another {what} than the chief; its output says which.")

    @contextlib.contextmanager
    def chief_first(self) -> Iterator[None]:
        """Lets the others into the context when the chief has left it.

        What the chief has prepared or remembered on a common disk, they then need not do again.

        Raises:
          UserError: one was raised within the context, on the chief; then all workers raise it.
        """
        if not self.is_chief:
            self._raise_on_all(None)
            yield
            return
        refusal = None
        try:
            yield
        except UserError as error:
            refusal = error
        self._raise_on_all(refusal)

    def copy_from_chief(self, variables: Sequence[keras.Variable]) -> None:
        """Gives the variables of all workers the values that the chief's have, bit for bit."""
        if self._alone:
            return

        def copy() -> None:
            context = tf.distribute.get_replica_context()
            for variable in variables:
                value = tf.convert_to_tensor(variable)
                # As integers: sums of floats would lose minus zero and the smallest numbers.
                whole = {4: tf.int32, 8: tf.int64}[value.dtype.size]
                bits = tf.cast(tf.bitcast(value, whole), tf.int64)
                is_first = tf.equal(context.replica_id_in_sync_group, 0)
                bits = context.all_reduce("sum", tf.where(is_first, bits, tf.zeros_like(bits)))
                variable.assign(tf.bitcast(tf.cast(bits, whole), value.dtype))

        @tf.function
        def copy_on_all() -> None:
            self._watchdog.count_begun([])
            self.strategy.run(copy)
            self._watchdog.count_done([tf.convert_to_tensor(variable) for variable in variables])

        with self._watchdog.waiting("copying the chief's state"), self.losses_named():
            copy_on_all()

    def _sum_function(self) -> Callable[[tf.Tensor], tf.Tensor]:
        num_local = len(self.strategy.extended.worker_devices)

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64)])
        def sum_over_workers(table: tf.Tensor) -> tf.Tensor:
            self._watchdog.count_begun([table])

            def sum_over_replicas() -> tf.Tensor:
                return tf.distribute.get_replica_context().all_reduce("sum", tf.identity(table))

            totals = self.strategy.experimental_local_results(self.strategy.run(sum_over_replicas))
            self._watchdog.count_done(totals)
            return totals[0] // num_local

        return sum_over_workers

    # --- Loss

    def begin_call(self, activity: str, outside: str | None = None) -> None:
        """Says that this process calls a function of all workers; see `Watchdog`."""
        if not self._alone:
            self._watchdog.begin_call(activity, outside)

    def begin(self, activity: str, first_seconds: float | None = None) -> None:
        """Says what this process does from now on, and how long it may take; see `Watchdog`."""
        if not self._alone:
            self._watchdog.begin(activity, first_seconds)

    @property
    def watchdog(self) -> Watchdog | None:
        """What counts steps and watches over them; None for one process alone."""
        return None if self._alone else self._watchdog

    @contextlib.contextmanager
    def losses_named(self) -> Iterator[None]:
        """Turns TensorFlow's error over a worker that does not answer into one that names it.

        Raises:
          WorkerLostError: another worker died or does not answer.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self._alone or not is_of_loss(error):
                raise
            raise self._pause() or loss_of(self._cluster, error) from error

    def _pause(self) -> WorkerLostError | None:
        """What to raise where the others miss this process; None if it has run all the time."""
        pause = self._watchdog.pauses.within(2 * HEARTBEAT_SECONDS)
        if pause <= HEARTBEAT_SECONDS / 2:
            return None
        return WorkerLostError(
            f"{self._cluster.describe(self._cluster.index)} did not run for {pause:.0f} s "
            "(stopped, or without a processor), so that the others have given it up, and ends too. "
            f"{RESUME}"
        )
