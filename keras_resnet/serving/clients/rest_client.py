"""An export behind TF Serving's REST port."""

import base64
import functools
import json
import socket
import ssl
import urllib.parse
from collections.abc import Sequence
from typing import Any

import requests
import urllib3

from keras_resnet.serving.access import Access
from keras_resnet.serving.addresses import Server
from keras_resnet.serving.clients import bounded_http
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
from keras_resnet.serving.clients.retries import Retries
from keras_resnet.texts import harmless

# The server, or a proxy before it, is starting or has too much to do.
_LATER = (
    requests.codes.too_many_requests,
    requests.codes.bad_gateway,
    requests.codes.unavailable,
    requests.codes.gateway_timeout,
)


# Of a connection with TLS whose other end is gone.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


class RestClient(Client):
    """An export behind a server's REST port.

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
        self._url = f"{server.scheme}://{server.place}/v1/models/{_path(server)}"
        self._session = requests.Session()
        # A proxy of the environment is not for this machine, and would read the token.
        self._session.trust_env = not server.is_local
        if access.certificate_file is not None:
            self._session.cert = (str(access.certificate_file), str(access.key_file))
        answer = self._ask("GET", "/metadata")
        try:
            signature = answer["metadata"]["signature_def"]["signature_def"][SIGNATURE]
            arguments, results = signature["inputs"].keys(), signature["outputs"].keys()
        except (KeyError, TypeError, AttributeError) as error:
            message = f"{self._url} describes no signature {SIGNATURE}."
            raise ServingError(message) from error
        super().__init__(self._url, arguments, results, batch_size)

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
        content = self._retries.answer(lambda: self._answer(method, url, body))
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            message = f"{url} answers with no JSON: {_excerpt(content)}"
            raise ServingError(message) from error

    def _answer(self, method: str, url: str, body: dict[str, object] | None) -> bytes:
        """What the server says, once."""
        headers = self._access.headers()
        try:
            response = bounded_http.respond(
                *(self._session, self._timeout, method, url),
                json=body,
                # Else a password in ~/.netrc would take the place of the token.
                auth=functools.partial(_with_headers, headers) if headers else None,
                # Else REQUESTS_CA_BUNDLE would take its place.
                verify=None if self._access.ca_file is None else str(self._access.ca_file),
            )
        except TimeoutError as error:
            raise ServingError(f"{url} does not answer within {self._timeout:g} s") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise _meaning(error, url, self._server) from error
        _check(url, response)
        return response.content


def _path(server: Server) -> str:
    """What names a model in the paths of REST."""
    name = urllib.parse.quote(server.name)
    if server.version is not None:
        return f"{name}/versions/{server.version}"
    if server.label is not None:
        return f"{name}/labels/{urllib.parse.quote(server.label)}"
    return name


def _with_headers(
    headers: dict[str, str], request: requests.PreparedRequest
) -> requests.PreparedRequest:
    request.headers.update(headers)
    return request


def _meaning(error: Exception, url: str, server: Server) -> Exception:
    """What it means that there is no response; see `failures`."""
    origin = _origin(error)
    message = f"{url} does not answer: {origin}"
    if isinstance(origin, ssl.SSLError) and not isinstance(origin, _BROKEN_OFF):
        return refused_tls(server.place, str(origin))
    if isinstance(origin, socket.gaierror) and is_unknown(server.host):
        return UnknownHostError(server.host, message)
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.ProtocolError):
        return UnavailableError(message)
    return ServingError(message)


def _check(url: str, response: bounded_http.Response) -> None:
    """Raises what it means that a response is no answer; see `failures`."""
    message = f"{url} refuses ({response.status}): {_excerpt(response.content)}"
    if response.status in _LATER:
        raise UnavailableError(message, response.after)
    if response.status == requests.codes.request_entity_too_large:
        raise TooManyBytesError(message)
    if response.status == requests.codes.bad_request and (fault := too_many_rows(message)):
        raise fault
    if response.status != requests.codes.ok:
        raise ServingError(message)
    if response.is_cut:
        raise ServingError(f"{url} answers with more than {len(response.content)} bytes")


def _origin(error: BaseException) -> BaseException:
    """The exception that an exception of a library comes from."""
    held = next((each for each in error.args if isinstance(each, BaseException)), None)
    cause = error.__cause__ or error.__context__ or held
    return error if cause is None else _origin(cause)


def _excerpt(content: bytes) -> str:
    """The beginning of an answer, for messages."""
    return harmless(content[:200].decode(errors="replace"))
