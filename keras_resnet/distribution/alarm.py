"""Ends a process in which no thread of Python gets on, as in a library that keeps its lock."""

import ctypes
import faulthandler
import signal


class Alarm:
    """An alarm clock, of which a process has one.

    A process that it ends has the status of SIGALRM, 142 in a shell, and has shown where it was.

    Args:
      seconds: without `put_off` after which the process ends. It may have been stopped meanwhile:
        then it has half of them from when it continues, to say so itself.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._library = ctypes.CDLL(None)

    def put_off(self) -> None:
        """Lets it wait anew."""
        # Of the two signals the first calls a function that does nothing, and restores what the
        # second does, which is to end the process. While a process is stopped they become one.
        self._library.sysv_signal(signal.SIGALRM, self._library.abs)
        signal.setitimer(signal.ITIMER_REAL, self._seconds / 2, self._seconds / 2)
        faulthandler.dump_traceback_later(0.9 * self._seconds)

    def end(self) -> None:
        """Switches it off."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
