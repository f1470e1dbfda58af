import prediction_server
import pytest
import tensorflow as tf
from servers import UNDERSTOOD, Model, serving
from tensorflow_serving.apis import predict_pb2

from keras_resnet.serving.clients import ServingError, connect


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
def test_answers_of_another_shape_are_explained(monkeypatch, change, message):
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


def test_two_clients_share_no_connection(monkeypatch):
    """Nor its failures, for which gRPC would let both wait."""
    peers = set()

    class Service(prediction_server.PredictionService):
        def Predict(self, request, context):  # noqa: N802
            peers.add(context.peer())
            return super().Predict(request, context)

    monkeypatch.setattr(prediction_server, "PredictionService", Service)
    with serving(Model()) as server:
        for client in [connect(f"{server.addresses['grpc']}/letters") for _ in range(2)]:
            client.ask([b"picture"])
    assert len(peers) == 2


def test_a_socket_of_this_machine(tmp_path):
    with serving(Model(), grpc_socket=tmp_path / "serving.sock"):
        address = f"unix://{tmp_path}/serving.sock:/letters"
        for end in ("", "/1", "/stable"):
            assert connect(address + end).ask([b"picture"]) == [UNDERSTOOD]
    with pytest.raises(ServingError, match=r"serving\.sock gives no answer.*UNAVAILABLE"):
        connect(address, retry_for=0.0)


def test_what_a_server_says_cannot_control_a_terminal():
    refusal = prediction_server.ServingError(
        prediction_server.grpc.StatusCode.NOT_FOUND, 404, "gone\x1b[2J"
    )
    with (
        serving(Model(), failures=1, failure=refusal) as server,
        pytest.raises(ServingError) as error,
    ):
        connect(f"{server.addresses['grpc']}/letters")
    assert str(error.value).endswith(r"gone\x1b[2J")


def test_a_server_short_of_memory_is_waited_for():
    shortage = prediction_server.ServingError(
        prediction_server.grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "OOM when allocating tensor"
    )
    waits = []
    with serving(Model(), failures=1, failure=shortage) as server:
        address = f"{server.addresses['grpc']}/letters"
        assert connect(address, on_wait=waits.append).ask([b"picture"]) == [UNDERSTOOD]
    assert len(waits) == 1 and "RESOURCE_EXHAUSTED" in waits[0]
