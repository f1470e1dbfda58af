"""The clients speak to real servers: ours, and TF Serving's where it is installed."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest
from letters import encoded, evaluated
from processes import ROOT

from keras_resnet.serving.clients import Answer, ServingError, connect

SERVERS = ["ours"] + ["tensorflow_model_server"] * bool(shutil.which("tensorflow_model_server"))


def start_ours(version, failures=0, delay=0.0):
    command = [sys.executable, ROOT / "tests" / "prediction_server.py", version, "letters"]
    process = subprocess.Popen(
        [*map(str, command), str(failures), str(delay)], stdout=subprocess.PIPE, text=True
    )
    grpc_port, rest_port = map(int, process.stdout.readline().split())
    return process, (f"grpc://127.0.0.1:{grpc_port}", f"http://127.0.0.1:{rest_port}")


def start_tf_serving(version):
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    process = subprocess.Popen(
        [
            "tensorflow_model_server",
            f"--port={ports[0]}",
            f"--rest_api_port={ports[1]}",
            "--model_name=letters",
            f"--model_base_path={version.parent}",
            "--enable_batching",
            f"--batching_parameters_file={version.parent / 'batching.config'}",
        ]
    )
    status = f"http://127.0.0.1:{ports[1]}/v1/models/letters"
    for _ in range(600):
        try:
            with urllib.request.urlopen(status) as answer:
                if b'"AVAILABLE"' in answer.read():
                    break
        except OSError:
            time.sleep(0.1)
    return process, (f"grpc://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}")


@pytest.fixture(scope="module", params=SERVERS)
def server(request, exported):
    _, version = exported
    start = start_ours if request.param == "ours" else start_tf_serving
    process, addresses = start(version)
    yield dict(zip(("grpc", "rest"), addresses, strict=True))
    process.kill()
    process.communicate()


@pytest.fixture
def address(request, server, exported):
    """Of the export in this process, or behind one of the two protocols."""
    _, version = exported
    return str(version.parent) if request.param == "here" else f"{server[request.param]}/letters"


anywhere = pytest.mark.parametrize("address", ["here", "grpc", "rest"], indirect=True)
over_sockets = pytest.mark.parametrize("address", ["grpc", "rest"], indirect=True)


@anywhere
def test_answers_are_the_evaluations(address, exported, rng):
    model, _ = exported
    pictures = [
        encoded(rng, 31, 45),
        encoded(rng, 24, 24, "PNG"),
        encoded(rng, 60, 61, mode="CMYK"),
    ]
    answers = connect(address).classify(pictures)
    for answer, expected in zip(answers, evaluated(model, pictures), strict=True):
        assert answer.status == "OK"
        assert list(answer.classes) == (-expected).argsort()[:5].tolist()
        assert answer.labels == tuple("abcdefg"[number] for number in answer.classes)
        np.testing.assert_allclose(answer.probabilities, expected[list(answer.classes)], atol=1e-5)


@anywhere
def test_one_bad_picture_does_not_fail_the_batch(address, rng):
    good = encoded(rng, 31, 45)
    answers = connect(address).classify([b"", good, b"no picture", good[:200]])
    assert answers[1].status == "OK" and len(answers[1].classes) == 5
    assert [answers[n] for n in (0, 2, 3)] == [
        Answer("neither JPEG nor PNG"),
        Answer("neither JPEG nor PNG"),
        Answer("damaged"),
    ]


@anywhere
def test_no_pictures_have_no_answers(address):
    assert connect(address).classify([]) == []


@anywhere
@pytest.mark.parametrize("pictures", [b"bytes", "text", ["name.jpg"], [b"", None]])
def test_what_are_no_pictures_is_refused(address, pictures):
    with pytest.raises(ValueError, match="`pictures` must be a list of the bytes"):
        connect(address).classify(pictures)


@over_sockets
def test_a_batch_larger_than_grpcs_default_message(address, rng):
    noise = rng.integers(0, 256, (600, 600, 3), np.uint8)
    import io

    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.fromarray(noise).save(buffer, "PNG")
    pictures = [buffer.getvalue()] * 6
    assert sum(map(len, pictures)) > 6e6
    assert {answer.status for answer in connect(address).classify(pictures)} == {"OK"}


@over_sockets
def test_a_version_can_be_named(address, rng):
    assert connect(f"{address}/1").classify([encoded(rng, 31, 45)])[0].status == "OK"
    with pytest.raises(ValueError, match=r"letters"):
        connect(f"{address}/2")


@over_sockets
def test_an_unknown_model_is_named(address):
    with pytest.raises(ValueError, match="numbers"):
        connect(address.replace("/letters", "/numbers"))


@pytest.mark.parametrize("protocol", [0, 1])
def test_a_server_that_is_not_available_is_asked_again(exported, rng, protocol):
    model, version = exported
    process, addresses = start_ours(version, failures=2)
    try:
        with pytest.raises(ValueError, match="UNAVAILABLE|503"):
            connect(f"{addresses[protocol]}/letters", retries=0)
        client = connect(f"{addresses[protocol]}/letters", retries=1)
        assert client.classify([encoded(rng, 31, 45)])[0].status == "OK"
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("protocol", [0, 1])
def test_a_server_that_is_slow_is_given_up(exported, rng, protocol):
    _, version = exported
    process, addresses = start_ours(version, delay=5.0)
    try:
        client = connect(f"{addresses[protocol]}/letters", timeout=1.0)
        started = time.monotonic()
        with pytest.raises(ValueError, match="DEADLINE_EXCEEDED|within 1 s"):
            client.classify([encoded(rng, 31, 45)])
        assert time.monotonic() - started < 4
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_nobody_there_is_said(scheme):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ValueError, match="127.0.0.1"):
        connect(f"{scheme}://127.0.0.1:{port}/letters", retries=1)


def test_a_server_that_comes_late_is_waited_for(exported, rng):
    """The first calls find nobody at the port."""
    _, version = exported
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def forward(addresses):
        _, _, target = addresses[1].rpartition(":")
        with socket.create_server(("127.0.0.1", port)) as listener:
            for _ in range(2):
                connection, _ = listener.accept()
                other = socket.create_connection(("127.0.0.1", int(target)))
                for pair in ((connection, other), (other, connection)):
                    threading.Thread(target=pipe, args=pair, daemon=True).start()

    def pipe(source, target):
        while data := source.recv(2**16):
            target.sendall(data)
        target.close()

    process, addresses = start_ours(version)
    thread = threading.Timer(1.0, forward, [addresses])
    thread.daemon = True
    thread.start()
    try:
        client = connect(f"http://127.0.0.1:{port}/letters", retries=5)
        assert client.classify([encoded(rng, 31, 45)])[0].status == "OK"
    finally:
        process.kill()
        process.communicate()


def test_a_web_server_is_no_prediction_server(tmp_path):
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = process.stdout.readline().split()[5]
        with pytest.raises(ValueError, match=r"refuses \(404\)"):
            connect(f"http://127.0.0.1:{port}/letters")
    finally:
        process.kill()
        process.communicate()


SIGNATURE = {"inputs": {"image_bytes": {}}, "outputs": {n: {} for n in Answer("").__dict__}}
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


def http(body, status="200 OK", headers=""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


def drip(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" ")
        time.sleep(0.1)


def drip_headers(connection, _):
    for _ in range(1000):
        connection.sendall(b"H")
        time.sleep(0.1)


def flood(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(2**20))


def come_back_in_an_hour(connection, _):
    connection.sendall(http({}, "503 Service Unavailable", "Retry-After: 3600\r\n"))


@pytest.mark.parametrize("answer", [drip, drip_headers, flood, come_back_in_an_hour])
def test_no_server_can_keep_a_client_waiting(answer):
    started = time.monotonic()
    with strange_server(answer) as address, pytest.raises(ServingError):
        connect(address, timeout=1.0, retries=1)
    assert time.monotonic() - started < 5


GOOD = {"status": "OK", "classes": [1, 0], "labels": ["b", "a"], "probabilities": [0.25, 0.75]}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"junk",
        {},
        {"predictions": None},
        {"predictions": []},
        {"predictions": [GOOD, GOOD]},
        {"predictions": [{}]},
        *(
            {"predictions": [{**GOOD, **change}]}
            for change in (
                {"classes": [2, 0]},
                {"classes": [-1, 0]},
                {"classes": ["x"]},
                {"classes": None},
                {"classes": [float("inf")]},
                {"labels": ["a"]},
                {"labels": [1, 2]},
                {"probabilities": None},
                {"probabilities": 5},
                {"probabilities": [float("nan")] * 2},
                {"status": None},
            )
        ),
    ],
)
def test_answers_of_another_shape_are_explained(body):
    def answer(connection, is_metadata):
        connection.sendall(http(METADATA if is_metadata else body))

    with strange_server(answer) as address:
        client = connect(address)
        with pytest.raises(ServingError):
            client.classify([b"picture"])


def test_a_good_answer_of_that_server_is_understood():
    def answer(connection, is_metadata):
        connection.sendall(http(METADATA if is_metadata else {"predictions": [GOOD]}))

    with strange_server(answer) as address:
        answers = connect(address).classify([b"picture"])
    assert answers == [Answer("OK", (1, 0), ("b", "a"), (0.75, 0.25))]


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host:1/letters",
        "host:8500/letters",
        "grpc://host/letters",
        "grpc://host:8500",
        "grpc://host:x/letters",
        "http://host:8501/letters/newest",
        "http:///letters",
        "http://host:99999/letters",
        "http://host:1/letters/99999999999999999999",
        "grpc://host:1/letters/-1",
        "grpc://host:1/\udcff",
    ],
)
def test_malformed_addresses_are_shown(address):
    with pytest.raises(ValueError, match="`MODEL` must be .* Received: "):
        connect(address)


@pytest.mark.parametrize("settings", [{"timeout": 0.0}, {"timeout": 1e10}, {"retries": -1}])
def test_bad_numbers_are_named(tmp_path, settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}` must be"):
        connect(tmp_path, **settings)


def test_what_is_no_export_is_explained(tmp_path):
    import tensorflow as tf

    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(ValueError, match="does not load as an export"):
        connect(tmp_path)
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([], tf.int32)]
    )
    tf.saved_model.save(module, str(tmp_path / "2"), signatures=module.double)
    with pytest.raises(ValueError, match=r"must be an export of launch/export.py.*gives y"):
        connect(tmp_path)
