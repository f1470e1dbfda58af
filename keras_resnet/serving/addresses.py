"""Where a network is that answers about pictures: in a file, in a directory, behind a server."""

import dataclasses
import ipaddress
import os
import pathlib
import re
import urllib.parse

from keras_resnet.checks import UserError
from keras_resnet.texts import harmless

ADDRESS_HELP = (
    "a run directory, a .keras file, a directory of an export, grpc://HOST:PORT/NAME, "
    "grpcs://HOST:PORT/NAME for TLS, unix:///SOCKET:/NAME, http://HOST:PORT/NAME or "
    "https://HOST/NAME; /VERSION or /LABEL may follow the name"
)

_NEED_PORT = ("grpc", "grpcs")
_ENCRYPTED = ("grpcs", "https")

# The beginnings of all addresses of servers.
SCHEMES = tuple(f"{scheme}://" for scheme in ("grpc", "grpcs", "unix", "http", "https"))


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a server of an export is.

    Attributes:
      scheme: "grpc", "grpcs", "unix" (gRPC through a socket of this machine), "http" or "https".
      place: host:port, of the web the port may be missing; the path of the socket.
      name: of the model.
      version: its number; None: the label's, or the server's choice.
      label: that the server gives to a version; None: there is none.
    """

    scheme: str
    place: str
    name: str
    version: int | None = None
    label: str | None = None

    @property
    def is_grpc(self) -> bool:
        """Whether it speaks gRPC, not REST."""
        return self.scheme not in ("http", "https")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection to it is."""
        return self.scheme in _ENCRYPTED

    @property
    def host(self) -> str:
        """The name or the number of its machine; of a socket "localhost"."""
        if self.scheme == "unix":
            return "localhost"
        return urllib.parse.urlsplit(f"//{self.place}").hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether what is sent to it stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


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
        scheme, place, path = _split(address)
    except ValueError:
        raise _malformed(address) from None
    name, _, version = path.strip("/").partition("/")
    if f"{scheme}://" not in SCHEMES or not place or not name or not _is_part(version):
        raise _malformed(address)
    if not version.isdecimal():
        return Server(scheme, place, name, label=version or None)
    if int(version) >= 2**63:
        raise _malformed(address)
    return Server(scheme, place, name, int(version))


def _split(address: str) -> tuple[str, str, str]:
    """Scheme, place and the path that names the model; the place is empty where it is none."""
    if match := re.fullmatch(r"(unix)://(/.+):/([^:]*)", address):
        return match[1], match[2], match[3]
    parts = urllib.parse.urlsplit(address)
    lacks_port = parts.port is None and parts.scheme in _NEED_PORT
    is_place = parts.hostname and not lacks_port and parts.scheme != "unix"
    return parts.scheme, parts.netloc if is_place else "", parts.path


def _is_part(text: str) -> bool:
    """Whether TF Serving would take a text for one part of a path: a version or a label."""
    return not re.search("[/:]", text)


def _malformed(address: str | os.PathLike[str], fault: str = "") -> UserError:
    return UserError(f"`MODEL` must be {ADDRESS_HELP}. Received: {harmless(str(address))}{fault}")
