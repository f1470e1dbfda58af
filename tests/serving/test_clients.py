"""The clients speak to real servers: ours, and TF Serving's where it is installed."""

import contextlib
import functools
import http.server
import io
import json
import socket
import threading
import time
import types

import letters
import numpy as np
import PIL.Image
import prediction_server
import pytest
import tensorflow as tf
from letters import evaluated
from pictures import encoded, striped_picture
from servers import GOOD, SERVERS, Model, serving, start_ours, start_tf_serving
from tensorflow_serving.apis import predict_pb2

from keras_resnet.serving import clients
from keras_resnet.serving.answers import NOT_AN_IMAGE
from keras_resnet.serving.clients import Answer, ServingError, connect


@pytest.fixture(scope="module", params=SERVERS)
def server(request, exported):
    _, version = exported
    start = start_ours if request.param == "ours" else start_tf_serving
    process, addresses = start(version)
    yield dict(zip(("grpc", "rest"), addresses, strict=True))
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def addresses(server, exported, tmp_path_factory):
    """Of the network and its export in this process, and of that behind the two protocols."""
    model, version = exported
    network = tmp_path_factory.mktemp("network") / "model.keras"
    model.save(network)
    servers = {name: f"{server[name]}/letters" for name in server}
    return {"network": network, "here": str(version.parent), **servers}


@pytest.fixture(scope="module")
def client_of(addresses):
    """The client of an address, by name."""
    return functools.cache(lambda name: connect(addresses[name]))


@pytest.fixture
def client(request, client_of):
    return client_of(request.param)


@pytest.fixture
def address(request, addresses):
    return addresses[request.param]


anywhere = pytest.mark.parametrize("client", ["network", "here", "grpc", "rest"], indirect=True)
over_sockets = pytest.mark.parametrize("address", ["grpc", "rest"], indirect=True)
by_protocol = pytest.mark.parametrize("protocol", ["grpc", "rest"])


@anywhere
def test_answers_are_the_evaluations(client, exported, rng):
    model, _ = exported
    pictures = [
        encoded(rng, 31, 45),
        encoded(rng, 24, 24, "PNG"),
        encoded(rng, 60, 61, mode="CMYK"),
    ]
    answers = client.ask(pictures)
    for answer, expected in zip(answers, evaluated(model, pictures), strict=True):
        assert answer.status == "OK"
        assert list(answer.classes) == (-expected).argsort()[:5].tolist()
        assert answer.labels == tuple("abcdefg"[number] for number in answer.classes)
        np.testing.assert_allclose(answer.probabilities, expected[list(answer.classes)], atol=1e-5)


@anywhere
def test_one_bad_picture_does_not_fail_the_batch(client, rng):
    good = encoded(rng, 31, 45)
    answers = client.ask([b"", good, b"no picture", good[:200]])
    assert answers[1].status == "OK" and len(answers[1].classes) == 5
    assert [answers[n] for n in (0, 2, 3)] == [
        Answer(NOT_AN_IMAGE),
        Answer(NOT_AN_IMAGE),
        Answer("damaged"),
    ]


@anywhere
def test_what_the_export_does_not_read_is_converted(client, rng):
    """And only that: between others, in their places."""
    picture = striped_picture(rng, 0, 31, 45)
    bmp, tiff, webp, png = (of_kind(picture, kind) for kind in ("BMP", "TIFF", "WEBP", "PNG"))
    of_png, of_webp = client.ask([png, of_kind(PIL.Image.open(io.BytesIO(webp)), "PNG")])
    assert of_png.is_ok and of_png != of_webp
    answers = client.ask([tiff, png, b"no picture", webp, png[:200], bmp])
    expected_answers = (of_png, of_png, None, of_webp, Answer("damaged"), of_png)
    assert not answers[2].is_ok
    for answer, expected in zip(answers, expected_answers, strict=True):
        if expected is not None:
            assert (answer.status, answer.labels) == (expected.status, expected.labels)
            np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=1e-6)


