"""A small server of one export by the rules of TF Serving: gRPC's PredictionService, and REST.

Written after TF Serving's documentation, with its official stubs, on TensorFlow alone. As a program
it prints its two addresses.

  python prediction_server.py VERSION_DIR NAME
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import os
import pathlib
import re
import sys
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class ServingError(Exception):
    """What a client gets instead of an answer: a gRPC status, an HTTP one and a text."""


class Model:
    """What a server has under a name: the signatures of a SavedModel, and their answers."""

    def __init__(self, version_dir, name):
        self.name, self.version = name, int(version_dir.name)
        self._loaded = tf.saved_model.load(str(version_dir))
        parsed = saved_model_pb2.SavedModel.FromString(
            (version_dir / "saved_model.pb").read_bytes()
        )
        self.signatures = parsed.meta_graphs[0].signature_def

    def check(self, name, version):
        if name != self.name or version not in (None, self.version):
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, 404, f"Servable not found for request: {name}"
            )

    def signature(self, name):
        if name not in self.signatures:
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, 400, f"No signature {name}")
        signature = self.signatures[name]
        # TF Serving answers to no other.
        assert signature.method_name == "tensorflow/serving/predict"
        return signature

    def predict(self, signature_name, inputs):
        if set(inputs) != set(self.signature(signature_name).inputs):
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, 400, f"inputs are {set(inputs)}")
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        try:
            results = self._loaded.signatures[signature_name](**tensors)
        except tf.errors.OpError as error:
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, 400, str(error)) from error
        return {name: value.numpy() for name, value in results.items()}


class Calls:
    """Counts the calls by one protocol, of which the first are answered with "unavailable"."""

    def __init__(self, failures):
        self.number = 0
        self._failures, self._lock = failures, threading.Lock()

    def begin(self):
        with self._lock:
            self.number += 1
            if self.number <= self._failures:
                raise ServingError(grpc.StatusCode.UNAVAILABLE, 503, "try again")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model, calls):
        self._model, self._calls = model, calls

    def _checked(self, spec, context, answer):
        version = spec.version.value if spec.HasField("version") else None
        try:
            self._calls.begin()
            self._model.check(spec.name, version)
            return answer()
        except ServingError as failure:
            status, _, text = failure.args
            context.abort(status, text)

    def Predict(self, request, context):  # noqa: N802
        def answer():
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            signature = request.model_spec.signature_name or "serving_default"
            response = predict_pb2.PredictResponse()
            for name, value in self._model.predict(signature, inputs).items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

        return self._checked(request.model_spec, context, answer)

    def GetModelMetadata(self, request, context):  # noqa: N802
        def answer():
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.metadata["signature_def"].Pack(signature_map(self._model))
            return response

        return self._checked(request.model_spec, context, answer)


def signature_map(model):
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in model.signatures.items():
        if not name.startswith("__"):
            signatures.signature_def[name].CopyFrom(signature)
    return signatures


class RestHandler(http.server.BaseHTTPRequestHandler):
    model = calls = None
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        self._respond(self._metadata)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._respond(lambda: self._predict(json.loads(body)))

    def _respond(self, answer):
        try:
            self.calls.begin()
            status, content = 200, answer()
        except ServingError as failure:
            _, status, text = failure.args
            content = {"error": text}
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        # A client may have given up.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(data)

    def _match(self, end):
        match = re.fullmatch(rf"/v1/models/([^/:]+)(?:/versions/(\d+))?{end}", self.path)
        if not match:
            raise ServingError(None, 404, f"Malformed request: {self.command} {self.path}")
        self.model.check(match[1], match[2] and int(match[2]))

    def _metadata(self):
        self._match("/metadata")
        # As an Any it would have a "@type" beside it, as TF Serving's answer has.
        signatures = json_format.MessageToDict(
            signature_map(self.model), preserving_proto_field_name=True
        )
        return {
            "model_spec": {"name": self.model.name, "version": str(self.model.version)},
            "metadata": {"signature_def": signatures},
        }

    def _predict(self, body):
        self._match(":predict")
        name = body.get("signature_name", "serving_default")
        signature = self.model.signature(name)
        names = list(signature.inputs)
        rows = body["instances"]
        if not (isinstance(rows[0], dict) and set(rows[0]) == set(names)):
            # With a single argument its name may be left out.
            (only,) = names
            rows = [{only: row} for row in rows]
        inputs = {
            argument: np.array([decoded(row[argument]) for row in rows])
            if signature.inputs[argument].dtype != tf.string.as_datatype_enum
            else np.array([decoded(row[argument]) for row in rows], object)
            for argument in names
        }
        results = {name: value.tolist() for name, value in self.model.predict(name, inputs).items()}
        return {
            "predictions": [
                {name: encoded(name, value[row]) for name, value in results.items()}
                for row in range(len(rows))
            ]
        }

    def log_message(self, *_):
        pass


def decoded(value):
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    return value


def encoded(name, value):
    if isinstance(value, list):
        return [encoded(name, each) for each in value]
    if isinstance(value, bytes):
        return (
            {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.decode()
        )
    return value


class Server:
    """Answers of a model on two ports of this machine.

    Args:
      model: `Model`.
      failures: number of calls of each protocol that are answered with "unavailable" first.
      rest_socket: bound socket on which to listen for REST; None: a new one.

    Attributes:
      addresses: of the two, without the name of the model, by "grpc" and "rest".
      calls: numbers of calls, `Calls`, by the same.
    """

    def __init__(self, model, failures=0, rest_socket=None):
        self.calls = {"grpc": Calls(failures), "rest": Calls(failures)}
        unlimited = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=unlimited)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(model, self.calls["grpc"]), self._grpc
        )
        grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        handler = type("Handler", (RestHandler,), {"model": model, "calls": self.calls["rest"]})
        self._rest = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), handler, bind_and_activate=rest_socket is None
        )
        if rest_socket is not None:
            self._rest.socket.close()
            self._rest.socket, self._rest.server_address = rest_socket, rest_socket.getsockname()
            self._rest.server_activate()
        threading.Thread(target=self._rest.serve_forever, args=[0.02], daemon=True).start()
        self.addresses = {
            "grpc": f"grpc://127.0.0.1:{grpc_port}",
            "rest": f"http://127.0.0.1:{self._rest.server_address[1]}",
        }

    def wait(self):
        self._grpc.wait_for_termination()

    def close(self):
        self._rest.shutdown()
        self._rest.server_close()
        self._grpc.stop(None)


def main(version_dir, name):
    with contextlib.closing(Server(Model(pathlib.Path(version_dir), name))) as server:
        print(json.dumps(server.addresses), flush=True)
        server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
