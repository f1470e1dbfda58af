import contextlib
import dataclasses
import json
import re
import socket
import struct
import threading
import time

import pytest
from harness import free_ports

from keras_resnet.distribution import places, rendezvous
from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.lost import WorkerLostError
from keras_resnet.distribution.places import Identity, Listener, look

FACTS = {"depth": 20, "dataset": "shapes"}
ONE, TWO = (Identity(index, f"host{index}", f"token of {index}") for index in (1, 2))


def hello(worker):
    """What a worker tells the chief."""
    return json.dumps({"worker": dataclasses.asdict(worker), "facts": FACTS}).encode() + b"\n"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """What is tried again is tried soon."""
    for name in ("_RETRY_SECONDS", "_ROUND_SECONDS", "_LINGER_SECONDS"):
        monkeypatch.setattr(rendezvous, name, 0.01)


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
            except (ValueError, WorkerLostError) as error:
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


def test_a_difference_is_said_although_another_worker_that_has_none_came_at_once(monkeypatch):
    monkeypatch.setattr(places, "_ASK_SECONDS", 1)
    ports = free_ports(3)
    meeting = Meeting(ports)
    with socket.create_server(("127.0.0.1", ports[2])) as silent:
        meeting.begin(0, wait_seconds=5)
        # The chief asks there, and hears no worker meanwhile.
        asking, _ = silent.accept()
        with asking, connect(ports[0]) as one, connect(ports[0]) as two:
            one.sendall(hello(ONE).replace(b'"depth": 20', b'"depth": 56'))
            time.sleep(0.2)
            two.sendall(hello(TWO))
            assert "has depth=56, the chief depth=20" in meeting.end()[0]


def test_who_has_found_a_mistake_still_answers_for_a_while(monkeypatch):
    monkeypatch.setattr(rendezvous, "_LINGER_SECONDS", 1)
    ports = free_ports(2)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as one, one.makefile("rb") as told:
        one.sendall(hello(ONE).replace(b'"depth": 20', b'"depth": 56'))
        told_with(told, "has depth=56")
        # Others that have not asked yet would otherwise wait for it until they give up.
        time.sleep(0.3)
        assert look(cluster(ports, 1), [0])[0].index == 0
    assert meeting.end().keys() == {0}


def test_who_is_missing_is_named_again_and_again_and_the_wait_ends(monkeypatch, capsys):
    ports = free_ports(3)
    monkeypatch.setattr(rendezvous, "time", HurriedTime(1))
    one, two = (f"worker {index} (127.0.0.1:{ports[index]})" for index in (1, 2))
    with pytest.raises(WorkerLostError, match="Not all workers came, or stayed. Mis") as failure:
        rendezvous.meet(cluster(ports, 0), FACTS, wait_seconds=100)
    missing = "; ".join(
        f"{worker}: nobody answers there (not started, or a firewall)" for worker in (one, two)
    )
    assert str(failure.value).endswith(f"Missing: {missing}.")
    # After 3, 34, 65 and 96 s.
    assert capsys.readouterr().out == f"Waiting for {missing}.\n" * 4
    nobody = "Missing: worker 0 .*, the chief.*: nobody answers there"
    with pytest.raises(WorkerLostError, match=nobody):
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
    with pytest.raises(WorkerLostError, match="Missing"):
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
        b'{"worker": 1, "facts": {}}\n',
        hello(Identity(3, "host3", "t")),
        hello(Identity(0, "host0", "t")),
        hello(ONE).replace(json.dumps(FACTS).encode(), b"5"),
        b"[" * 100_000 + b"\n",
    ):
        assert_turned_away(ports[0], text)
    with waiting_worker(ports, ONE) as (leaving, told):
        assert "worker 1" not in told_with(told, "worker 2")["missing"]
        # The kernel resets the connections of a process that was killed over unread data.
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", is_killed, 0))
    with waiting_worker(ports, TWO) as (_, told):
        told_with(told, "worker 1")
        meeting.begin(1)
        assert told_with(told, "complaint") == {"complaint": ""}
    assert meeting.end() == {0: None, 1: None}


