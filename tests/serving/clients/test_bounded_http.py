import functools
import threading

import pytest
import requests
from strange_servers import drip, drip_headers, response, strange_server

from keras_resnet.serving.clients import bounded_http


def respond(address, timeout=0.2):
    return bounded_http.respond(requests.Session(), timeout, "GET", address)


@pytest.mark.parametrize("answer", [drip, drip_headers])
def test_no_server_can_keep_a_client_waiting(answer):
    with strange_server(answer) as address, pytest.raises(TimeoutError):
        respond(address)


def test_an_answer_that_is_given_up_is_not_read_on():
    closed = threading.Event()

    def drip_until_it_is_closed(connection, _):
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                drip_headers(connection, _)
        except OSError:
            closed.set()

    with strange_server(drip_until_it_is_closed) as address, pytest.raises(TimeoutError):
        respond(address)
    assert closed.wait(20)


def flood(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(100):
        connection.sendall(bytes(2**20))


def test_an_answer_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(bounded_http, "_MAX_ANSWER_BYTES", 1_000_000)
    with strange_server(flood) as address:
        answer = respond(address, timeout=5.0)
    assert answer.is_cut and 1_000_000 < len(answer.content) < 1_100_000


def answered(connection, _, headers):
    connection.sendall(response({}, "503 Service Unavailable", headers))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ("", 0),
        ("Retry-After: 3\r\n", 3),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 0),
        ("Retry-After: soon\r\n", 0),
        ("Retry-After: -1\r\n", 0),
    ],
)
def test_a_server_may_ask_to_be_left_alone(headers, seconds):
    with strange_server(functools.partial(answered, headers=headers)) as address:
        answer = respond(address, timeout=5.0)
    assert (answer.status, answer.content, answer.after) == (503, b"{}", seconds)
    assert not answer.is_cut
