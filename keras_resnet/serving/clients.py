"""Clients of an export: a SavedModel in this process, TF Serving over gRPC and over REST."""

import base64
import dataclasses
import os
import re
import time
import urllib.parse

import grpc
import requests
import tensorflow as tf
import urllib3
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_resnet.checks import UserError, check_integer, check_positive
from keras_resnet.serving.export import newest_version
from keras_resnet.serving.signatures import OK

SIGNATURE = "serving_default"
_RESULTS = {"probabilities", "classes", "labels", "status"}

# Before the first repetition, in seconds; twice as long before each further one.
_FIRST_PAUSE = 0.2

ADDRESS_HELP = (
    "a directory of an export, grpc://HOST:PORT/NAME, http://HOST:PORT/NAME or https://HOST/NAME; "
    "/VERSION may follow the name"
)


class ServingError(UserError):
    """A server cannot be reached, does not answer in time, or refuses."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an export says about one picture.

    Attributes:
      status: "OK", or why the picture cannot be used; see `signatures`.
      classes: numbers of the most probable classes, that first; none for an unusable picture.
      labels: their names.
      probabilities: theirs, 0 to 1.
    """

    status: str
    classes: tuple = ()
    labels: tuple = ()
    probabilities: tuple = ()


def connect(address, timeout=10.0, retries=3):
    """The client of an export, with a method `classify`.

    Args:
      address: `ADDRESS_HELP`.
      timeout: seconds in which a server must answer, each time that it is asked.
      retries: how often it is asked again while it is not available.

    Raises:
      UserError: there is no such export, it is no export of a classifier by this package, or an
        argument is malformed; `ServingError` for what a server does.
    """
    check_positive("timeout", timeout)
    check_integer("retries", retries, 0)
    if "://" not in str(address):
        if re.match(r"[^/]+:\d+/", str(address)) and not os.path.exists(address):
            raise _malformed(address)
        return SavedModelClient(address)
    try:
        parsed = urllib.parse.urlsplit(address)
        has_port = parsed.port is not None
    except ValueError:
        raise _malformed(address) from None
    name, _, version = parsed.path.strip("/").partition("/")
    if not parsed.hostname or not name or (version and not version.isdecimal()):
        raise _malformed(address)
    spec = model_pb2.ModelSpec(name=name, signature_name=SIGNATURE)
    if version:
        spec.version.value = int(version)
    if parsed.scheme == "grpc" and has_port:
        return GrpcClient(parsed.netloc, spec, timeout, retries)
    if parsed.scheme in ("http", "https"):
        return RestClient(f"{parsed.scheme}://{parsed.netloc}", spec, timeout, retries)
    raise _malformed(address)


def _malformed(address):
    return UserError(f"`MODEL` must be {ADDRESS_HELP}. Received: {address}")


