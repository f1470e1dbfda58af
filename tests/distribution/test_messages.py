import socket
import time

import pytest

from keras_resnet.distribution.messages import Connection


@pytest.fixture
def ends():
    """A `Connection`, and the socket at its other side."""
    one, other = socket.socketpair()
    with Connection(one) as connection, other:
        yield connection, other


def test_messages_come_whole_and_in_order(ends):
    connection, other = ends
    with Connection(other) as sender:
        sender.send({"name": "Größe", "numbers": [1, 2]})
        sender.send({})
        assert connection.receive(20) == {"name": "Größe", "numbers": [1, 2]}
        assert connection.receive(20) == {}


def test_half_a_message_is_kept_and_waited_for_no_longer_than_said(ends):
    connection, other = ends
    other.sendall(b'{"a"')
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        connection.receive(0.05)
    assert 0.05 <= time.monotonic() - started < 5
    other.sendall(b": 1}\n")
    assert connection.receive(20) == {"a": 1}


@pytest.mark.parametrize("text", [b"5\n", b"\n", b"{\n", b"\xff\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_message_is_refused(ends, text):
    connection, other = ends
    other.sendall(text)
    with pytest.raises(ValueError):
        connection.receive(20)


def test_the_end_of_a_connection_is_noticed(ends):
    connection, other = ends
    assert connection.is_open()
    other.close()
    assert not connection.is_open()
    with pytest.raises(ConnectionError):
        connection.receive(20)
