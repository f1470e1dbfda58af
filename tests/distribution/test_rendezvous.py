import socket
import struct
import threading
import time

import pytest
from harness import free_ports

from keras_resnet.distribution import rendezvous
from keras_resnet.distribution.cluster import Cluster

FACTS = {"depth": 20, "dataset": "shapes"}
HELLO_OF_1 = b'{"worker": 1, "facts": {"depth": 20, "dataset": "shapes"}}\n'
HELLO_OF_2 = HELLO_OF_1.replace(b"1", b"2")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """What is tried again is tried soon."""
    monkeypatch.setattr(rendezvous, "_RETRY_SECONDS", 0.01)


def cluster(ports, index):
    tasks = tuple(("worker", n, f"127.0.0.1:{port}") for n, port in enumerate(ports))
    return Cluster(tasks, index)


class Meeting:
    """What becomes of workers that meet, each in a thread: in `results` None, or the message."""

    def __init__(self, ports):
        self._ports = ports
        self._threads = []
        self.results = {}

    def begin(self, index, facts=FACTS, wait_seconds=20, cluster=cluster):
        """Starts a worker."""

        def meet():
            try:
                rendezvous.meet(cluster(self._ports, index), facts, wait_seconds)
                self.results[index] = None
            except ValueError as error:
                self.results[index] = str(error)

        thread = threading.Thread(target=meet)
        thread.start()
        self._threads.append(thread)

    def end(self):
        """Returns when all have ended."""
        for thread in self._threads:
            thread.join()
        return self.results


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_all_go_on_when_all_are_there(order):
    ports = free_ports(3)
    meeting = Meeting(ports)
    for index in order[:-1]:
        meeting.begin(index)
        connect(ports[index]).close()  # It is there.
    meeting.begin(order[-1])
    assert meeting.end() == {0: None, 1: None, 2: None}


def test_all_learn_of_a_difference():
    meeting = Meeting(free_ports(2))
    meeting.begin(0)
    meeting.begin(1, {**FACTS, "depth": 56})
    results = meeting.end()
    assert results.keys() == {0, 1}
    for message in results.values():
        assert "worker 1 (127.0.0.1:" in message
        assert "has depth=56, the chief depth=20" in message


def test_a_difference_is_said_although_another_worker_never_comes():
    meeting = Meeting(free_ports(3))
    meeting.begin(0, wait_seconds=5)
    meeting.begin(1, {**FACTS, "dataset": "pets"}, wait_seconds=5)
    results = meeting.end()
    assert "has dataset='pets', the chief dataset='shapes'" in results[0]
    assert results[1] == results[0]


def test_who_is_missing_is_named_again_and_again_and_the_wait_ends(monkeypatch, capsys):
    ports = free_ports(3)
    monkeypatch.setattr(rendezvous, "time", HurriedTime(1))
    one, two = (f"worker {index} (127.0.0.1:{ports[index]})" for index in (1, 2))
    with pytest.raises(ValueError, match="Not all workers came. Missing: ") as failure:
        rendezvous.meet(cluster(ports, 0), FACTS, wait_seconds=100)
    assert str(failure.value).endswith(f"Missing: {one}, {two}.")
    # After 3, 34, 65 and 96 s.
    assert capsys.readouterr().out == f"Waiting for {one}, {two}.\n" * 4
    with pytest.raises(ValueError, match="Missing: worker 0 .*, the chief.*, and those for whom"):
        rendezvous.meet(cluster(ports, 2), FACTS, wait_seconds=10)


class HurriedTime:
    """In place of the module `time`: each look at it takes seconds."""

    def __init__(self, seconds):
        self._seconds = seconds
        self._now = 0

    def monotonic(self):
        self._now += self._seconds
        return self._now

    def sleep(self, seconds):
        self._now += seconds


def test_the_wait_is_a_quarter_of_an_hour_if_nothing_else_is_said(monkeypatch, capsys):
    monkeypatch.setattr(rendezvous, "time", HurriedTime(60))
    with pytest.raises(ValueError, match="Missing"):
        rendezvous.meet(cluster(free_ports(2), 0), FACTS)
    assert capsys.readouterr().out.count("Waiting for worker 1 ") == 900 // 60 - 1


