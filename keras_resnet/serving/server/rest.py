"""TF Serving's REST interface: status and signatures of a model, and its answers about pictures."""

import contextlib
import http.server
import json
import re
import socket
import socketserver
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from keras_resnet.serving.server import json_tensors
from keras_resnet.serving.server.loaded import SIGNATURE
from keras_resnet.serving.server.statuses import RefusedError, invalid
from keras_resnet.serving.server.versions import Versions

_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_ABOUT = re.compile(rf"{_MODEL}(/metadata)?", re.IGNORECASE)
_PREDICT = re.compile(rf"{_MODEL}:predict", re.IGNORECASE)

# Seconds after which a client is given up that sends no byte, or takes none.
_PATIENCE = 60

# Of a body that nobody wants.
_PIECE = 2**16

# What is larger has no place in a message.
_MOST = 2**63


class RestServer(socketserver.ThreadingTCPServer):
    """Listens for requests; each connection has a thread.

    Args:
      address: host and port.
      versions: which answer.
      max_bytes: of the body of a request.

    Raises:
      OSError: it cannot listen there.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], versions: Versions, max_bytes: int) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.versions, self.max_bytes = versions, max_bytes
        self._number_in_work, self._changed = 0, threading.Condition()
        super().__init__(address, _Handler)

    @contextlib.contextmanager
    def in_work(self) -> Iterator[None]:
        """Within the context a request is answered."""
        with self._changed:
            self._number_in_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._number_in_work -= 1
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing where a client has left, whatever was just read from it or written to it."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def stop(self, grace: float) -> bool:
        """Takes no more connections; whether all that is in work was answered within seconds."""
        self.shutdown()
        self.server_close()
        with self._changed:
            return self._changed.wait_for(lambda: self._number_in_work == 0, grace)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: RestServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "keras_resnet", ""
    timeout = _PATIENCE
    # Headers and body go together.
    wbufsize = -1

    def do_GET(self) -> None:  # noqa: N802
        """Status, or signatures."""
        with self.server.in_work():
            self._respond(self._about)

    def do_POST(self) -> None:  # noqa: N802
        """Predictions."""
        with self.server.in_work():
            length = self.headers["Content-Length"] or ""
            if not length.isdecimal():
                self._send(411, {"error": "A Content-Length is needed."})
                self.close_connection = True
            elif _number(length) > self.server.max_bytes:
                self._read_in_vain(_number(length))
                limit = f"At most {self.server.max_bytes} bytes are accepted."
                self._send(413, {"error": f"{limit} Received: {length}"})
            else:
                body = self.rfile.read(int(length))
                self._respond(lambda: self._prediction(body))

    def _read_in_vain(self, number: int) -> None:
        """Lets a client write, which would not read before."""
        while number > 0 and (piece := self.rfile.read(min(number, _PIECE))):
            number -= len(piece)

    def _respond(self, answer: Callable[[], dict[str, Any]]) -> None:
        try:
            self._send(200, answer())
        except RefusedError as refusal:
            self._send(refusal.http_status, {"error": refusal.message})
        except RecursionError:
            self._send(400, {"error": "JSON Parse error: nested too deeply"})

    def _send(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        # A client may have given up.
        with contextlib.suppress(OSError):
            self.wfile.write(data)
            self.wfile.flush()

    def _about(self) -> dict[str, Any]:
        spec, match = self._spec(_ABOUT)
        if not match[4]:
            statuses = self.server.versions.statuses(spec)
            response = get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)
            return _in_json(response)
        number, version = self.server.versions.of(spec)
        spec = model_pb2.ModelSpec(name=spec.name, version={"value": number})
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.signatures)
        return {
            "model_spec": _in_json(spec),
            "metadata": {"signature_def": _in_json(signatures)},
        }

    def _prediction(self, body: bytes) -> dict[str, Any]:
        spec, _ = self._spec(_PREDICT)
        document = json_tensors.parsed(body)
        _, version = self.server.versions.of(spec)
        name = document.get("signature_name") or SIGNATURE
        if name not in version.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        inputs = json_tensors.inputs_of(document, version.signatures[name])
        results = version.predict(name, inputs)
        return json_tensors.answer(results, json_tensors.is_in_rows(document))

    def _spec(self, pattern: re.Pattern[str]) -> tuple[model_pb2.ModelSpec, re.Match[str]]:
        """The model that the path is of, and its parts."""
        try:
            path = urllib.parse.urlsplit(self.path).path
        except ValueError as error:
            raise invalid(f"Malformed request: {self.command} {self.path}") from error
        match = pattern.fullmatch(path)
        if match is None:
            raise invalid(f"Malformed request: {self.command} {path}")
        name, version, label = (urllib.parse.unquote(part or "") for part in match.groups()[:3])
        spec = model_pb2.ModelSpec(name=name)
        if version:
            if _number(version) == _MOST:
                raise invalid(f"Failed to convert version: {version} to numeric.")
            spec.version.value = _number(version)
        if label:
            spec.version_label = label
        return spec, match

    def log_message(self, *_: object) -> None:
        pass


def _number(digits: str) -> int:
    """The number that digits say, or `_MOST`; Python itself reads no more than 4,300 of them."""
    return min(int(digits.lstrip("0")[:20] or "0"), _MOST)


def _in_json(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