class Client:
    """What all clients share: from the results of a signature to answers.

    Args:
      address: what to call the export in messages.
      arguments: names of the arguments of its signature.
      results: names of its results.

    Raises:
      UserError: the signature is not that of this package's classifiers.
    """

    def __init__(self, address, arguments, results):
        if len(arguments) != 1 or not results >= _RESULTS:
            raise UserError(
                f"{address} must be an export of launch/export.py, whose signature {SIGNATURE} "
                f"gives {', '.join(sorted(_RESULTS))}. It takes {', '.join(sorted(arguments))} and "
                f"gives {', '.join(sorted(results))}."
            )
        (self._argument,) = arguments

    def classify(self, pictures):
        """What the export says about some pictures.

        Args:
          pictures: list of bytes, JPEGs or PNGs of any sizes; together one batch.

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
        if not pictures:
            return []
        results = self._results(pictures)
        answers = []
        for status, classes, labels, probabilities in zip(
            *(results[name] for name in ("status", "classes", "labels", "probabilities")),
            strict=True,
        ):
            status = _text(status)
            if status != OK:
                answers.append(Answer(status))
                continue
            classes = tuple(map(int, classes))
            chosen = tuple(float(probabilities[number]) for number in classes)
            answers.append(Answer(status, classes, tuple(map(_text, labels)), chosen))
        return answers

    def _results(self, pictures):
        """The results of the signature by name: arrays or lists with a row for each picture."""
        raise NotImplementedError


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class SavedModelClient(Client):
    """An export that runs in this process.

    Args:
      directory: of a version, or of versions, of which the highest is used.
    """

    def __init__(self, directory):
        version = newest_version(directory)
        try:
            # The signature alone would not keep the variables.
            self._loaded = tf.saved_model.load(str(version))
            function = self._loaded.signatures[SIGNATURE]
        except (tf.errors.OpError, OSError, ValueError, KeyError) as error:
            message = f"{version} does not load as an export: {type(error).__name__}"
            raise UserError(message) from error
        self._function = function
        _, arguments = function.structured_input_signature
        super().__init__(version, arguments.keys(), function.structured_outputs.keys())

    def _results(self, pictures):
        results = self._function(**{self._argument: tf.constant(pictures)})
        return {name: value.numpy() for name, value in results.items()}


class GrpcClient(Client):
    """An export behind TF Serving's gRPC port.

    Args:
      target: host:port.
      spec: `ModelSpec` of the model and the signature.
      timeout, retries: see `connect`.
    """

    def __init__(self, target, spec, timeout, retries):
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

    def _results(self, pictures):
        request = predict_pb2.PredictRequest()
        request.model_spec.CopyFrom(self._spec)
        request.inputs[self._argument].CopyFrom(tf.make_tensor_proto(pictures))
        outputs = self._ask(self._service.Predict, request).outputs
        return {name: tf.make_ndarray(value) for name, value in outputs.items()}

    def _ask(self, method, request):
        """The answer to a request, asked for again while the server is not available."""
        for pause in [_FIRST_PAUSE * 2**n for n in range(self._retries)] + [None]:
            try:
                return method(request, timeout=self._timeout)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or pause is None:
                    version = self._spec.version.value
                    raise ServingError(
                        f"{self._target} gives no answer for model {self._spec.name!r}"
                        f"{f', version {version}' if version else ''} ({error.code().name}): "
                        f"{error.details()}"
                    ) from error
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


class RestClient(Client):
    """An export behind TF Serving's REST port.

    Args:
      server: such as http://localhost:8501.
      spec: `ModelSpec` of the model and the signature.
      timeout, retries: see `connect`.
    """

    def __init__(self, server, spec, timeout, retries):
        version = f"/versions/{spec.version.value}" if spec.HasField("version") else ""
        self._url = f"{server}/v1/models/{urllib.parse.quote(spec.name)}{version}"
        self._timeout = timeout
        # 503: the model is still being loaded, or is overloaded.
        policy = urllib3.Retry(
            retries,
            read=0,
            redirect=0,
            status_forcelist=[503],
            allowed_methods=None,
            backoff_factor=_FIRST_PAUSE,
            raise_on_status=False,
        )
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=policy))
        answer = self._ask("GET", "/metadata")
        try:
            signature = answer["metadata"]["signature_def"]["signature_def"][SIGNATURE]
            arguments, results = signature["inputs"].keys(), signature["outputs"].keys()
        except (KeyError, TypeError, AttributeError) as error:
            message = f"{self._url} describes no signature {SIGNATURE}."
            raise ServingError(message) from error
        super().__init__(self._url, arguments, results)

    def _results(self, pictures):
        instances = [
            {self._argument: {"b64": base64.b64encode(picture).decode()}} for picture in pictures
        ]
        answer = self._ask(
            "POST", ":predict", {"signature_name": SIGNATURE, "instances": instances}
        )
        try:
            rows = answer["predictions"]
            return {name: [row[name] for row in rows] for name in _RESULTS}
        except (KeyError, TypeError) as error:
            raise ServingError(f"{self._url} gives no predictions.") from error

    def _ask(self, method, path, body=None):
        url = self._url + path
        try:
            response = self._session.request(method, url, json=body, timeout=self._timeout)
            answer = response.json()
        except requests.RequestException as error:
            raise ServingError(f"{url} does not answer: {error}") from error
        if response.status_code != requests.codes.ok:
            error = answer.get("error") if isinstance(answer, dict) else answer
            raise ServingError(f"{url} refuses ({response.status_code}): {error}")
        return answer