def of_kind(picture, kind):
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@by_protocol
@pytest.mark.parametrize("status", ["convert first", "neither JPEG nor PNG"])
def test_what_is_to_be_converted_is_asked_about_once_more(protocol, status, rng):
    """As exports of today and of earlier versions say it."""
    asked = []

    class PngModel(Model):
        """Reads nothing but PNGs."""

        def predict(self, signature_name, inputs):
            (pictures,) = inputs.values()
            asked.append([bytes(picture) for picture in pictures])
            rows = [
                GOOD if picture.startswith(b"\x89PNG") else {**GOOD, "status": status}
                for picture in asked[-1]
            ]
            return {name: np.array([row[name] for row in rows]) for name in GOOD}

    tiff, png = encoded(rng, 8, 8, "TIFF"), encoded(rng, 8, 8, "PNG")
    with serving(PngModel()) as server:
        client = connect(f"{server.addresses[protocol]}/letters")
        answers = client.ask([b"text", png, tiff])
    reason = ": it is no picture that can be read" if status == "convert first" else ""
    assert answers == [Answer(status + reason), UNDERSTOOD, UNDERSTOOD]
    first, second = asked
    assert first == [b"text", png, tiff]
    assert len(second) == 1 and second[0].startswith(b"\x89PNG")


def test_a_network_answers_as_its_export(client_of, exported, rng):
    """Bit for bit, also what is wrong with a picture."""
    model, _ = exported
    pictures = [encoded(rng, 31, 45), b"", encoded(rng, 24, 24, "PNG"), encoded(rng, 9, 9)[:99]]
    expected = client_of("here").ask(pictures)
    assert [answer.status for answer in expected].count("OK") == 2
    assert client_of("network").ask(pictures) == expected
    assert client_of("network").preprocessing == model.preprocessing
    assert client_of("here").preprocessing is None


def test_networks_that_cannot_answer_are_explained(tmp_path):
    letters.network(class_names=("a\nb", *"cdefgh")).save(tmp_path / "model.keras")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="`class_names` must be texts of one line"):
        connect(tmp_path)
    (tmp_path / "model.keras").unlink()
    with pytest.raises(ValueError, match="the run has not reached its evaluation"):
        connect(tmp_path)
    (tmp_path / "other.keras").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"other\.keras is no \.keras file"):
        connect(tmp_path / "other.keras")


@anywhere
def test_no_pictures_have_no_answers(client):
    assert client.ask([]) == []


@anywhere
@pytest.mark.parametrize("pictures", [b"bytes", "text", ["name.jpg"], [b"", None]])
def test_what_are_no_pictures_is_refused(client, pictures):
    with pytest.raises(ValueError, match="`pictures` must be a list of the bytes"):
        client.ask(pictures)


