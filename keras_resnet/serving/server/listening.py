"""Both protocols at their addresses, and the watch for new versions."""

import concurrent.futures
import contextlib
import os
import socket
import threading
from collections.abc import Callable

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from keras_resnet.checks import UserError
from keras_resnet.serving.server.grpc_services import ModelService, PredictionService
from keras_resnet.serving.server.rest import RestServer
from keras_resnet.serving.server.versions import Versions
from keras_resnet.texts import harmless

# Of the body of a request; 32 photographs of 8 MB, or 6 MB in base64.
MAX_REQUEST_BYTES = 256 * 2**20

# Requests over gRPC that are answered at once.
_THREADS = 8

# Seconds between two looks at the directory, as TF Serving's.
_POLL = 1.0


class Listening:
    """Answers at its addresses, from the moment it exists until it is stopped.

    Args:
      versions: which answer; at least one does.
      host: name or address of an interface.
      port: of gRPC; 0: none.
      rest_api_port: of REST; 0: none.
      grpc_socket_path: of a unix socket for gRPC, too; None: none.

    Raises:
      UserError: it cannot listen at one of them.
    """

    def __init__(
        self,
        versions: Versions,
        host: str,
        port: int,
        rest_api_port: int,
        grpc_socket_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self._ended = threading.Event()
        self._grpc = _grpc_server(versions)
        at = f"[{host}]" if ":" in host else host
        if port:
            _check_free_port(host, port)
            _bind(self._grpc, f"{at}:{port}", "port")
        if grpc_socket_path is not None:
            _check_free_socket(os.fspath(grpc_socket_path))
            _bind(self._grpc, f"unix:{grpc_socket_path}", "grpc_socket_path")
        self._rest = None
        if rest_api_port:
            try:
                self._rest = RestServer((host, rest_api_port), versions, MAX_REQUEST_BYTES)
            except OSError as error:
                raise _not_free("rest_api_port", f"{at}:{rest_api_port}", error) from error
            threading.Thread(target=self._rest.serve_forever, args=[0.05], daemon=True).start()
        self._grpc.start()
        threading.Thread(target=self._watch, args=[versions.refresh], daemon=True).start()

    def _watch(self, refresh: Callable[[], None]) -> None:
        while not self._ended.wait(_POLL):
            # The directory may be away for a moment.
            with contextlib.suppress(OSError):
                refresh()

    def stop(self, grace: float) -> bool:
        """Takes no more requests; whether all that are in work were answered within seconds."""
        self._ended.set()
        grpc_stopped = self._grpc.stop(grace)
        is_done = self._rest is None or self._rest.stop(grace)
        return grpc_stopped.wait(grace) and is_done


def _grpc_server(versions: Versions) -> grpc.Server:
    options = {
        "grpc.max_send_message_length": -1,
        "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
        # Or two servers would share a port.
        "grpc.so_reuseport": 0,
    }
    threads = concurrent.futures.ThreadPoolExecutor(_THREADS)
    server = grpc.server(threads, options=list(options.items()))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(versions), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(versions), server)
    return server


def _bind(server: grpc.Server, address: str, name: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise _not_free(name, address) from error


def _check_free_port(host: str, port: int) -> None:
    """Raises UserError with the system's reason, of which gRPC tells nothing."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise _not_free("port", f"{host}:{port}", error) from error


def _check_free_socket(path: str) -> None:
    """Raises UserError where gRPC would take a socket away from another server."""
    with socket.socket(socket.AF_UNIX) as other, contextlib.suppress(OSError):
        other.connect(path)
        raise _not_free("grpc_socket_path", path)


def _not_free(name: str, address: str, error: OSError | None = None) -> UserError:
    reason = f" ({error.strerror})" if error else ""
    return UserError(
        f"`{name}` must be an address where this machine can listen and nobody does yet. "
        f"Received: {harmless(address)}{reason}"
    )
