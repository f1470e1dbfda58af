"""When this whole process did not run: it was stopped, or got no processor.

Then it hears nothing of the others, and they nothing of it, and it is itself what they miss.
"""

import threading
import time

_POLL_SECONDS = 1.0
# What a busy machine takes from a thread now and then is no pause.
_LEAST_SECONDS = 5.0


class Pauses:
    """Notices pauses of this process from now on, by a thread that looks at the clock."""

    def __init__(self) -> None:
        self._looked = time.monotonic()
        # Of each pause its end and its length.
        self._pauses: list[tuple[float, float]] = []
        threading.Thread(target=self._look, daemon=True, name="pauses").start()

    def within(self, seconds: float) -> float:
        """Seconds of all pauses that ended in the last so many seconds, or have not ended yet."""
        now = time.monotonic()
        # The thread may not have noticed the newest yet, when another one runs again.
        newest = now - self._looked
        earlier = sum(length for end, length in self._pauses if now - end < seconds)
        return earlier + (newest if newest > _LEAST_SECONDS else 0.0)

    def _look(self) -> None:
        while True:
            time.sleep(_POLL_SECONDS)
            now = time.monotonic()
            if now - self._looked > _LEAST_SECONDS:
                self._pauses.append((now, now - self._looked))
            self._looked = now
