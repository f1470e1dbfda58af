"""Processes with an alarm of a second."""

import signal
import textwrap
import time

import pytest
from processes import Process

BEGINNING = """
    import ctypes, time
    from keras_resnet.distribution.alarm import Alarm

    alarm = Alarm(1)
    alarm.put_off()
    print("begun", flush=True)
"""

# PyDLL keeps the lock of Python during the call, which takes a lock that it has already.
STUCK = """
    lock = ctypes.create_string_buffer(64)
    while True:
        ctypes.PyDLL(None).pthread_mutex_lock(lock)
"""

PUT_OFF = """
    for _ in range(15):
        time.sleep(0.1)
        alarm.put_off()
    print("goes on")
"""

ENDED = """
    alarm.end()
    time.sleep(1.2)
    print("goes on")
"""


@pytest.fixture
def output(tmp_path):
    """What the process says."""
    output = tmp_path / "output"
    output.touch()
    return output


@pytest.fixture
def start(tmp_path, output):
    """A function that starts the process, and returns it when its alarm is on."""

    def run(body):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(BEGINNING) + textwrap.dedent(body))
        process = Process(path, stdout=output, stderr=output)
        while "begun" not in output.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        return process

    return run


def test_it_ends_what_does_not_let_go_of_python_and_shows_where_it_was(start, output):
    assert start(STUCK).wait(20) == -signal.SIGALRM
    said = output.read_text()
    assert "Timeout (0:00:00.900000)!" in said
    assert 'program.py", line 11 in <module>' in said


def test_it_does_not_end_what_puts_it_off(start, output):
    assert start(PUT_OFF).wait(20) == 0
    assert output.read_text() == "begun\ngoes on\n"


def test_when_it_has_ended_it_ends_nothing(start, output):
    assert start(ENDED).wait(20) == 0
    assert output.read_text() == "begun\ngoes on\n"


def test_who_was_stopped_for_longer_goes_on(start, output):
    process = start(PUT_OFF)
    process.send_signal(signal.SIGSTOP)
    time.sleep(2)
    process.send_signal(signal.SIGCONT)
    assert process.wait(20) == 0
    assert "goes on" in output.read_text()
