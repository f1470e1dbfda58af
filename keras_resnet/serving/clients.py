"""Clients of a network: it or its export in this process, TF Serving over gRPC and over REST."""

import base64
import concurrent.futures
import json
import os
import pathlib
import threading
import time
import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from typing import Any, TypeVar

import grpc
import keras
import numpy as np
import requests
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_resnet.checks import UserError, check_integer, check_number, check_positive
from keras_resnet.images import conversion
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.process import onednn
from keras_resnet.serving import addresses
from keras_resnet.serving.answers import CONVERT_FIRST, NOT_AN_IMAGE, Answer
from keras_resnet.serving.export import newest_version
from keras_resnet.serving.options import TOP, Limits
from keras_resnet.serving.results import KINDS, kind_of
from keras_resnet.serving.servable import servable
from keras_resnet.tasks import load_network
from keras_resnet.texts import harmless

_T = TypeVar("_T")

SIGNATURE = "serving_default"

_MAX_TIMEOUT = 1e6

# Before the first repetition and before any, in seconds; each is twice as long as the one before.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

# A batch of a hundred pictures and ten thousand classes has a tenth of it.
_MAX_ANSWER_BYTES = 100 * 2**20

# Statuses of what Pillow may read: of exports of earlier versions the last one.
_TO_CONVERT = (CONVERT_FIRST, NOT_AN_IMAGE, "neither JPEG nor PNG")


class ServingError(UserError):
    """A server cannot be reached, does not answer in time, or refuses."""


def connect(address: str | os.PathLike[str], timeout: float = 10.0, retries: int = 3) -> "Client":
    """The client of a network, with a method `ask`.

    Args:
      address: `addresses.ADDRESS_HELP`.
      timeout: seconds in which a server must answer, each time that it is asked.
      retries: how often it is asked again while it is not available.

    Raises:
      UserError: there is no such network, it is not one of this package, or an argument is
        malformed; `ServingError` for what a server does.
    """
    check_positive("timeout", timeout)
    check_number("timeout", timeout, 0, below=_MAX_TIMEOUT)
    check_integer("retries", retries, 0)
    place = addresses.parsed(address)
    if isinstance(place, pathlib.Path):
        if addresses.is_network(place):
            return NetworkClient(load_network(place), place)
        return SavedModelClient(place)
    spec = model_pb2.ModelSpec(name=place.name, signature_name=SIGNATURE)
    if place.version is not None:
        spec.version.value = place.version
    if place.scheme == "grpc":
        return GrpcClient(place.place, spec, timeout, retries)
    return RestClient(f"{place.scheme}://{place.place}", spec, timeout, retries)


class Client:
    """What all clients share: from the results of a signature to answers.

    Args:
      address: what to call the export in messages.
      arguments: names of the arguments of its signature.
      results: names of its results.

    Attributes:
      kind: `results.Kind` of the network.
      preprocessing: `Preprocessing` of the network; None: it is not known here.

    Raises:
      UserError: the signature is not one of this package.
    """

    def __init__(
        self, address: str | os.PathLike[str], arguments: Collection[str], results: Set[str]
    ) -> None:
        kind = kind_of(results)
        if len(arguments) != 1 or kind is None:
            expected = " or ".join(f"{each.name} ({', '.join(each.columns)})" for each in KINDS)
            raise UserError(
                f"{address} must be an export of this package, whose signature {SIGNATURE} "
                f"gives {expected}. It takes {', '.join(sorted(arguments))} and gives "
                f"{', '.join(sorted(results))}."
            )
        self.kind = kind
        (self._argument,) = arguments
        self.preprocessing: Preprocessing | None = None

    def ask(self, pictures: list[bytes] | tuple[bytes, ...]) -> list[Answer]:
        """What the export says about some pictures.

        Args:
          pictures: list of bytes of encoded pictures of any sizes; together one batch. What the
            export does not read itself and Pillow does is asked about once more, as a PNG.

        Returns:
          list of `Answer`s, in order.

        Raises:
          UserError: it is no list of bytes.
          ServingError: the server does not answer, or refuses.
        """
        if not isinstance(pictures, list | tuple) or not all(
            isinstance(picture, bytes) for picture in pictures
        ):
            raise UserError(
                "`pictures` must be a list of the bytes of encoded pictures. "
                f"Received: {type(pictures).__name__}, or another type in it."
            )
        answers = self._answers(pictures)
        others = {}
        for place, (picture, answer) in enumerate(zip(pictures, answers, strict=True)):
            if answer.status in _TO_CONVERT:
                try:
                    others[place] = conversion.converted(picture)
                except UserError as error:
                    # What is no picture needs no reason.
                    if answer.status == CONVERT_FIRST:
                        answers[place] = Answer(f"{CONVERT_FIRST}: {error}")
        for place, answer in zip(others, self._answers(list(others.values())), strict=True):
            answers[place] = answer
        return answers

    def _answers(self, pictures: Sequence[bytes]) -> list[Answer]:
        """The `Answer`s for pictures as they are."""
        if not pictures:
            return []
        results = self._results(pictures)
        try:
            columns = [results[name] for name in self.kind.columns]
            if {len(column) for column in columns} != {len(pictures)}:
                raise ValueError("it has not a row for each picture")
            return [self.kind.answer(*row) for row in zip(*columns, strict=True)]
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise ServingError(f"The answer cannot be understood: {error}") from error

    def _results(self, pictures: Sequence[bytes]) -> Mapping[str, np.ndarray | list[object]]:
        """The results of the signature by name: arrays or lists with a row for each picture."""
        raise NotImplementedError


