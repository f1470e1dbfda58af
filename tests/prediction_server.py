"""A small server of one export by the rules of TF Serving: gRPC's PredictionService, and REST.

Written after TF Serving's documentation, with its official stubs, on TensorFlow alone. It does what
a server may do to a client, which `keras-resnet serve` does not.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import os
import re
import ssl
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class ServingError(Exception):
    """What a client gets instead of an answer: a gRPC status, an HTTP one and a text."""


UNAVAILABLE = ServingError(grpc.StatusCode.UNAVAILABLE, 503, "try again")


class Model:
    """What a server has under a name; what it answers is for its subclasses.

    Its only version has a label.

    Attributes:
      name, version: its own, and the version's number.
      signatures: `SignatureDef`s by name.
    """

    label = "stable"

    def check(self, name, version, label):
        is_there = version in (None, self.version) and label in (None, self.label)
        if name != self.name or not is_there:
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


class Calls:
    """The calls by one protocol.

    Args:
      failures: number of the first, which fail.
      failure: `ServingError` with which they do.
      last: number of the one in whose midst the process ends; None: there is none.
      token: what each must bring; None: nothing.
      largest_batch: number of rows of which more are refused; None: there is none.

    Attributes:
      number: of those that began.
      rows: numbers of rows of those to predict, whether they were refused or not.
    """

    def __init__(self, failures=0, failure=UNAVAILABLE, last=None, token=None, largest_batch=None):
        self.number, self.rows = 0, []
        self._failures, self._failure = failures, failure
        self._last, self._token, self._largest_batch = last, token, largest_batch
        self._lock = threading.Lock()

    def begin(self, headers):
        with self._lock:
            self.number += 1
            if self.number <= self._failures:
                raise self._failure
        if self._token is not None and headers.get("authorization") != f"Bearer {self._token}":
            raise ServingError(grpc.StatusCode.UNAUTHENTICATED, 401, "who is it?")

    def check_rows(self, number):
        self.rows.append(number)
        if self._largest_batch is not None and number > self._largest_batch:
            text = f"is larger than maximum input batch size {self._largest_batch}"
            raise ServingError(grpc.StatusCode.INVALID_ARGUMENT, 400, f"Task size {number} {text}")

    def end(self, write_half=lambda: None):
        """Ends the process, if this is the last call."""
        if self.number == self._last:
            write_half()
            os._exit(1)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model, calls):
        self._model, self._calls = model, calls

    def _checked(self, spec, context, answer):
        version = spec.version.value if spec.HasField("version") else None
        label = spec.version_label if spec.HasField("version_label") else None
        try:
            self._calls.begin(dict(context.invocation_metadata()))
            self._model.check(spec.name, version, label)
            response = answer()
            self._calls.end()
            return response
        except ServingError as failure:
            status, _, text = failure.args
            context.abort(status, text)

    def Predict(self, request, context):  # noqa: N802
        def answer():
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            for value in inputs.values():
                self._calls.check_rows(len(value))
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
    largest_message = -1
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        self._respond(self._metadata)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if 0 <= self.largest_message < len(body):
            # As a proxy says it.
            self.send_error(413)
            return
        self._respond(lambda: self._predict(json.loads(body)))

    def _respond(self, answer):
        try:
            # Names of headers are the same in any case.
            self.calls.begin(self.headers)
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
            self.calls.end(lambda: self.wfile.write(data[: len(data) // 2]))
            self.wfile.write(data)

    def _match(self, end):
        which = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
        match = re.fullmatch(rf"/v1/models/([^/:]+){which}{end}", self.path)
        if not match:
            raise ServingError(None, 404, f"Malformed request: {self.command} {self.path}")
        self.model.check(match[1], match[2] and int(match[2]), match[3])

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
        self.calls.check_rows(len(rows))
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


class RestServer(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Says nothing: a client may have gone, or have no certificate."""


class Server:
    """Answers of a model on two ports of this machine.

    Args:
      model: `Model`.
      ports: of gRPC and REST; 0: any that is free.
      rest_socket: bound socket on which to listen for REST; None: a new one.
      certificates: `Certificates` of it, with which all is encrypted; None: nothing is.
      asks_clients: whether clients must have a certificate of the same authority.
      grpc_socket: path of a socket for gRPC besides; None: there is none.
      largest_message: bytes of the largest request; -1: any.
      calls: see `Calls`, of each protocol.

    Attributes:
      addresses: of the two, without the name of the model, by "grpc" and "rest".
      calls: `Calls` by the same.
    """

    def __init__(
        self,
        model,
        ports=(0, 0),
        rest_socket=None,
        certificates=None,
        asks_clients=False,
        grpc_socket=None,
        largest_message=-1,
        **calls,
    ):
        self.calls = {"grpc": Calls(**calls), "rest": Calls(**calls)}
        self.addresses = {}
        self._largest_message = largest_message
        self._start_grpc(model, ports[0], certificates, asks_clients, grpc_socket)
        self._start_rest(model, ports[1], certificates, asks_clients, rest_socket)

    def _start_grpc(self, model, port, certificates, asks_clients, grpc_socket):
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", self._largest_message),
        ]
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=options)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(model, self.calls["grpc"]), self._grpc
        )
        if certificates is None:
            bound = self._grpc.add_insecure_port(f"127.0.0.1:{port}")
        else:
            certificate, key = (path.read_bytes() for path in certificates.server)
            credentials = grpc.ssl_server_credentials(
                [(key, certificate)], certificates.authority.read_bytes(), asks_clients
            )
            bound = self._grpc.add_secure_port(f"127.0.0.1:{port}", credentials)
        if grpc_socket is not None:
            self._grpc.add_insecure_port(f"unix://{grpc_socket}")
        self._grpc.start()
        scheme = "grpc" if certificates is None else "grpcs"
        self.addresses["grpc"] = f"{scheme}://127.0.0.1:{bound}"

    def _start_rest(self, model, port, certificates, asks_clients, rest_socket):
        attributes = {
            "model": model,
            "calls": self.calls["rest"],
            "largest_message": self._largest_message,
        }
        handler = type("Handler", (RestHandler,), attributes)
        self._rest = RestServer(("127.0.0.1", port), handler, bind_and_activate=rest_socket is None)
        if rest_socket is not None:
            self._rest.socket.close()
            self._rest.socket, self._rest.server_address = rest_socket, rest_socket.getsockname()
            self._rest.server_activate()
        if certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificates.server)
            if asks_clients:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(certificates.authority)
            # Shaking hands is for the thread of a connection, not for the one that accepts it.
            self._rest.socket = context.wrap_socket(
                self._rest.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._rest.serve_forever, args=[0.02], daemon=True).start()
        scheme = "http" if certificates is None else "https"
        self.addresses["rest"] = f"{scheme}://127.0.0.1:{self._rest.server_address[1]}"

    def wait(self):
        self._grpc.wait_for_termination()

    def close(self):
        self._rest.shutdown()
        self._rest.server_close()
        self._grpc.stop(None)
