import concurrent.futures
import contextlib
import socket
import threading
import time

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
import tiny_exports
from servers import free_port, listening, loaded_versions
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_resnet.checks import UserError
from keras_resnet.serving.server import listening as listening_module
from keras_resnet.serving.server.listening import Listening


@pytest.fixture(scope="module")
def tiny(tiny_export):
    return loaded_versions(tiny_export)


def asked(target, seconds):
    """The answer to a request over gRPC that takes some time."""
    spec = {"name": "mine", "signature_name": "wait"}
    tensor = tf.make_tensor_proto(np.array([seconds], np.float32))
    with grpc.insecure_channel(target) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest(model_spec=spec, inputs={"x": tensor})
        return tf.make_ndarray(service.Predict(request).outputs["y"]).tolist()


def posted(port, seconds):
    """The same over REST."""
    body = {"signature_name": "wait", "instances": [seconds]}
    url = f"http://127.0.0.1:{port}/v1/models/mine:predict"
    return requests.post(url, json=body).json()["predictions"]


def test_requests_in_work_are_answered_when_it_stops(tiny):
    ports = [free_port(), free_port()]
    listener = Listening(tiny, "127.0.0.1", *ports)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        answers = [
            threads.submit(asked, f"127.0.0.1:{ports[0]}", 1.0),
            threads.submit(posted, ports[1], 1.0),
        ]
        time.sleep(0.5)
        started = time.monotonic()
        assert listener.stop(grace=20)
        assert time.monotonic() - started < 10
        assert [answer.result() for answer in answers] == [[2.0], [2.0]]
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_it_does_not_wait_for_longer_than_it_may(tiny):
    port = free_port()
    listener = Listening(tiny, "127.0.0.1", 0, port)
    thread = threading.Thread(target=posted, args=[port, 2.0])
    thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    assert not listener.stop(grace=0.1)
    assert time.monotonic() - started < 1
    thread.join()


def test_a_socket_is_a_place_for_grpc(tiny, tmp_path):
    path = tmp_path / "serving.sock"
    listener = Listening(tiny, "127.0.0.1", 0, 0, path)
    assert asked(f"unix:{path}", 0.0) == [0.0]
    with pytest.raises(UserError, match=r"`grpc_socket_path` .*serving\.sock"):
        Listening(tiny, "127.0.0.1", 0, 0, path)
    assert asked(f"unix:{path}", 0.0) == [0.0]
    listener.stop(grace=5)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="`grpc_socket_path` must be"):
        Listening(tiny, "127.0.0.1", 0, 0, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["port", "rest_api_port"])
def test_a_place_that_is_taken_is_named(tiny, name):
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"port": 0, "rest_api_port": 0, name: other.getsockname()[1]}
        with pytest.raises(UserError, match=rf"`{name}` must be .*Address already in use"):
            Listening(tiny, "127.0.0.1", **ports)


def test_two_servers_do_not_share_a_port(tiny):
    port = free_port()
    listener = Listening(tiny, "127.0.0.1", port, 0)
    with contextlib.closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", port)) == 0
    with pytest.raises(UserError, match="`port` must be"):
        Listening(tiny, "127.0.0.1", port, 0)
    # Nor one that starts at the same moment, when both have found the port free.
    with contextlib.closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", port))
    listener.stop(grace=5)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
@pytest.mark.parametrize("ports", [(1024, 0), (0, 1024)])
def test_a_host_that_is_not_this_machine_is_named(tiny, host, ports):
    with pytest.raises(UserError, match=host):
        Listening(tiny, host, *ports)


def test_new_versions_are_seen_within_seconds(tmp_path):
    tiny_exports.write(tmp_path / "mine" / "1", 2)
    with listening(loaded_versions(tmp_path / "mine")) as ports:
        tiny_exports.write(tmp_path / "2", 3).rename(tmp_path / "mine" / "2")
        deadline = time.monotonic() + 20
        url = f"http://127.0.0.1:{ports[1]}/v1/models/mine:predict"
        while requests.post(url, json={"instances": [1.0]}).json() != {"predictions": [3.0]}:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_messages_over_grpc_are_bounded(tiny, monkeypatch):
    monkeypatch.setattr(listening_module, "MAX_REQUEST_BYTES", 10**6)
    port = free_port()
    listener = Listening(tiny, "127.0.0.1", port, 0)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as refusal:
            method(bytes(10**6 + 1))
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    listener.stop(grace=5)