class _UnavailableError(Exception):
    """The server may answer later; the message says why it does not now."""


def _asked_again(ask: Callable[[], _T], retries: int) -> _T:
    """What a function gives, called again while it raises `_UnavailableError`."""
    pause = _FIRST_PAUSE
    for _ in range(retries):
        try:
            return ask()
        except _UnavailableError:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
    try:
        return ask()
    except _UnavailableError as error:
        raise ServingError(str(error)) from error


def _within(seconds: float, function: Callable[[], _T]) -> _T:
    """What a function gives or raises, if it ends in time.

    Raises:
      TimeoutError: it did not. It goes on in a thread, which ends with the process.
    """
    future: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def call() -> None:
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future.result(seconds)


class _FunctionClient(Client):
    """A function of this process that answers as a signature does.

    Args:
      address, arguments, results: see `Client`.
      function: of a string tensor [n], its only argument, by name; gives a dict of tensors.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        arguments: Collection[str],
        results: Set[str],
        function: Callable[..., dict[str, tf.Tensor]],
    ) -> None:
        super().__init__(address, arguments, results)
        self._function = function

    def _results(self, pictures: Sequence[bytes]) -> dict[str, np.ndarray]:
        number = len(pictures)
        if number == 1 and onednn.is_slow_for_one():
            pictures = [*pictures, *pictures]
        results = self._function(**{self._argument: tf.constant(pictures)})
        return {name: value.numpy()[:number] for name, value in results.items()}


class SavedModelClient(_FunctionClient):
    """An export that runs in this process.

    Args:
      directory: of a version, or of versions, of which the highest is used.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        version = newest_version(directory)
        try:
            # The signature alone would not keep the variables.
            self._loaded = tf.saved_model.load(str(version))
            function = self._loaded.signatures[SIGNATURE]
        except (tf.errors.OpError, OSError, ValueError, LookupError) as error:
            message = f"{version} does not load as an export: {type(error).__name__}"
            raise UserError(message) from error
        _, arguments = function.structured_input_signature
        super().__init__(version, arguments.keys(), function.structured_outputs.keys(), function)


class NetworkClient(_FunctionClient):
    """A network in this process, which answers as an export of it would.

    Args:
      model: `ResNet` with a classifier, `FasterRCNN`, `Localizer` or `FCN`, and a `preprocessing`.
      address: what to call it in messages; None: by its name.

    Raises:
      UserError: it is a network that cannot be exported.
    """

    def __init__(self, model: keras.Model, address: str | os.PathLike[str] | None = None) -> None:
        self._served = servable(model, TOP, Limits())
        function, argument = self._served.functions[SIGNATURE]
        traced = tf.function(function, input_signature=[argument], autograph=False)
        results = set(self._served.kind.columns)
        super().__init__(address or model.name, [argument.name], results, traced)
        self.preprocessing = model.preprocessing


