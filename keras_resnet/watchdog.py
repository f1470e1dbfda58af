"""Ends a worker that holds up the others, so that they learn of it; and a wait without end.

TensorFlow notices within seconds when a worker's process is dead or stopped, but never when it is
alive and does not get on. Only that worker can tell that it is not waiting for the others.
"""

import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback

import tensorflow as tf

EXIT_WORKER_LOST = 75

# Reading data and computing their mean.
START_SECONDS = 3600
# TensorFlow makes and compiles a graph when a function is first called.
FIRST_CALL_SECONDS = 600
SAVE_SECONDS = 300
# For the others, whose own limits are shorter.
WAIT_SECONDS = 900

_POLL_SECONDS = 1.0
_STEPS = "taking steps"


class Watchdog:
    """Watches over what the main thread of one of several workers does.

    Args:
      name: of this worker.
      stall_seconds: how long this worker may hold up the others where nothing longer is expected.
    """

    def __init__(self, name, stall_seconds):
        self._name = name
        self._stall_seconds = stall_seconds
        self._main_thread = threading.main_thread().ident
        # Counted by the training function while it runs.
        self._fetched, self._taken = (tf.Variable(0, dtype=tf.int64) for _ in range(2))
        self._has_begun = False
        self._durations = {}
        self._ended = threading.Event()
        self._set("starting", START_SECONDS)
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()

    def begin(self, activity, first_seconds=None):
        """Says what the main thread does from now on.

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

    def _note_duration(self):
        activity, since, _ = self._activity
        if activity in self._durations:
            self._durations[activity] = time.monotonic() - since

    def _set(self, activity, limit):
        self._activity = (activity, time.monotonic(), limit)

    @contextlib.contextmanager
    def waiting(self):
        """Within the context the main thread waits for the other workers."""
        activity, _, limit = self._activity
        self._note_duration()
        self._set("waiting for the other workers", max(limit, WAIT_SECONDS))
        yield
        self._set(activity, limit)

    def begin_steps(self):
        """Says that the main thread calls the training function, which counts what it does."""
        self._set(_STEPS, WAIT_SECONDS if self._has_begun else FIRST_CALL_SECONDS)
        self._has_begun = True

    def count_batch(self, batch):
        """In a graph: counts a batch, a list of tensors, when it is there."""
        with tf.control_dependencies(batch):
            self._fetched.assign_add(1)

    def count_step(self, results):
        """In a graph: counts a step when its results are there."""
        with tf.control_dependencies(results):
            self._taken.assign_add(1)

    def end(self):
        """Watches no more."""
        self._ended.set()

    def _watch(self):
        counts, counted_since = None, time.monotonic()
        while not self._ended.wait(_POLL_SECONDS):
            # Where not even this thread gets on, as in a library that does not let go of Python.
            faulthandler.dump_traceback_later(2 * self._stall_seconds, exit=True)
            now = time.monotonic()
            if (self._fetched.numpy(), self._taken.numpy()) != counts:
                counts = (self._fetched.numpy(), self._taken.numpy())
                counted_since = now
            activity, since, limit = self._activity
            if activity == _STEPS and limit == WAIT_SECONDS:
                since = max(since, counted_since)
                if counts[0] == counts[1]:
                    activity, limit = "waiting for data", self._stall_seconds
            if now - since > limit:
                self._end_process(activity, now - since)
        faulthandler.cancel_dump_traceback_later()

    def _end_process(self, activity, seconds):
        frame = sys._current_frames().get(self._main_thread)
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        print(
            f"\n{self._name} made no progress for {seconds:.0f} s ({activity}) and ends, so that "
            f"the others need not wait. It was here:\n{stack}The same command on all workers goes "
            "on from the last checkpoint. Where it is slow, not stuck: a longer --stall_seconds.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(EXIT_WORKER_LOST)
