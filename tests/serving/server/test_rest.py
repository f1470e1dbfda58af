"""Over real sockets."""

import base64
import json
import socket
import struct
import threading
import time

import numpy as np
import pytest
import requests
import tensorflow as tf
from google.protobuf import json_format
from pictures import encoded
from servers import listening
from tensorflow_serving.apis import get_model_metadata_pb2

from keras_resnet.serving.server import listening as server


@pytest.fixture(scope="module")
def port(versions):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(server, "MAX_REQUEST_BYTES", 10**6)
        with listening(versions) as ports:
            yield ports[1]


@pytest.fixture
def url(port):
    return f"http://127.0.0.1:{port}/v1/models/letters"


def in_base64(pictures):
    return [{"b64": base64.b64encode(picture).decode()} for picture in pictures]


def test_answers_are_those_of_the_saved_model(url, serve, rng):
    """In both formats."""
    pictures = [encoded(rng, 31, 45), b"", encoded(rng, 24, 24, "PNG")]
    expected = serve["serving_default"](image_bytes=tf.constant(pictures))
    expected = {name: value.numpy() for name, value in expected.items()}
    rows = requests.post(f"{url}:predict", json={"instances": in_base64(pictures)}).json()
    body = {"inputs": {"image_bytes": in_base64(pictures)}}
    columns = requests.post(f"{url}/versions/1:predict", json=body).json()
    for name, value in expected.items():
        of_rows = [row[name] for row in rows["predictions"]]
        assert columns["outputs"][name] == of_rows
        if value.dtype == object:
            value = np.vectorize(bytes.decode, [object])(value)
        np.testing.assert_array_equal(np.array(of_rows, value.dtype), value)
    assert len(rows["predictions"]) == 3 and len(rows) == 1


def test_pixels_are_lists(url, serve, rng):
    pixels = rng.integers(0, 256, (2, 30, 40, 3), np.uint8)
    body = {"signature_name": "images", "instances": pixels.tolist()}
    rows = requests.post(f"{url}:predict", json=body).json()["predictions"]
    expected = serve["images"](images=tf.constant(pixels))["probabilities"]
    np.testing.assert_array_equal(
        np.array([row["probabilities"] for row in rows], np.float32), expected
    )


def test_status_says_which_versions_there_are(url):
    found = requests.get(url)
    assert (found.status_code, found.headers["Content-Type"]) == (200, "application/json")
    status = {"error_code": "OK", "error_message": ""}
    version = {"version": "1", "state": "AVAILABLE", "status": status}
    assert found.json() == {"model_version_status": [version]}
    assert requests.get(f"{url}/versions/1").json() == found.json()


def test_metadata_are_the_signatures(url):
    found = requests.get(f"{url}/metadata").json()
    assert found["model_spec"] == {"name": "letters", "version": "1", "signature_name": ""}
    signatures = json_format.ParseDict(
        found["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    )
    (argument,) = signatures.signature_def["images"].inputs.values()
    assert argument.dtype == tf.uint8.as_datatype_enum
    assert [dim.size for dim in argument.tensor_shape.dim] == [-1, -1, -1, 3]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("numbers:predict", {"instances": [1]}, 404, "request: Latest(numbers)"),
        ("letters/versions/2:predict", {"instances": [1]}, 404, "Specific(letters, 2)"),
        ("letters/labels/x:predict", {"instances": [1]}, 400, "version label: x"),
        ("letters:classify", {}, 400, "Malformed request: POST /v1/models/letters:classify"),
        (f"letters/versions/{2**63}:predict", {}, 400, "to numeric"),
        (f"letters/versions/{'9' * 5000}:predict", {}, 400, "to numeric"),
        (f"letters/versions/{'0' * 5000}1:predict", {"instances": [1]}, 400, "expected type: str"),
        ("letters:predict", {"signature_name": "x"}, 400, '"x" not found in signature def'),
        ("letters:predict", {"signature_name": "\ud800"}, 400, "not found in signature def"),
        ("letters:predict", {"instances": [1]}, 400, "not of expected type: string"),
        ("letters:predict", {"instances": [""] * 33}, 400, "larger than maximum input batch size"),
    ],
)
def test_refusals_have_tf_servings_codes(port, path, body, status, message):
    found = requests.post(f"http://127.0.0.1:{port}/v1/models/{path}", json=body)
    assert found.status_code == status
    assert list(found.json()) == ["error"] and message in found.json()["error"]


def test_names_in_paths_are_unquoted_and_nothing_else_answers(port):
    for path, status in (
        ("/v1/models/%6cetters", 200),
        ("/V1/models/letters?x=1", 200),
        ("/v1/models/letters%2Fx", 404),
        ("/v1/models/letters/1", 400),
        ("/", 400),
    ):
        assert requests.get(f"http://127.0.0.1:{port}{path}").status_code == status, path


def test_a_nested_body_is_no_error_of_the_server(url):
    found = requests.post(f"{url}:predict", data=b'{"instances": ' + b"[" * 100_000)
    assert found.status_code == 400


def test_large_bodies_are_refused_and_not_kept(url):
    """The connection goes on."""
    with requests.Session() as session:
        found = session.post(f"{url}:predict", data=bytes(10**6 + 1))
        assert found.status_code == 413
        assert "At most 1000000 bytes are accepted. Received: 1000001" in found.json()["error"]
        assert session.post(f"{url}:predict", data=bytes(10**6)).status_code == 400
        assert session.get(url).status_code == 200
    pieces = requests.post(f"{url}:predict", data=iter([b"{}"]))
    assert (pieces.status_code, pieces.json()["error"]) == (411, "A Content-Length is needed.")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET http://[/v1", 400), (b"POST /v1/models/letters:predict", 413)],
)
def test_what_the_standard_library_does_not_read_is_refused(port, request_line, status):
    """An address that is none, and a length of more digits than Python's numbers may have."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request_line + b" HTTP/1.1\r\nContent-Length: " + b"9" * 5000)
        connection.sendall(b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status) and b'{"error": ' in answer


@pytest.mark.parametrize("with_reset", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GE",
        b"POST /v1/models/letters:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n{",
        b"GET /v1/models/letters/metadata HTTP/1.1\r\n\r\n" * 100,
    ],
)
def test_who_leaves_does_not_end_the_server(port, url, capfd, said, with_reset):
    """Nor is there anything to say of it."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(said)
        if with_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert requests.get(url).status_code == 200
    while any("process_request_thread" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)
    assert capfd.readouterr() == ("", "")


def test_requests_of_http_1_0_are_answered(port):
    """As a health check without a client sends them."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /v1/models/letters HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["model_version_status"]
