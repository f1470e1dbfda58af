"""Messages between processes that meet: JSON objects, one a line, over a socket."""

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

# What is wrong with who is no worker: it says nothing that can be read, or something else.
UNREADABLE = (OSError, ValueError, TypeError, KeyError)

_MAX_BYTES = 2**20
_SEND_SECONDS = 10


class Connection:
    """The messages of a socket, in both directions.

    Args:
      connected: the socket, which is closed with this.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._received = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, also under a thread that waits for a message."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send(self, message: Mapping[str, object]) -> None:
        """Sends a message. Raises OSError if the other side does not take it."""
        self._socket.settimeout(_SEND_SECONDS)
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict[str, Any]:
        """The next message of the other side, all of which must come within some seconds.

        Raises:
          TimeoutError: it did not come yet; what came of it is kept.
          OSError: the connection ended.
          ValueError: what came is no message.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            if len(self._received) > _MAX_BYTES:
                raise ValueError("a message has no end")
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            part = self._socket.recv(2**16)
            if not part:
                raise ConnectionError("the connection ended")
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        try:
            message = json.loads(line)
        except RecursionError as error:  # Of very many brackets.
            raise ValueError("a message is nested too deeply") from error
        if not isinstance(message, dict):
            raise ValueError("a message is no object")
        return message

    def is_open(self) -> bool:
        """Whether the other side, which has nothing more to say, has not ended the connection."""
        try:
            self._socket.setblocking(False)
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
