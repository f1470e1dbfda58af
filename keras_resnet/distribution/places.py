"""Which process is at which address of TF_CONFIG, found out by asking there.

A worker may be behind a service or a NAT, and have its address on none of its own interfaces. So
each process draws a token, and whoever answers at an address says which token is its own.
"""

import concurrent.futures
import contextlib
import dataclasses
import queue
import secrets
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from keras_resnet.checks import UserError
from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.messages import UNREADABLE, Connection

# Of an answer, and of one message of who came.
_ASK_SECONDS = 3
_HEAR_SECONDS = 10
# Until a listener notices that it is to end, where the system does not say so.
_POLL_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who a process is.

    Attributes:
      index: its place in the cluster, as its TF_CONFIG has it.
      host: name of its machine.
      token: drawn by it, and by no other.
    """

    index: int
    host: str
    token: str

    @classmethod
    def of_this_process(cls, cluster: Cluster) -> Self:
        """A new one, at each call."""
        return cls(cluster.index, socket.gethostname(), secrets.token_hex(16))

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Self:
        """The one that a message describes. Raises KeyError or ValueError if none."""
        return cls(int(message["index"]), str(message["host"]), str(message["token"]))


# Who answers at an address; or what is there instead, for messages.
Answer = Identity | str


def look(cluster: Cluster, indices: Iterable[int]) -> dict[int, Answer]:
    """Who answers at the addresses of some workers, all of which are asked at once."""
    indices = list(indices)
    with concurrent.futures.ThreadPoolExecutor(len(indices)) as pool:
        return dict(zip(indices, pool.map(_ask, map(cluster.address, indices)), strict=True))


def _ask(address: tuple[str, int]) -> Answer:
    try:
        connection = Connection(socket.create_connection(address, _ASK_SECONDS))
    except socket.gaierror as error:
        return f"there is no such host ({error.strerror})"
    except OSError:
        return "nobody answers there (not started, or a firewall)"
    with connection:
        try:
            connection.send({"ask": "who"})
            return Identity.of_message(connection.receive(_ASK_SECONDS))
        except OSError:
            return "what listens there does not answer"
        except UNREADABLE:
            return "another service answers there"


def misplaced(cluster: Cluster, own: Identity, answers: Mapping[int, Answer]) -> str:
    """Who has the index of another, as a message; empty if nobody.

    Args:
      cluster: `Cluster`.
      own: `Identity` of this process.
      answers: of `look`.
    """
    wrong = [
        f"at the address of {cluster.describe(index)} answers "
        + (
            "the same one"
            if who.token == own.token
            else f"the one on {who.host}, index {who.index}"
        )
        for index, who in answers.items()
        if isinstance(who, Identity)
        and (who.index != index or (index == own.index and who.token != own.token))
    ]
    if not wrong:
        return ""
    return (
        f"A process has an index in TF_CONFIG that is not its own. The one on {own.host} has index "
        f"{own.index}; {'; '.join(wrong)}. Give each process the index at which the list of "
        "workers has its own address."
    )


class Listener:
    """Answers at this worker's own address who it is, and takes what else comes there.

    Until TensorFlow listens there itself: if another process did, TensorFlow would hang.

    Args:
      cluster: `Cluster`.
      own: `Identity` of this process.

    Raises:
      UserError: the address cannot be used.
    """

    def __init__(self, cluster: Cluster, own: Identity) -> None:
        self._heard: queue.Queue[tuple[Connection, dict[str, Any]]] = queue.Queue()
        self._own = own
        self._socket = _listening_socket(cluster)
        self._socket.settimeout(_POLL_SECONDS)
        self._ended = threading.Event()
        self._connections: set[Connection] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True, name="listener")

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # Wakes the thread.
        self._thread.join()
        self._socket.close()
        for connection in list(self._connections):
            connection.close()

    def newcomers(self, seconds: float) -> Iterator[tuple[Connection, dict[str, Any]]]:
        """Those who came and did not only ask, each with what it said.

        Args:
          seconds: for which the first is waited for.
        """
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._heard.get(timeout=seconds)
                seconds = 0

    def turn_away(self, connection: Connection) -> None:
        """Ends a connection."""
        self._connections.discard(connection)
        connection.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection = Connection(self._socket.accept()[0])
            except OSError:
                continue  # Nobody, or one who has left.
            self._connections.add(connection)
            # Each in a thread: who is slow, or says nothing, holds up nobody.
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: Connection) -> None:
        try:
            message = connection.receive(_HEAR_SECONDS)
            if message.get("ask") != "who":
                self._heard.put((connection, message))
                return
            connection.send(dataclasses.asdict(self._own))
        except UNREADABLE:
            pass  # Somebody who is no worker, and may come every second.
        self.turn_away(connection)


def _listening_socket(cluster: Cluster) -> socket.socket:
    _, port = cluster.address(cluster.index)
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    try:
        return socket.create_server(
            ("", port), family=family, dualstack_ipv6=family == socket.AF_INET6
        )
    except OSError as error:
        raise UserError(
            f"This process is {cluster.describe(cluster.index)} of TF_CONFIG, but cannot listen at "
            f"port {port}: {error.strerror}. Has an earlier process not ended yet?"
        ) from error
