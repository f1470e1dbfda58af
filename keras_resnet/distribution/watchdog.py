"""Ends a worker that holds up the others, so that they learn of it; and a wait without end.

TensorFlow notices within seconds when a worker's process is dead or stopped, but never when it is
alive and does not get on. Only that worker can tell that it is not waiting for the others.
"""

import contextlib
import os
import sys
import threading
import time
import traceback
import typing
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow.python.eager import context

from keras_resnet.distribution.alarm import Alarm
from keras_resnet.distribution.pauses import Pauses

EXIT_WORKER_LOST = 75

# Reading data and computing their mean.
START_SECONDS = 3600
# TensorFlow makes and compiles a graph when a function is first called.
FIRST_CALL_SECONDS = 600
SAVE_SECONDS = 300
# For the others, who end by their own limits before.
WAIT_SECONDS = 900

_POLL_SECONDS = 1.0
# TensorFlow sends messages beside what else it does.
_TELL_SECONDS = 1.0


class _Activity(typing.NamedTuple):
    """What the main thread does, since when, for how many seconds at most; see `begin_call`."""

    name: str
    since: float
    limit: float
    outside: str | None
    wait_limit: float | None


class Watchdog:
    """Watches over what the main thread of one of several workers does.

    Args:
      name: of this worker.
      stall_seconds: how long this worker may hold up the others where nothing longer is expected.

    Attributes:
      pauses: `Pauses` of this process, which count for no activity.
    """

    def __init__(self, name: str, stall_seconds: float) -> None:
        self._name = name
        self._stall_seconds = stall_seconds
        self._main_thread = threading.main_thread().ident
        # Counted in graphs: what was begun and not done may be waiting for the others. On the host:
        # to read what is on a GPU waits for the GPU.
        with tf.device("CPU:0"):
            self._begun, self._done = (tf.Variable(0, dtype=tf.int64) for _ in range(2))
        self._durations: dict[str, float | None] = {}
        self._called: set[str] = set()
        self._ended = threading.Event()
        self.pauses = Pauses()
        self._set("starting", START_SECONDS)
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()

    def begin(self, activity: str, first_seconds: float | None = None) -> None:
        """Says what the main thread does from now on, without the others.

        Args:
          activity: its name.
          first_seconds: how long it may take for the first time; later, `stall_seconds` more than
            ten times as long as it took last. None: always `stall_seconds`.
        """
        self._note_duration()
        limit = self._stall_seconds
        if first_seconds is not None:
            seconds = self._durations.setdefault(activity, None)
            limit = first_seconds if seconds is None else limit + 10 * seconds
        self._set(activity, limit)

    def begin_call(
        self, activity: str, outside: str | None = None, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        """Says that the main thread calls a function that meets the others in its graph.

        The graph says by `count_begun` and `count_done` whether it is at it. In between it may take
        as long as the others do; else no longer than this worker may hold them up.

        Args:
          activity: its name.
          outside: name of what the call does where its graph is not at it; None: the same.
          wait_seconds: how long the others may take.
        """
        self._note_duration()
        limit = self._stall_seconds if activity in self._called else FIRST_CALL_SECONDS
        self._called.add(activity)
        self._set(activity, limit, outside or activity, wait_seconds)

    @contextlib.contextmanager
    def waiting(self, activity: str = "waiting for the other workers") -> Iterator[None]:
        """Within the context the main thread calls such a function beside what it does else.

        The others may do the same still, such as reading all data at the start, for as long.
        """
        earlier = self._activity
        self.begin_call(activity, wait_seconds=earlier.limit + WAIT_SECONDS)
        yield
        self._set(earlier.name, earlier.limit, earlier.outside, earlier.wait_limit)

    def _note_duration(self) -> None:
        activity = self._activity
        if activity.name in self._durations:
            self._durations[activity.name] = time.monotonic() - activity.since

    def _set(
        self,
        name: str,
        limit: float,
        outside: str | None = None,
        wait_limit: float | None = None,
    ) -> None:
        self._activity = _Activity(name, time.monotonic(), limit, outside, wait_limit)

    def count_begun(self, inputs: Sequence[tf.Tensor]) -> None:
        """In a graph: counts when inputs, a list of tensors, are there."""
        _count(self._begun, inputs)

    def count_done(self, results: Sequence[tf.Tensor]) -> None:
        """In a graph: counts when the results of as many inputs are there."""
        _count(self._done, results)

    def end(self) -> None:
        """Watches no more."""
        self._ended.set()

    def _watch(self) -> None:
        # Where not even this thread gets on.
        alarm = Alarm(2 * self._stall_seconds)
        counts, counted_since = (-1, -1), time.monotonic()
        while not self._ended.wait(_POLL_SECONDS):
            alarm.put_off()
            now = time.monotonic()
            if (self._begun.numpy(), self._done.numpy()) != counts:
                counts = (self._begun.numpy(), self._done.numpy())
                counted_since = now
            name, since, limit, outside, wait_limit = self._activity
            if outside is not None and wait_limit is not None:
                since = max(since, counted_since)
                if counts[0] == counts[1]:
                    name = outside
                else:
                    limit = wait_limit
            if now - since - self.pauses.within(now - since) > limit:
                self._end_process(name, now - since)
        alarm.end()

    def _end_process(self, activity: str, seconds: float) -> None:
        # A thread that runs has an `ident`.
        frame = sys._current_frames().get(self._main_thread)  # type: ignore[arg-type]
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        print(
            f"\n{self._name} made no progress for {seconds:.0f} s ({activity}) and ends, so that "
            f"the others need not wait. It was here:\n{stack}The same command on all workers goes "
            "on from the last checkpoint. Where it is slow, not stuck: a longer --stall_seconds.",
            file=sys.stderr,
            flush=True,
        )
        # Else the others may miss this process by its heartbeat only. Where none is connected, as
        # before TensorFlow is, there is nobody to tell.
        with contextlib.suppress(tf.errors.OpError):
            context.context().report_error_to_cluster(tf.errors.UNAVAILABLE, activity)
            self._ended.wait(_TELL_SECONDS)
        os._exit(EXIT_WORKER_LOST)


def _count(counter: tf.Variable, values: Sequence[tf.Tensor]) -> None:
    """In a graph: counts when values are there, on whichever devices."""
    # A GPU is only told to compute them; a copy on the host waits until they are.
    with tf.device("CPU:0"):
        copies = [tf.identity(value) for value in values]
        with tf.control_dependencies(copies):
            counter.assign_add(1)