@pytest.mark.parametrize("client", ["grpc", "rest"], indirect=True)
def test_a_batch_larger_than_grpcs_default_message(client, rng):
    noise = rng.integers(0, 256, (600, 600, 3), np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(noise).save(buffer, "PNG")
    pictures = [buffer.getvalue()] * 6
    assert sum(map(len, pictures)) > 6e6
    assert {answer.status for answer in client.ask(pictures)} == {"OK"}


@over_sockets
def test_a_version_can_be_named(address, rng):
    assert connect(f"{address}/1").ask([encoded(rng, 31, 45)])[0].status == "OK"
    with pytest.raises(ValueError, match=r"letters"):
        connect(f"{address}/2")


@over_sockets
def test_an_unknown_model_is_named(address):
    with pytest.raises(ValueError, match="numbers"):
        connect(address.replace("/letters", "/numbers"))


# --- Servers that do not answer at once

UNDERSTOOD = Answer("OK", (1, 0), ("b", "a"), (0.75, 0.25))


@pytest.fixture
def pauses(monkeypatch):
    """The seconds for which clients pause, which take no time."""
    found = []
    monkeypatch.setattr(
        clients, "time", types.SimpleNamespace(sleep=found.append, monotonic=time.monotonic)
    )
    return found


@by_protocol
def test_a_server_that_is_not_available_is_asked_again(protocol, pauses):
    with serving(Model(), failures=2) as server:
        address = f"{server.addresses[protocol]}/letters"
        with pytest.raises(ServingError, match=r"\(UNAVAILABLE\)|refuses \(503\)"):
            connect(address, retries=0)
        assert (server.calls[protocol].number, pauses) == (1, [])
        client = connect(address, retries=1)
        assert (server.calls[protocol].number, pauses) == (3, [0.2])
        assert client.ask([b"picture"]) == [UNDERSTOOD]


@by_protocol
def test_pauses_grow_up_to_five_seconds(protocol, pauses):
    with serving(Model(), failures=8) as server:
        with pytest.raises(ServingError, match="try again"):
            connect(f"{server.addresses[protocol]}/letters", retries=7)
        assert server.calls[protocol].number == 8
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@by_protocol
def test_a_server_that_refuses_is_not_asked_again(protocol, pauses):
    with serving(Model()) as server:
        with pytest.raises(ServingError, match=r"numbers.*(\(NOT_FOUND\)|refuses \(404\))"):
            connect(f"{server.addresses[protocol]}/numbers")
        assert (server.calls[protocol].number, pauses) == (1, [])


@by_protocol
def test_a_server_that_is_slow_is_given_up(protocol, pauses):
    model = Model()
    with serving(model) as server:
        client = connect(f"{server.addresses[protocol]}/letters", timeout=0.2)
        model.free.clear()
        with pytest.raises(ServingError, match=r"\(DEADLINE_EXCEEDED\)|within 0\.2 s"):
            client.ask([b"picture"])
        # Once for the signature, once for the picture.
        assert (server.calls[protocol].number, pauses) == (2, [])
        model.free.set()


def test_the_timeout_is_the_deadline_that_a_server_sees(monkeypatch):
    deadlines = []

    class Service(prediction_server.PredictionService):
        def Predict(self, request, context):  # noqa: N802
            deadlines.append(context.time_remaining())
            return super().Predict(request, context)

    monkeypatch.setattr(prediction_server, "PredictionService", Service)
    with serving(Model()) as server:
        connect(f"{server.addresses['grpc']}/letters", timeout=20.0).ask([b"picture"])
    # gRPC sends it rounded up.
    assert 0 < deadlines[0] < 21


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_nobody_there_is_said(scheme, pauses):
    # Taken, but not listened to.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServingError, match=address):
            connect(f"{scheme}://{address}/letters", retries=1)
    assert pauses == [0.2]


def test_a_server_that_comes_late_is_waited_for(monkeypatch):
    """The first calls find nobody at the port."""
    with socket.socket() as taken, contextlib.ExitStack() as late:
        taken.bind(("127.0.0.1", 0))
        pauses = []

        def pause(seconds):
            pauses.append(seconds)
            if len(pauses) == 3:
                late.enter_context(serving(Model(), rest_socket=taken))

        monkeypatch.setattr(
            clients, "time", types.SimpleNamespace(sleep=pause, monotonic=time.monotonic)
        )
        client = connect(f"http://127.0.0.1:{taken.getsockname()[1]}/letters", retries=5)
        assert client.ask([b"picture"]) == [UNDERSTOOD]
        assert len(pauses) == 3


# --- Servers of other things


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


SIGNATURE = {"inputs": {"image_bytes": {}}, "outputs": {name: {} for name in GOOD}}
METADATA = {"metadata": {"signature_def": {"signature_def": {"serving_default": SIGNATURE}}}}


@contextlib.contextmanager
def strange_server(answer):
    """The address of a server that writes what it likes: `answer(connection, is_metadata)`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=respond, args=[connection], daemon=True).start()

        def respond(connection):
            with contextlib.suppress(OSError), connection:
                request = connection.recv(2**20)
                answer(connection, b"/metadata" in request)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/letters"


def response(body, status="200 OK", headers=""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


def drip(connection, _):
    """Never silent for as long as the client's timeout, and not done within ten times as long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    drip_headers(connection, _)


def drip_headers(connection, _):
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.02)


