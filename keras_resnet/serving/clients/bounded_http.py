"""One request over HTTP, which ends in time and whose answer fits into memory."""

import concurrent.futures
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests
import urllib3

from keras_resnet.serving.clients.retries import CONNECT_SECONDS

_T = TypeVar("_T")

# A batch of a hundred pictures and ten thousand classes has a tenth of it.
_MAX_ANSWER_BYTES = 100 * 2**20


@dataclasses.dataclass(frozen=True)
class Response:
    """What came back.

    Attributes:
      status: HTTP's.
      content: the body; where it `is_cut`, its beginning.
      is_cut: whether it is longer than is read.
      after: seconds for which the server asks to be left alone.
    """

    status: int
    content: bytes
    is_cut: bool
    after: float


def respond(
    session: requests.Session, timeout: float, method: str, url: str, **options: Any
) -> Response:
    """The `Response` to a request.

    Args:
      session: by which it is sent.
      timeout: seconds in which it must be there.
      method, url, options: see `requests.Session.request`.

    Raises:
      TimeoutError: it is not.
      requests.RequestException, urllib3.exceptions.HTTPError, ValueError: there is none.
    """

    def request() -> Response:
        deadline = time.monotonic() + timeout
        content = bytearray()
        # The timeout of requests begins anew with every byte, and need not end first.
        with session.request(
            *(method, url),
            timeout=(CONNECT_SECONDS, 2 * timeout),
            stream=True,
            allow_redirects=False,
            **options,
        ) as response:
            while piece := response.raw.read1(2**16, True):
                content += piece
                if len(content) > _MAX_ANSWER_BYTES:
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError  # Nobody waits for the rest.
        is_cut = len(content) > _MAX_ANSWER_BYTES
        return Response(response.status_code, bytes(content), is_cut, _after(response))

    return _within(timeout, request)


def _after(response: requests.Response) -> float:
    """The seconds of a Retry-After, which may also be a date; 0 where there is none."""
    try:
        return urllib3.Retry().get_retry_after(response.raw) or 0.0
    except urllib3.exceptions.InvalidHeader:
        return 0.0


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
