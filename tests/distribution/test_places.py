import contextlib
import socket
import threading

import pytest
from harness import free_ports

from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.messages import Connection
from keras_resnet.distribution.places import Identity, Listener, look, misplaced


def cluster_of(ports, index):
    tasks = tuple(("worker", n, f"127.0.0.1:{port}") for n, port in enumerate(ports))
    return Cluster(tasks, index)


def test_each_process_has_a_token_of_its_own():
    one, other = (Identity.of_this_process(cluster_of([1, 2], 1)) for _ in range(2))
    assert one != other
    assert (one.index, one.host) == (other.index, other.host) == (1, socket.gethostname())


def test_who_answers_and_who_does_not():
    ports = free_ports(4)
    unknown = Cluster((*cluster_of(ports, 0).tasks, ("worker", 4, "nohost.invalid:1")), 0)
    own = Identity(0, "a", "t")
    with contextlib.ExitStack() as stack:
        stack.enter_context(Listener(cluster_of(ports, 0), own))
        for port, text in ((ports[1], b"SSH-2.0-OpenSSH_9\n"), (ports[2], b"")):
            stack.enter_context(service(port, text))
        answers = look(unknown, range(5))
    assert answers[0] == own
    assert answers[1] == "another service answers there"
    assert answers[2] == "what listens there does not answer"
    assert answers[3] == "nobody answers there (not started, or a firewall)"
    assert answers[4].startswith("there is no such host (")


@contextlib.contextmanager
def service(port, text):
    """Says a text to the first who connects, and ends the connection."""
    with socket.create_server(("127.0.0.1", port)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


def test_a_silent_and_a_slow_client_hold_up_nobody():
    ports = free_ports(2)
    own = Identity(0, "a", "t")
    with (
        Listener(cluster_of(ports, 0), own) as listener,
        socket.create_connection(("127.0.0.1", ports[0])) as slow,
        socket.create_connection(("127.0.0.1", ports[0])),
    ):
        slow.sendall(b'{"facts": ')
        assert look(cluster_of(ports, 0), [0]) == {0: own}
        slow.sendall(b"5}\n")
        assert next(listener.newcomers(20))[1] == {"facts": 5}
        assert list(listener.newcomers(0.01)) == []


def test_no_connection_is_kept_longer_than_it_is_for():
    ports = free_ports(2)
    with contextlib.ExitStack() as stack:
        with Listener(cluster_of(ports, 0), Identity(0, "a", "t")) as listener:
            asking, telling, silent = (
                stack.enter_context(
                    Connection(socket.create_connection(("127.0.0.1", ports[0]), 20))
                )
                for _ in range(3)
            )
            asking.send({"ask": "who"})
            assert asking.receive(20)["token"] == "t"
            with pytest.raises(ConnectionError):
                asking.receive(5)
            telling.send({"facts": 5})
            told, _ = next(listener.newcomers(20))
        for connection in (telling, silent):
            with pytest.raises(ConnectionError):
                connection.receive(5)
        assert not told.is_open()


def test_a_port_is_free_again_at_once():
    ports = free_ports(2)
    for _ in range(3):
        with (
            Listener(cluster_of(ports, 0), Identity(0, "a", "t")),
            Connection(socket.create_connection(("127.0.0.1", ports[0]), 20)) as connection,
        ):
            connection.send({"ask": "who"})
            assert connection.receive(20) == {"index": 0, "host": "a", "token": "t"}


def test_swapped_indices_and_an_index_twice_are_named():
    pair = cluster_of([1, 2], 1)
    own = Identity(1, "a", "t")
    chief = Identity(0, "b", "u")
    assert misplaced(pair, own, {0: chief, 1: own}) == ""
    # A chief that reaches itself by no address, and a worker that does not run yet.
    assert misplaced(pair, own, {0: "nobody answers there", 1: "there is no such host"}) == ""
    swapped = misplaced(pair, own, {0: own, 1: chief})
    assert (
        "The one on a has index 1; at the address of worker 0 (127.0.0.1:1, the chief)" in swapped
    )
    assert (
        "answers the same one; at the address of worker 1 (127.0.0.1:2) answers the one" in swapped
    )
    assert "the one on b, index 0. Give each process the index at which" in swapped
    twice = misplaced(pair, own, {0: chief, 1: Identity(1, "c", "v")})
    assert (
        "on a has index 1; at the address of worker 1 (127.0.0.1:2) answers the one on c, index 1."
        in (twice)
    )
    # Also of two on one machine.
    beside = misplaced(pair, own, {0: chief, 1: Identity(1, "a", "v")})
    assert "(127.0.0.1:2) answers the one on a, index 1." in beside