def test_an_address_in_use_is_named():
    with socket.create_server(("", 0)) as other:
        ports = [*free_ports(1), other.getsockname()[1]]
        with pytest.raises(ValueError, match=rf"is worker 1 .* cannot listen at port {ports[1]}"):
            rendezvous.meet(cluster(ports, 1), FACTS)


@pytest.mark.parametrize("is_killed", [False, True])
def test_strangers_and_workers_that_leave_again_are_not_counted(is_killed):
    ports = free_ports(3)
    meeting = Meeting(ports)
    meeting.begin(0)
    for text in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"{}\n",
        b"5\n",
        b'{"worker": 7, "facts": {}}\n',
        b'{"worker": 1, "facts": 5}\n',
        b"[" * 100_000 + b"\n",
    ):
        assert_turned_away(ports[0], text)
    # While worker 2 is missing, so that the chief cannot be done before this one has left.
    with connect(ports[0]) as leaving:
        leaving.sendall(HELLO_OF_1)
        assert_turned_away(ports[0], b"{}\n")  # It has been heard.
        # The kernel resets the connections of a process that was killed over unread data.
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", is_killed, 0))
    with connect(ports[0]) as two:
        two.sendall(HELLO_OF_2)
        # Whom the chief turns away after that it hears, since it waits for worker 1 again.
        assert_turned_away(ports[0], b"{}\n")
        assert_turned_away(ports[0], b"{}\n")
        meeting.begin(1)
        assert two.makefile("rb").readline() == b'{"complaint": ""}\n'
    assert meeting.end() == {0: None, 1: None}


def assert_turned_away(port, text):
    """The chief ends a connection on which it hears this."""
    with connect(port) as stranger:
        stranger.sendall(text)
        assert stranger.recv(1) == b""


def test_a_worker_that_was_started_anew_is_answered():
    ports = free_ports(3)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as earlier, connect(ports[0]) as later:
        # The network has not told yet that the earlier one is dead.
        earlier.sendall(HELLO_OF_1)
        later.sendall(HELLO_OF_1)
        assert_turned_away(ports[0], b"{}\n")
        meeting.begin(2)
        assert later.makefile("rb").readline() == b'{"complaint": ""}\n'
    assert meeting.end() == {0: None, 2: None}


def test_a_message_without_end_is_not_read_to_the_end():
    ports = free_ports(2)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as endless, pytest.raises(ConnectionError):
        for _ in range(64):
            endless.sendall(bytes(2**20))
    meeting.begin(1)
    assert meeting.end() == {0: None, 1: None}


def test_a_host_that_nobody_finds_is_named():
    def with_unknown_host(ports, index):
        tasks = (
            ("worker", 0, f"127.0.0.1:{ports[0]}"),
            ("worker", 1, f"nohost.invalid:{ports[1]}"),
        )
        return Cluster(tasks, index)

    meeting = Meeting(free_ports(2))
    for index in (0, 1):
        meeting.begin(index, wait_seconds=90, cluster=with_unknown_host)
    results = meeting.end()
    assert results[0] == results[1]
    assert "worker 1 (nohost.invalid:" in results[0] and "finds no such host" in results[0]


def test_another_service_at_the_chiefs_address_is_no_chief():
    ports = free_ports(2)
    heard = []
    with socket.create_server(("127.0.0.1", ports[0])) as other:

        def answer():
            for text in (b'{"error": 1}\n', b"5\n", b"[]\n", b"[" * 100_000 + b"\n"):
                connection, _ = other.accept()
                with connection:
                    heard.append(connection.makefile("rb").readline())
                    connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match="Not all workers came. Missing: worker 0"):
            rendezvous.meet(cluster(ports, 1), FACTS, 1)
        thread.join()
    assert heard == [HELLO_OF_1] * 4


def test_a_chief_that_was_started_anew_is_told_again():
    ports = free_ports(2)
    meeting = Meeting(ports)
    with socket.create_server(("127.0.0.1", ports[0])) as earlier:
        meeting.begin(1)
        connection, _ = earlier.accept()
        with connection:
            assert connection.makefile("rb").readline() == HELLO_OF_1
    meeting.begin(0)
    assert meeting.end() == {0: None, 1: None}


def connect(port):
    """A connection to who listens at a port, or will soon."""
    for _ in range(1000):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except OSError:
            time.sleep(0.01)
    raise AssertionError(f"nobody listens at {port}")