@contextlib.contextmanager
def waiting_worker(ports, worker):
    """One that has told the chief that it is there: its connection, and what the chief tells it."""
    with (
        Listener(cluster(ports, worker.index), worker),
        connect(ports[0]) as connection,
        connection.makefile("rb") as told,
    ):
        connection.sendall(hello(worker))
        yield connection, told


def told_with(lines, text):
    """The next message of the chief that has a text."""
    return next(json.loads(line) for line in lines if text in line.decode())


def assert_turned_away(port, text):
    """The chief ends a connection on which it hears this."""
    with connect(port) as stranger:
        stranger.sendall(text)
        assert stranger.recv(1) == b""


def test_all_learn_who_is_gone_again_long_before_the_wait_for_all_ends(monkeypatch):
    monkeypatch.setattr(rendezvous, "GONE_SECONDS", 0.5)
    ports = free_ports(4)
    meeting = Meeting(ports)
    meeting.begin(0, wait_seconds=100)
    with waiting_worker(ports, TWO) as (_, told):
        with waiting_worker(ports, ONE) as (_, told_one):
            told_with(told_one, "worker 3")
        lost = told_with(told, "lost")["lost"]
    assert meeting.end() == {0: lost}
    assert f"Missing: worker 1 (127.0.0.1:{ports[1]}): nobody answers there" in lost


def test_a_chief_that_is_gone_again_is_missed_long_before_the_wait_for_all_ends(monkeypatch):
    monkeypatch.setattr(rendezvous, "GONE_SECONDS", 0.5)
    ports = free_ports(2)
    meeting = Meeting(ports)
    with Listener(cluster(ports, 0), Identity(0, "host0", "t")) as chief:
        meeting.begin(1, wait_seconds=100)
        chief.turn_away(next(chief.newcomers(20))[0])
    chief = f"worker 0 (127.0.0.1:{ports[0]}, the chief): nobody answers there"
    assert f"Missing: {chief}" in meeting.end()[1]


def test_a_worker_that_the_chief_has_lost_ends_the_others(monkeypatch):
    ports = free_ports(2)
    meeting = Meeting(ports)
    with Listener(cluster(ports, 0), Identity(0, "host0", "t")) as chief:
        meeting.begin(1)
        next(chief.newcomers(20))[0].send({"lost": "worker 5 (f:1) is missing."})
        assert meeting.end() == {1: "worker 5 (f:1) is missing."}


def test_a_worker_that_was_started_anew_is_no_second_one():
    ports = free_ports(3)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as earlier, waiting_worker(ports, ONE) as (_, told):
        # The network has not told yet that the earlier one is dead.
        earlier.sendall(hello(dataclasses.replace(ONE, token="of before")))
        with connect(ports[0]) as anew:
            anew.sendall(hello(ONE))
            meeting.begin(2)
            assert told_with(anew.makefile("rb"), "complaint") == {"complaint": ""}
    assert meeting.end() == {0: None, 2: None}


def test_who_sits_at_the_address_of_another_is_named_on_both_sides():
    ports = free_ports(3)
    meeting = Meeting(ports)
    meeting.begin(0)
    with waiting_worker(ports, ONE) as (_, told):
        told_with(told, "worker 2")
        # On host9 was forgotten to set another index, as where a command was copied.
        with Listener(cluster(ports, 2), Identity(0, "host9", "t")):
            complaint = meeting.end()[0]
        assert told_with(told, "complaint") == {"complaint": complaint}
    address = f"worker 2 (127.0.0.1:{ports[2]})"
    assert f"at the address of {address} answers the one on host9, index 0" in complaint
    assert complaint.endswith("at which the list of workers has its own address.")


def test_a_worker_at_the_address_of_the_chief_is_named_by_the_others():
    ports = free_ports(2)
    who = r"worker 0 .*, the chief\) answers the one on host9, index 1"
    with (
        Listener(cluster(ports, 0), Identity(1, "host9", "t")),
        pytest.raises(ValueError, match=who),
    ):
        rendezvous.meet(cluster(ports, 1), FACTS)


