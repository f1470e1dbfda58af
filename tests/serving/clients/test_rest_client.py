import functools
import http.server
import json
import threading

import pytest
from servers import GOOD, UNDERSTOOD
from strange_servers import METADATA, response, strange_server

from keras_resnet.serving.clients import ServingError, bounded_http, connect


def test_a_web_server_is_no_prediction_server(tmp_path):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        with pytest.raises(ServingError, match=r"refuses \(404\)"):
            connect(f"http://127.0.0.1:{server.server_address[1]}/letters")
        server.shutdown()


def test_a_redirection_is_not_followed():
    def look_elsewhere(connection, _):
        connection.sendall(response(METADATA, "302 Found", "Location: /elsewhere\r\n"))

    with (
        strange_server(look_elsewhere) as address,
        pytest.raises(ServingError, match=r"refuses \(302\)"),
    ):
        connect(address)


def test_whoever_asks_for_an_hour_is_not_waited_for():
    def come_back_in_an_hour(connection, _):
        connection.sendall(response({}, "503 Service Unavailable", "Retry-After: 3600\r\n"))

    waits = []
    with (
        strange_server(come_back_in_an_hour) as address,
        pytest.raises(ServingError, match=r"refuses \(503\)"),
    ):
        connect(address, on_wait=waits.append)
    assert waits == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_waited_for(status):
    """A server, or a proxy before it, that has too much to do."""
    answers = iter([response({}, f"{status} Later"), response(METADATA)])

    with strange_server(lambda connection, _: connection.sendall(next(answers))) as address:
        waits = []
        connect(address, on_wait=waits.append)
    assert len(waits) == 1 and f"refuses ({status})" in waits[0]


def test_an_answer_that_breaks_off_is_asked_for_again():
    whole = response(METADATA)
    answers = iter([whole[: len(whole) // 2], b"", whole])
    with strange_server(lambda connection, _: connection.sendall(next(answers))) as address:
        connect(address)
    assert list(answers) == []


def test_a_handshake_that_breaks_off_may_come_about_later():
    """A server that starts again, not one without a certificate."""
    waits = []
    with (
        strange_server(lambda *_: None) as address,
        pytest.raises(ServingError, match="does not answer"),
    ):
        address = address.replace("http://", "https://")
        connect(address, retry_for=0.3, on_wait=waits.append)
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" * 100_000, r"answers with no JSON: \[\["),
        (b"junk\x1b\n", r"answers with no JSON: junk\\x1b\\n$"),
        ({}, "gives no predictions"),
        ({"predictions": None}, "gives no predictions"),
        ({"predictions": []}, "not a row for each picture"),
        ({"predictions": [GOOD, GOOD]}, "not a row for each picture"),
        ({"predictions": [{}]}, "gives no predictions"),
        *(
            ({"predictions": [{**GOOD, **change}]}, f"cannot be understood: {message}")
            for change, message in (
                ({"classes": [2, 0]}, r"there are no classes \(2, 0\)"),
                ({"classes": [-1, 0]}, r"there are no classes \(-1, 0\)"),
                ({"classes": ["x"]}, "invalid literal for int"),
                ({"classes": None}, "'NoneType' object is not iterable"),
                ({"classes": [float("inf")]}, "cannot convert float infinity"),
                ({"labels": ["a"]}, ".* are no labels and probabilities"),
                ({"labels": [1, 2]}, "1 is no text"),
                ({"probabilities": None}, "object of type 'NoneType' has no len"),
                ({"probabilities": 5}, "object of type 'int' has no len"),
                ({"probabilities": [float("nan")] * 2}, ".* are no labels and probabilities"),
                ({"probabilities": [0.0, 1.5]}, ".* are no labels and probabilities"),
                ({"probabilities": [0.0, -0.5]}, ".* are no labels and probabilities"),
                ({"status": None}, "None is no text"),
            )
        ),
    ],
)
def test_answers_of_another_shape_are_explained(body, message):
    def answer(connection, is_metadata):
        connection.sendall(response(METADATA if is_metadata else body))

    with strange_server(answer) as address:
        client = connect(address)
        with pytest.raises(ServingError, match=message):
            client.ask([b"picture"])


def test_an_answer_that_does_not_fit_is_no_fault_of_its_format(monkeypatch):
    monkeypatch.setattr(bounded_http, "_MAX_ANSWER_BYTES", 1_000)

    def answer(connection, is_metadata):
        whole = {"predictions": [GOOD]}
        padded = json.dumps(whole).encode() + b" " * 100_000
        connection.sendall(response(METADATA if is_metadata else padded))

    with strange_server(answer) as address:
        client = connect(address)
        with pytest.raises(ServingError, match=r":predict answers with more than \d+ bytes"):
            client.ask([b"picture"])


@pytest.mark.parametrize("body", [{}, [], {"metadata": {"signature_def": {"signature_def": {}}}}])
def test_a_server_without_the_signature_is_explained(body):
    with (
        strange_server(lambda connection, _: connection.sendall(response(body))) as address,
        pytest.raises(ServingError, match="describes no signature serving_default"),
    ):
        connect(address)


def test_a_good_answer_of_that_server_is_understood():
    def answer(connection, is_metadata):
        connection.sendall(response(METADATA if is_metadata else {"predictions": [GOOD]}))

    with strange_server(answer) as address:
        assert connect(address).ask([b"picture"]) == [UNDERSTOOD]
