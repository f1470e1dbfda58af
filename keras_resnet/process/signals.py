"""Ctrl-C and what schedulers send, as a wish to stop, which a loop grants when it has tidied up."""

import contextlib
import signal
import threading
import types
from collections.abc import Callable, Iterator

# Of a person who waits: a second one ends at once.
_OF_PEOPLE = (signal.SIGINT, signal.SIGTERM)

# What a scheduler warns with before its SIGTERM (Slurm's --signal; SIGXCPU at limits of time, as of
# Grid Engine and ulimit -t), and the end of a terminal, unless the process was started so that it
# outlives it (nohup).
_IS_DETACHED = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
_WARNINGS = (
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU),
    *(() if _IS_DETACHED else (signal.SIGHUP,)),
)

STOP_SIGNALS = _OF_PEOPLE + _WARNINGS


class Interrupted(KeyboardInterrupt):
    """A signal stopped a training after it had saved its state; the message says where."""


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether a signal has asked to stop.

    A second SIGINT or SIGTERM ends at once; what a scheduler warns with counts as none of them.

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
        if number in _OF_PEOPLE:
            for stop_signal in _OF_PEOPLE:
                signal.signal(stop_signal, signal.SIG_DFL)

    for number in STOP_SIGNALS:
        signal.signal(number, remember)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
