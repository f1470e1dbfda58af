import socket
import threading
import time

import pytest
from harness import free_ports

from keras_resnet import rendezvous
from keras_resnet.cluster import Cluster

FACTS = {"depth": 20, "dataset": "shapes"}


def cluster(ports, index):
    tasks = tuple(("worker", n, f"127.0.0.1:{port}") for n, port in enumerate(ports))
    return Cluster(tasks, index)


def meet_in_threads(ports, facts, delays=(0, 0, 0), wait_seconds=10):
    """What becomes of each worker: None where all met, else the message."""
    results = ["still waiting"] * len(ports)

    def meet(index):
        time.sleep(delays[index])
        try:
            results[index] = rendezvous.meet(cluster(ports, index), facts[index], wait_seconds)
        except ValueError as error:
            results[index] = str(error)

    threads = [threading.Thread(target=meet, args=[index]) for index in range(len(ports))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("delays", [(0, 0, 0), (0.6, 0, 0), (0, 0.3, 0.6)])
def test_all_go_on_when_all_are_there(delays):
    assert meet_in_threads(free_ports(3), [FACTS] * 3, delays) == [None] * 3


def test_all_learn_of_a_difference():
    results = meet_in_threads(free_ports(2), [FACTS, {**FACTS, "depth": 56}])
    for message in results:
        assert "worker 1 (127.0.0.1:" in message
        assert "has depth=56, the chief depth=20" in message


def test_who_is_missing_is_named_and_the_wait_ends(capsys):
    ports = free_ports(3)
    started = time.monotonic()
    with pytest.raises(ValueError, match=rf"Missing: worker 1 \(127.0.0.1:{ports[1]}\), worker 2"):
        rendezvous.meet(cluster(ports, 0), FACTS, wait_seconds=3)
    assert time.monotonic() - started < 6
    assert f"Waiting for worker 1 (127.0.0.1:{ports[1]}), worker 2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Missing: worker 0 .*, the chief"):
        rendezvous.meet(cluster(ports, 2), FACTS, wait_seconds=1)


def test_an_address_in_use_is_named():
    with socket.create_server(("", 0)) as other:
        ports = [*free_ports(1), other.getsockname()[1]]
        with pytest.raises(ValueError, match=rf"is worker 1 .* cannot listen at port {ports[1]}"):
            rendezvous.meet(cluster(ports, 1), FACTS)


def test_strangers_and_workers_that_leave_again_are_not_counted():
    ports = free_ports(3)
    results = {}

    def meet(index):
        results[index] = rendezvous.meet(cluster(ports, index), FACTS, 20)

    def start(index):
        thread = threading.Thread(target=meet, args=[index])
        thread.start()
        return thread

    threads = [start(0)]
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"5\n", b'{"worker": 7, "facts": {}}\n'):
        with connect(ports[0]) as stranger:
            stranger.sendall(text)
    # While worker 2 is missing, so that the chief cannot be done before this one has left.
    with connect(ports[0]) as leaving:
        leaving.sendall(b'{"worker": 1, "facts": {"depth": 20, "dataset": "shapes"}}\n')
    threads.append(start(2))
    time.sleep(1)
    assert results == {}
    threads.append(start(1))
    for thread in threads:
        thread.join()
    assert results == {0: None, 1: None, 2: None}


def test_a_host_that_nobody_finds_is_named():
    ports = free_ports(2)
    tasks = (("worker", 0, f"127.0.0.1:{ports[0]}"), ("worker", 1, f"nohost.invalid:{ports[1]}"))
    failures = {}

    def meet(index):
        with pytest.raises(ValueError) as failure:
            rendezvous.meet(Cluster(tasks, index), FACTS, 90)
        failures[index] = str(failure.value)

    threads = [threading.Thread(target=meet, args=[index]) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures[0] == failures[1]
    assert "worker 1 (nohost.invalid:" in failures[0] and "finds no such host" in failures[0]


def test_another_service_at_the_chiefs_address_is_no_chief():
    ports = free_ports(2)
    with socket.create_server(("127.0.0.1", ports[0])) as other:

        def answer():
            for text in (b'{"error": 1}\n', b"5\n", b"[]\n"):
                connection, _ = other.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match="Not all workers came. Missing: worker 0"):
            rendezvous.meet(cluster(ports, 1), FACTS, 2)
        thread.join()


def connect(port):
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the chief does not listen")