def test_a_worker_that_is_not_at_its_address_is_named(monkeypatch):
    monkeypatch.setattr(rendezvous, "UNREACHED_SECONDS", 0.1)
    ports = free_ports(2)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as connection, connection.makefile("rb") as told:
        connection.sendall(hello(ONE))
        assert "it runs on host1, but nobody answers there" in told_with(told, "miss")["missing"]
        complaint = told_with(told, "complaint")["complaint"]
    assert "worker 1 (127.0.0.1:" in complaint and "from host1, but does not answer" in complaint
    assert meeting.end() == {0: complaint}


def test_a_worker_that_answers_at_last_is_no_longer_counted_as_unreached(monkeypatch):
    monkeypatch.setattr(rendezvous, "UNREACHED_SECONDS", 1)
    ports = free_ports(3)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as connection, connection.makefile("rb") as told:
        connection.sendall(hello(ONE))
        told_with(told, "it runs on host1, but nobody answers there")
        with Listener(cluster(ports, 1), ONE):
            time.sleep(1.2)
            meeting.begin(2)
            assert told_with(told, "complaint") == {"complaint": ""}
    assert meeting.end() == {0: None, 2: None}


def test_a_worker_says_whom_the_chief_misses_and_that_the_chief_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(rendezvous, "_FIRST_REMINDER_SECONDS", 0)
    monkeypatch.setattr(rendezvous, "REMIND_SECONDS", 0.1)
    monkeypatch.setattr(rendezvous, "SILENT_SECONDS", 1)
    ports = free_ports(2)
    meeting = Meeting(ports)
    with Listener(cluster(ports, 0), Identity(0, "host0", "t")) as chief:
        meeting.begin(1)
        connection, _ = next(chief.newcomers(20))
        connection.send({"missing": "worker 5 (f:1)"})
        time.sleep(1.5)
        connection.send({"complaint": "Enough."})
        assert meeting.end() == {1: "Enough."}
    said = capsys.readouterr().out
    assert "Waiting for worker 5 (f:1).\n" in said
    assert re.search(r"Waiting for worker 0 .*, the chief\), which has said nothing for 1 s", said)


def test_a_chief_that_goes_on_saying_whom_it_misses_is_not_called_silent(monkeypatch, capsys):
    monkeypatch.setattr(rendezvous, "_FIRST_REMINDER_SECONDS", 0)
    monkeypatch.setattr(rendezvous, "REMIND_SECONDS", 0.02)
    monkeypatch.setattr(rendezvous, "SILENT_SECONDS", 1)
    ports = free_ports(2)
    meeting = Meeting(ports)
    with Listener(cluster(ports, 0), Identity(0, "host0", "t")) as chief:
        meeting.begin(1)
        connection, _ = next(chief.newcomers(20))
        for _ in range(15):
            connection.send({"missing": "worker 5 (f:1)"})
            time.sleep(0.1)
        connection.send({"complaint": "Enough."})
        assert meeting.end() == {1: "Enough."}
    said = capsys.readouterr().out
    assert said.count("Waiting for worker 5 (f:1).\n") > 2
    assert "has said nothing" not in said


def test_a_message_without_end_is_not_read_to_the_end():
    ports = free_ports(2)
    meeting = Meeting(ports)
    meeting.begin(0)
    with connect(ports[0]) as endless, pytest.raises(ConnectionError):
        for _ in range(64):
            endless.sendall(bytes(2**20))
    meeting.begin(1)
    assert meeting.end() == {0: None, 1: None}


def test_a_host_that_nobody_finds_is_named(monkeypatch):
    monkeypatch.setattr(rendezvous, "UNREACHED_SECONDS", 0.1)

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
    assert (
        "worker 1 (nohost.invalid:" in results[0]
        and "does not answer at that address" in results[0]
    )


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
        with pytest.raises(
            WorkerLostError, match="Missing: worker 0 .*: what listens there does not an"
        ):
            rendezvous.meet(cluster(ports, 1), FACTS, 1)
        thread.join()
    assert heard == [b'{"ask": "who"}\n'] * 4


def test_a_chief_that_was_started_anew_is_told_again():
    ports = free_ports(2)
    meeting = Meeting(ports)
    with socket.create_server(("127.0.0.1", ports[0])) as earlier:
        meeting.begin(1)
        connection, _ = earlier.accept()
        with connection:
            assert connection.makefile("rb").readline() == b'{"ask": "who"}\n'
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
