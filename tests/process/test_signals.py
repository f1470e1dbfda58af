import os
import signal
import threading

import pytest

from keras_resnet.process.signals import STOP_SIGNALS, stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_the_next_one_ends(number):
    earlier = [signal.getsignal(each) for each in STOP_SIGNALS]
    with stop_requests() as stop_requested:
        assert not stop_requested()
        os.kill(os.getpid(), number)
        assert stop_requested()
        assert [signal.getsignal(each) for each in STOP_SIGNALS] == [signal.SIG_DFL] * 2
    assert [signal.getsignal(each) for each in STOP_SIGNALS] == earlier


def test_other_threads_are_never_asked():
    answers = []

    def ask():
        with stop_requests() as stop_requested:
            answers.append(stop_requested())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [False]
