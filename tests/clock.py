"""A clock that tests turn, for modules that judge by time."""

import threading


class Clock:
    """In place of the module `time` of a module: time passes as a test says.

    One other thread is to look at the clock again and again, as a watchdog does.
    """

    def __init__(self):
        self._now = 0.0
        self._looks = 0
        self._looked = threading.Condition()

    def monotonic(self):
        with self._looked:
            self._looks += 1
            self._looked.notify_all()
            return self._now

    def turn(self, seconds):
        """Lets seconds pass of which the other thread sees beginning and end."""
        self._wait_for_looks()
        self._now += seconds
        self._wait_for_looks()

    def _wait_for_looks(self):
        """Returns when the other thread has acted on what it sees now."""
        with self._looked:
            # One look may have begun before, and it acts on the next one before that after it.
            enough = self._looks + 3
            self._looked.wait_for(lambda: self._looks >= enough)
