"""What keeps a server from answering, by what a client does about it."""

import re
import socket

from keras_resnet.checks import UserError

# As TensorFlow's schedulers of batches say it; earlier ones without "input".
_TOO_MANY_ROWS = re.compile(r"(?i)\bsize \d+ is larger than (?:the )?maximum\D*(\d*)")


class ServingError(UserError):
    """A server cannot be reached, does not answer in time, or refuses."""


class UnavailableError(Exception):
    """The server may answer later; the message says why it does not now.

    Args:
      message: that.
      after: seconds for which the server asks to be left alone.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class UnknownHostError(UnavailableError):
    """There is no such host: a mistake, unless it has answered before."""

    def __init__(self, host: str, message: str) -> None:
        super().__init__(f"{message}. No host is called {host}, as far as is known here.")


class TooManyRowsError(Exception):
    """The server takes no batch of so many pictures.

    Args:
      message: what it says.
      largest: how many it takes; None: it does not say.
    """

    def __init__(self, message: str, largest: int | None) -> None:
        super().__init__(message)
        self.largest = largest


class TooManyBytesError(Exception):
    """The server, or a proxy before it, takes no request of so many bytes."""


def too_many_rows(text: str) -> TooManyRowsError | None:
    """What a refusal means, if it means that.

    Example:
      too_many_rows("Task size 64 is larger than maximum input batch size 32").largest  # 32
    """
    match = _TOO_MANY_ROWS.search(text)
    return TooManyRowsError(text, int(match[1]) if match[1] else None) if match else None


def is_unknown(host: str) -> bool:
    """Whether no host has a name, as far as is known here."""
    try:
        socket.getaddrinfo(host, None)
    except UnicodeError:
        return True
    except socket.gaierror as error:
        # Others may go away, as EAI_AGAIN.
        return error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
    return False


def refused_tls(place: str, reason: str) -> ServingError:
    """For a server whose certificate does not convince, or that does not speak TLS."""
    return ServingError(
        f"{place}: no encrypted connection comes about ({reason}). `ca_file` names the authority "
        "that vouches for the server; `certificate_file` and `key_file` are the client's own; "
        "without TLS an address begins with grpc:// or http://."
    )