def flood(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(100):
        connection.sendall(bytes(2**20))


def come_back_in_an_hour(connection, _):
    connection.sendall(response({}, "503 Service Unavailable", "Retry-After: 3600\r\n"))


def look_elsewhere(connection, _):
    connection.sendall(response(METADATA, "302 Found", "Location: /elsewhere\r\n"))


@pytest.mark.parametrize(
    ("answer", "message", "repetitions"),
    [
        (drip, "does not answer within 0.2 s", 0),
        (drip_headers, "does not answer within 0.2 s", 0),
        (flood, "answers with more than 1000000 bytes", 0),
        (come_back_in_an_hour, r"refuses \(503\)", 1),
        (look_elsewhere, r"refuses \(302\)", 0),
    ],
)
def test_no_server_can_keep_a_client_waiting(monkeypatch, pauses, answer, message, repetitions):
    monkeypatch.setattr(clients, "_MAX_ANSWER_BYTES", 1_000_000)
    timeout = 5.0 if answer is flood else 0.2
    with strange_server(answer) as address, pytest.raises(ServingError, match=message):
        connect(address, timeout=timeout, retries=1)
    assert pauses == [0.2] * repetitions


def test_an_answer_that_is_given_up_is_not_read_on():
    closed = threading.Event()

    def drip_until_it_is_closed(connection, _):
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                drip_headers(connection, _)
        except OSError:
            closed.set()

    with strange_server(drip_until_it_is_closed) as address, pytest.raises(ServingError):
        connect(address, timeout=0.2)
    assert closed.wait(20)


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda outputs: outputs.update(classes=tf.make_tensor_proto([[2, 0]])), "no classes"),
        (lambda outputs: outputs.update(status=tf.make_tensor_proto([])), "not a row for each"),
        (lambda outputs: outputs["classes"].tensor_shape.dim.add(size=9), "gives no predictions"),
        (lambda outputs: outputs.pop("labels"), "cannot be understood: 'labels'"),
        (lambda outputs: setattr(outputs["labels"], "dtype", 999), "gives no predictions"),
    ],
)
def test_answers_of_another_shape_are_explained_over_grpc(monkeypatch, change, message):
    class Service(prediction_server.PredictionService):
        def Predict(self, request, context):  # noqa: N802
            outputs = super().Predict(request, context).outputs
            outputs = {name: outputs[name] for name in outputs}
            change(outputs)
            return predict_pb2.PredictResponse(outputs=outputs)

    monkeypatch.setattr(prediction_server, "PredictionService", Service)
    with serving(Model()) as server:
        client = connect(f"{server.addresses['grpc']}/letters")
        with pytest.raises(ServingError, match=message):
            client.ask([b"picture"])


def test_malformed_addresses_are_shown():
    with pytest.raises(ValueError, match="`MODEL` must be .* Received: ftp://host:1/letters"):
        connect("ftp://host:1/letters")


@pytest.mark.parametrize("settings", [{"timeout": 0.0}, {"timeout": 1e10}, {"retries": -1}])
def test_bad_numbers_are_named(tmp_path, settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}` must be"):
        connect(tmp_path, **settings)


def test_what_is_no_export_is_explained(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(ValueError, match="does not load as an export"):
        connect(tmp_path)
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([], tf.int32)]
    )
    tf.saved_model.save(module, str(tmp_path / "2"), signatures=module.double)
    with pytest.raises(ValueError, match=r"must be an export of this package.*gives y"):
        connect(tmp_path)
