"""How long a server that is not available is waited for."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from keras_resnet.serving.clients.failures import ServingError, UnavailableError, UnknownHostError

_T = TypeVar("_T")

# In which a connection must come about; who starts again may be found at the next attempt.
CONNECT_SECONDS = 5

# Before the first repetition and before any, in seconds; each is twice as long as the one before.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class Retries:
    """Repeats a request while its server is not available; to be asked twice does no harm.

    Args:
      seconds: for which a request is repeated, from its first failure on.
      on_wait: function of a message, called when a waiting begins.
    """

    def __init__(self, seconds: float, on_wait: Callable[[str], object]) -> None:
        self._seconds = seconds
        self._on_wait = on_wait
        self._has_answered = False

    def answer(self, ask: Callable[[], _T]) -> _T:
        """What a function gives, called again while it raises `UnavailableError`.

        Raises:
          ServingError: it does so for too long, or there is no such host.
        """
        pause, deadline = _FIRST_PAUSE, None
        while True:
            try:
                answer = ask()
            except UnavailableError as error:
                failure = error
            else:
                self._has_answered = True
                return answer
            now = time.monotonic()
            if deadline is None:
                deadline = now + self._seconds
                if self._may_pass(failure, self._seconds):
                    self._on_wait(f"Waiting up to {self._seconds:g} s: {failure}")
            if not self._may_pass(failure, deadline - now):
                raise ServingError(str(failure)) from failure
            # Clients that lost a server at once shall not all come back at once.
            chosen = max(random.uniform(pause / 2, pause), failure.after)
            time.sleep(min(chosen, deadline - now))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _may_pass(self, failure: UnavailableError, seconds: float) -> bool:
        """Whether a failure may have passed before some seconds are over."""
        # A name that was right may be unknown while its server starts again.
        is_mistake = isinstance(failure, UnknownHostError) and not self._has_answered
        return not is_mistake and failure.after < seconds
