"""Ctrl-C and SIGTERM as a wish to stop, which a loop can grant when it has tidied up."""

import contextlib
import signal
import threading
import types
from collections.abc import Callable, Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal stopped a training after it had saved its state; the message says where."""


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether a signal has asked to stop; a second one ends at once.

    Python would raise KeyboardInterrupt between any two instructions, and loses it where the
    instruction is a destructor. Outside the main thread Python knows no signals: nobody asks.
    """
    received = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    earlier = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def remember(number: int, _frame: types.FrameType | None) -> None:
        received.append(number)
        for stop_signal in STOP_SIGNALS:
            signal.signal(stop_signal, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        signal.signal(number, remember)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
