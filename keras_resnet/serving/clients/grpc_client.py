"""An export behind TF Serving's gRPC port."""

import pathlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_resnet.serving.access import Access
from keras_resnet.serving.addresses import Server
from keras_resnet.serving.clients.client import SIGNATURE, Client
from keras_resnet.serving.clients.failures import (
    ServingError,
    TooManyBytesError,
    UnavailableError,
    UnknownHostError,
    is_unknown,
    refused_tls,
    too_many_rows,
)
from keras_resnet.serving.clients.retries import CONNECT_SECONDS, Retries
from keras_resnet.texts import harmless

_T = TypeVar("_T")

# What gRPC says of a handshake whose other side is not trusted, or speaks something else.
_TLS_FAULTS = ("SSL_ERROR_SSL", "Hostname Verification Check failed")

# A server that is back is found within a second.
_RECONNECTION = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # Also the time in which a connection must come about.
    "grpc.min_reconnect_backoff_ms": 1000 * CONNECT_SECONDS,
}


class GrpcClient(Client):
    """An export behind a server's gRPC port, or its socket.

    Args:
      server: where it is.
      access: how they trust each other.
      timeout: seconds in which it must answer, each time that it is asked.
      retries: how long it is waited for.
      batch_size: see `Client`.
    """

    def __init__(
        self,
        server: Server,
        access: Access,
        timeout: float,
        retries: Retries,
        batch_size: int | None,
    ) -> None:
        self._server, self._access = server, access
        self._timeout, self._retries = timeout, retries
        self._spec = model_pb2.ModelSpec(name=server.name, signature_name=SIGNATURE)
        if server.version is not None:
            self._spec.version.value = server.version
        elif server.label is not None:
            self._spec.version_label = server.label
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(_channel(server, access))
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.CopyFrom(self._spec)
        metadata = self._ask(self._service.GetModelMetadata, request).metadata["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        metadata.Unpack(signatures)
        signature = signatures.signature_def[SIGNATURE]
        super().__init__(server.place, signature.inputs.keys(), set(signature.outputs), batch_size)

    def _results(self, pictures: Sequence[bytes]) -> dict[str, np.ndarray]:
        request = predict_pb2.PredictRequest()
        request.model_spec.CopyFrom(self._spec)
        # tf.make_tensor_proto would make all as long as the longest.
        strings = request.inputs[self._argument]
        strings.dtype = tf.string.as_datatype_enum
        strings.tensor_shape.dim.add(size=len(pictures))
        strings.string_val.extend(pictures)
        outputs = self._ask(self._service.Predict, request).outputs
        try:
            return {name: tf.make_ndarray(value) for name, value in outputs.items()}
        except (ValueError, TypeError) as error:
            raise ServingError(f"{self._server.place} gives no predictions.") from error

    def _ask(
        self,
        method: Callable[..., _T],
        request: get_model_metadata_pb2.GetModelMetadataRequest | predict_pb2.PredictRequest,
    ) -> _T:
        def ask() -> _T:
            metadata = tuple(self._access.headers().items())
            try:
                return method(request, timeout=self._timeout, metadata=metadata)
            except grpc.RpcError as error:
                raise _meaning(error, self._server) from error

        return self._retries.answer(ask)


def _meaning(error: grpc.RpcError, server: Server) -> Exception:
    """What an error of gRPC means; see `failures`."""
    code, details = error.code(), harmless(str(error.details()))
    version = server.label if server.version is None else server.version
    message = (
        f"{server.place} gives no answer for model {server.name!r}"
        f"{'' if version is None else f', version {version}'} ({code.name}): {details}"
    )
    if code == grpc.StatusCode.UNAVAILABLE:
        if server.is_encrypted and any(fault in details for fault in _TLS_FAULTS):
            return refused_tls(server.place, details)
        # What gRPC did not ask about may have a name that only a proxy knows.
        if "resolv" in details and is_unknown(server.host):
            return UnknownHostError(server.host, message)
        return UnavailableError(message)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        # A server that lacks memory says so too, and that may pass.
        return (TooManyBytesError if "larger than max" in details else UnavailableError)(message)
    if code == grpc.StatusCode.INVALID_ARGUMENT and (fault := too_many_rows(message)):
        return fault
    return ServingError(message)


def _channel(server: Server, access: Access) -> grpc.Channel:
    """A channel to a server. It connects anew by itself."""
    options = {
        **_RECONNECTION,
        # Photographs, and answers with a thousand probabilities each, exceed the default of 4 MB.
        "grpc.max_send_message_length": -1,
        "grpc.max_receive_message_length": -1,
        # Who has two channels to an address would share the connection, and its failures.
        "grpc.use_local_subchannel_pool": 1,
        # A proxy of the environment is not for this machine, and would read the token.
        "grpc.enable_http_proxy": int(not server.is_local),
    }
    if not server.is_encrypted:
        target = f"unix://{server.place}" if server.scheme == "unix" else server.place
        return grpc.insecure_channel(target, list(options.items()))
    files = (access.ca_file, access.key_file, access.certificate_file)
    contents = [None if file is None else pathlib.Path(file).read_bytes() for file in files]
    credentials = grpc.ssl_channel_credentials(*contents)
    return grpc.secure_channel(server.place, credentials, list(options.items()))