class GrpcClient(Client):
    """An export behind TF Serving's gRPC port.

    Args:
      target: host:port.
      spec: `ModelSpec` of the model and the signature.
      timeout, retries: see `connect`.
    """

    def __init__(
        self, target: str, spec: model_pb2.ModelSpec, timeout: float, retries: int
    ) -> None:
        self._target, self._spec = target, spec
        self._timeout, self._retries = timeout, retries
        # Photographs, and answers with a thousand probabilities each, exceed the default of 4 MB.
        unlimited = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        channel = grpc.insecure_channel(target, unlimited)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.CopyFrom(spec)
        metadata = self._ask(self._service.GetModelMetadata, request).metadata["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        metadata.Unpack(signatures)
        signature = signatures.signature_def[SIGNATURE]
        super().__init__(target, signature.inputs.keys(), set(signature.outputs))

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
            raise ServingError(f"{self._target} gives no predictions.") from error

    def _ask(
        self,
        method: Callable[..., _T],
        request: get_model_metadata_pb2.GetModelMetadataRequest | predict_pb2.PredictRequest,
    ) -> _T:
        def ask() -> _T:
            try:
                return method(request, timeout=self._timeout)
            except grpc.RpcError as error:
                version = self._spec.version.value
                message = (
                    f"{self._target} gives no answer for model {self._spec.name!r}"
                    f"{f', version {version}' if version else ''} ({error.code().name}): "
                    f"{harmless(str(error.details()))}"
                )
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    raise _UnavailableError(message) from error
                raise ServingError(message) from error

        return _asked_again(ask, self._retries)


class RestClient(Client):
    """An export behind TF Serving's REST port.

    Args:
      server: such as http://localhost:8501.
      spec: `ModelSpec` of the model and the signature.
      timeout, retries: see `connect`.
    """

    def __init__(
        self, server: str, spec: model_pb2.ModelSpec, timeout: float, retries: int
    ) -> None:
        version = f"/versions/{spec.version.value}" if spec.HasField("version") else ""
        self._url = f"{server}/v1/models/{urllib.parse.quote(spec.name)}{version}"
        self._timeout, self._retries = timeout, retries
        self._session = requests.Session()
        answer = self._ask("GET", "/metadata")
        try:
            signature = answer["metadata"]["signature_def"]["signature_def"][SIGNATURE]
            arguments, results = signature["inputs"].keys(), signature["outputs"].keys()
        except (KeyError, TypeError, AttributeError) as error:
            message = f"{self._url} describes no signature {SIGNATURE}."
            raise ServingError(message) from error
        super().__init__(self._url, arguments, results)

    def _results(self, pictures: Sequence[bytes]) -> dict[str, list[object]]:
        instances = [
            {self._argument: {"b64": base64.b64encode(picture).decode()}} for picture in pictures
        ]
        answer = self._ask(
            "POST", ":predict", {"signature_name": SIGNATURE, "instances": instances}
        )
        try:
            rows = answer["predictions"]
            return {name: [row[name] for row in rows] for name in self.kind.columns}
        except (KeyError, TypeError) as error:
            raise ServingError(f"{self._url} gives no predictions.") from error

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        url = self._url + path

        def request() -> tuple[int, bytes]:
            deadline = time.monotonic() + self._timeout
            content = bytearray()
            # The timeout of requests begins anew with every byte, and need not end first.
            with self._session.request(
                *(method, url),
                json=body,
                timeout=2 * self._timeout,
                stream=True,
                allow_redirects=False,
            ) as response:
                while piece := response.raw.read1(2**16, True):
                    content += piece
                    if len(content) > _MAX_ANSWER_BYTES:
                        break
                    if time.monotonic() > deadline:
                        raise TimeoutError  # Nobody waits for the rest.
            return response.status_code, bytes(content)

        def ask() -> bytes:
            try:
                status, content = _within(self._timeout, request)
            except TimeoutError as error:
                raise ServingError(f"{url} does not answer within {self._timeout:g} s") from error
            except requests.ConnectionError as error:
                raise _UnavailableError(f"{url} does not answer: {error}") from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
                raise ServingError(f"{url} does not answer: {error}") from error
            if status == requests.codes.unavailable:
                # The model is still being loaded, or is overloaded.
                raise _UnavailableError(f"{url} refuses ({status}): {_excerpt(content)}")
            if status != requests.codes.ok:
                raise ServingError(f"{url} refuses ({status}): {_excerpt(content)}")
            if len(content) > _MAX_ANSWER_BYTES:
                raise ServingError(f"{url} answers with more than {_MAX_ANSWER_BYTES} bytes")
            return content

        content = _asked_again(ask, self._retries)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            message = f"{url} answers with no JSON: {_excerpt(content)}"
            raise ServingError(message) from error


def _excerpt(content: bytes) -> str:
    """The beginning of an answer, for messages."""
    return harmless(content[:200].decode(errors="replace"))
