"""Where a network is that answers about pictures: in a file, in a directory, behind a server."""

import dataclasses
import os
import pathlib
import re
import urllib.parse

from keras_resnet.checks import UserError
from keras_resnet.texts import harmless

ADDRESS_HELP = (
    "a run directory, a .keras file, a directory of an export, grpc://HOST:PORT/NAME, "
    "http://HOST:PORT/NAME or https://HOST/NAME; /VERSION may follow the name"
)


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a server of an export is.

    Attributes:
      scheme: "grpc", "http" or "https".
      place: host:port; of the web the port may be missing.
      name: of the model.
      version: its number; None: the server's choice.
    """

    scheme: str
    place: str
    name: str
    version: int | None


def parsed(address: str | os.PathLike[str]) -> Server | pathlib.Path:
    """The `Server` or the path that an address means.

    Args:
      address: `ADDRESS_HELP`.

    Raises:
      UserError: it is malformed, or nothing is at that path.
    """
    if "://" in str(address):
        return _server(str(address))
    if not os.path.exists(address):
        is_path = not re.match(r"[^/]+:\d+/", str(address))
        raise _malformed(address, ", where nothing is" if is_path else "")
    return pathlib.Path(address)


def is_network(path: pathlib.Path) -> bool:
    """Whether a path is that of a run directory or a `.keras` file, not of an export."""
    return (path / "config.json").exists() or path.suffix == ".keras"


def _server(address: str) -> Server:
    try:
        address.encode()
        parts = urllib.parse.urlsplit(address)
        has_port = parts.port is not None
        name, _, version = parts.path.strip("/").partition("/")
        number = int(version) if version else None
    except ValueError:
        raise _malformed(address) from None
    is_known = parts.scheme in ("http", "https") or (parts.scheme == "grpc" and has_port)
    if not is_known or not parts.hostname or not name:
        raise _malformed(address)
    if number is not None and not (version.isdecimal() and number < 2**63):
        raise _malformed(address)
    return Server(parts.scheme, parts.netloc, name, number)


def _malformed(address: str | os.PathLike[str], fault: str = "") -> UserError:
    return UserError(f"`MODEL` must be {ADDRESS_HELP}. Received: {harmless(str(address))}{fault}")
