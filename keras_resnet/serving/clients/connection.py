"""From an address to a client."""

import os
import pathlib
from collections.abc import Callable

from keras_resnet.checks import check_integer, check_number, check_positive
from keras_resnet.serving import addresses
from keras_resnet.serving.access import OPEN, Access, check_access
from keras_resnet.serving.clients.client import Client
from keras_resnet.serving.clients.grpc_client import GrpcClient
from keras_resnet.serving.clients.in_process import NetworkClient, SavedModelClient
from keras_resnet.serving.clients.rest_client import RestClient
from keras_resnet.serving.clients.retries import Retries
from keras_resnet.tasks import load_network

_MAX_SECONDS = 1e6


def connect(
    address: str | os.PathLike[str],
    timeout: float = 10.0,
    retry_for: float = 60.0,
    access: Access = OPEN,
    batch_size: int | None = None,
    on_wait: Callable[[str], object] = lambda message: None,
) -> Client:
    """The client of a network, with a method `ask`.

    Args:
      address: `addresses.ADDRESS_HELP`.
      timeout: seconds in which a server must answer, each time that it is asked.
      retry_for: seconds for which a request is repeated while its server is not available: it is
        starting, overloaded, short of memory, or cannot be connected to.
      access: certificates and token, for a server that asks for them.
      batch_size: largest number of pictures in a request. More are asked about in parts, and so are
        those that a server refuses as too many. None: as many as an export's batching.config lets
        through.
      on_wait: function of a message, called when the waiting for a server begins.

    Raises:
      UserError: there is no such network, it is not one of this package, or an argument is
        malformed; `ServingError` for what a server does.
    """
    check_positive("timeout", timeout)
    check_number("timeout", timeout, 0, below=_MAX_SECONDS)
    check_number("retry_for", retry_for, 0, below=_MAX_SECONDS)
    if batch_size is not None:
        batch_size = check_integer("batch_size", batch_size, 1)
    place = addresses.parsed(address)
    check_access(access, place)
    if isinstance(place, pathlib.Path):
        if addresses.is_network(place):
            return NetworkClient(load_network(place), place, batch_size)
        return SavedModelClient(place, batch_size)
    kind = GrpcClient if place.is_grpc else RestClient
    return kind(place, access, timeout, Retries(retry_for, on_wait), batch_size)
