import itertools
import types

import pytest

from keras_resnet.serving.clients import ServingError, retries
from keras_resnet.serving.clients.failures import UnavailableError, UnknownHostError
from keras_resnet.serving.clients.retries import Retries


class Clock:
    """Seconds that pass only while someone sleeps."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def module(self):
        return types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(retries, "time", clock.module())
    return clock


def failing(times, failure):
    """A function that fails at first."""
    numbers = itertools.count(1)

    def ask():
        if next(numbers) <= times:
            raise failure
        return "answer"

    return ask


GONE = UnavailableError("it is gone")


def test_a_server_that_is_there_is_asked_once(clock):
    waits = []
    assert Retries(60.0, waits.append).answer(failing(0, GONE)) == "answer"
    assert (clock.pauses, waits) == ([], [])


def test_pauses_grow_up_to_five_seconds_and_are_not_the_same_for_all(clock):
    waits = []
    assert Retries(60.0, waits.append).answer(failing(8, GONE)) == "answer"
    longest = [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert all(most / 2 <= pause <= most for pause, most in zip(clock.pauses, longest, strict=True))
    assert len({pause / most for pause, most in zip(clock.pauses, longest, strict=True)}) > 4
    # Once.
    assert waits == ["Waiting up to 60 s: it is gone"]


def test_the_last_attempt_is_at_the_end_of_the_time(clock):
    with pytest.raises(ServingError, match="it is gone"):
        Retries(60.0, str).answer(failing(10**6, GONE))
    assert clock.now == pytest.approx(60.0)
    with pytest.raises(ServingError, match="it is gone"):
        Retries(0.0, pytest.fail).answer(failing(1, GONE))
    assert clock.now == pytest.approx(60.0)


def test_each_request_has_the_whole_time(clock):
    mine = Retries(1.0, str)
    for _ in range(10):
        assert mine.answer(failing(2, GONE)) == "answer"


def test_a_server_that_asks_to_be_left_alone_is(clock):
    busy = UnavailableError("busy", after=7.0)
    assert Retries(60.0, str).answer(failing(2, busy)) == "answer"
    assert clock.pauses == [7.0, 7.0]
    with pytest.raises(ServingError, match="busy"):
        Retries(6.0, pytest.fail).answer(failing(1, busy))
    assert clock.pauses == [7.0, 7.0]


def test_a_host_without_a_name_is_a_mistake_until_it_has_answered(clock):
    unknown = UnknownHostError("hots", "no answer")
    mine = Retries(60.0, pytest.fail)
    with pytest.raises(ServingError, match="no answer. No host is called hots"):
        mine.answer(failing(1, unknown))
    assert clock.pauses == []
    mine = Retries(60.0, str)
    mine.answer(failing(0, GONE))
    # Names of containers are gone while they start again.
    assert mine.answer(failing(1, unknown)) == "answer"
