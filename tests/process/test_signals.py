import os
import signal
import subprocess
import sys
import threading

import pytest

from keras_resnet.process.signals import STOP_SIGNALS, stop_requests

OF_PEOPLE = [signal.SIGINT, signal.SIGTERM]
WARNINGS = [number for number in STOP_SIGNALS if number not in OF_PEOPLE]


def handlers(numbers=STOP_SIGNALS):
    return [signal.getsignal(number) for number in numbers]


@pytest.mark.parametrize("number", OF_PEOPLE)
def test_a_signal_asks_to_stop_and_the_next_one_ends(number):
    earlier = handlers()
    with stop_requests() as stop_requested:
        assert not stop_requested()
        os.kill(os.getpid(), number)
        assert stop_requested()
        assert handlers(OF_PEOPLE) == [signal.SIG_DFL] * 2
    assert handlers() == earlier


@pytest.mark.parametrize("number", WARNINGS)
def test_a_warning_asks_to_stop_and_what_follows_it_does_not_end(number):
    with stop_requests() as stop_requested:
        for _ in range(2):
            os.kill(os.getpid(), number)
            assert stop_requested()
        assert signal.SIG_DFL not in handlers()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop_requested()


@pytest.mark.parametrize(("hang_up", "is_heard"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_the_end_of_a_terminal_is_heard_unless_it_was_ignored_at_the_start(hang_up, is_heard):
    program = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.Handlers(int(sys.argv[1])));"
        "from keras_resnet.process.signals import STOP_SIGNALS;"
        "print(signal.SIGHUP in STOP_SIGNALS, signal.SIGUSR1 in STOP_SIGNALS)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(int(hang_up))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == f"{is_heard} True\n"


def test_other_threads_are_never_asked():
    answers = []

    def ask():
        with stop_requests() as stop_requested:
            answers.append(stop_requested())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [False]
