"""How workers find each other before TensorFlow connects them.

TensorFlow waits for all workers in a call during which a process hears no signals and does not say
whom it waits for. So the workers meet before: each tells the chief that it is there, and how its
training is configured; when all are there the chief tells them to go on.
"""

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from keras_resnet.checks import UserError
from keras_resnet.distribution.cluster import Cluster

# Until the last worker is there. Machines of a cluster may be given one after the other.
WAIT_SECONDS = 900
REMIND_SECONDS = 30
_RETRY_SECONDS = 0.2
# Of one message of a worker that is there.
_ANSWER_SECONDS = 10
_MAX_MESSAGE_BYTES = 2**20


def meet(cluster: Cluster, facts: Mapping[str, object], wait_seconds: float = WAIT_SECONDS) -> None:
    """Returns when all workers are there and agree.

    Args:
      cluster: `Cluster` of several workers.
      facts: dict of JSON values that must be the same for all workers.
      wait_seconds: until the last one must be there.

    Raises:
      UserError: a worker is not there in time, or has other facts; the message names it. Or the
        address of this worker cannot be used.
    """
    deadline = time.monotonic() + wait_seconds
    with _listener(cluster) as listener:
        if cluster.is_chief:
            complaint = _gather(cluster, listener, facts, deadline)
        else:
            complaint = _report(cluster, facts, deadline)
    if complaint:
        raise UserError(complaint)


def _listener(cluster: Cluster) -> socket.socket:
    """A socket at this worker's own address: if another process has it, TensorFlow would hang."""
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


def _gather(
    cluster: Cluster, listener: socket.socket, facts: Mapping[str, object], deadline: float
) -> str:
    """Hears all workers and answers them all alike; returns the answer."""
    with contextlib.ExitStack() as stack:
        connections: dict[int, socket.socket] = {}
        reminder = _Reminder(deadline)
        complaint = ""
        expected = range(1, cluster.num_workers)
        while missing := [n for n in expected if not _is_open(connections.get(n))]:
            reminder.check(", ".join(cluster.describe(n) for n in missing))
            listener.settimeout(_RETRY_SECONDS)
            try:
                connection = stack.enter_context(listener.accept()[0])
            except OSError:
                continue  # Nobody.
            connection.settimeout(_ANSWER_SECONDS)
            try:
                hello = _read(connection)
                place, theirs = expected.index(hello["worker"]), dict(hello["facts"])
            except (OSError, ValueError, TypeError, KeyError):
                # Somebody who is no worker, and may come every second.
                connection.close()
                continue
            # A worker that was started anew has another connection now.
            connections[expected[place]] = connection
            complaint = _difference(cluster, expected[place], facts, theirs)
            if complaint:
                break
        complaint = complaint or _unknown_hosts(cluster)
        for connection in connections.values():
            with contextlib.suppress(OSError):
                _write(connection, {"complaint": complaint})
    return complaint


def _unknown_hosts(cluster: Cluster) -> str:
    """Which workers the others will not find, as a message; empty if none."""
    for index in range(cluster.num_workers):
        try:
            socket.getaddrinfo(*cluster.address(index))
        except OSError as error:
            return (
                f"TF_CONFIG has {cluster.describe(index)}, but the chief finds no such host: "
                f"{error.strerror}."
            )
    return ""


def _difference(
    cluster: Cluster, index: int, facts: Mapping[str, object], theirs: Mapping[str, object]
) -> str:
    """What a worker has that differs from the chief's, as a message; empty if nothing."""
    differing = [name for name in facts if theirs.get(name) != facts[name]]
    if not differing:
        return ""
    name = differing[0]
    return (
        "All workers must be started with the same command and the same version. "
        f"{cluster.describe(index)} has {name}={theirs.get(name)!r}, the chief "
        f"{name}={facts[name]!r}."
    )


def _report(cluster: Cluster, facts: Mapping[str, object], deadline: float) -> str:
    """Tells the chief that this worker is there; returns the chief's answer."""
    reminder = _Reminder(deadline)
    while True:
        reminder.check(f"{cluster.describe(0)}, and those for whom it waits")
        try:
            with socket.create_connection(cluster.address(0), _ANSWER_SECONDS) as connection:
                _write(connection, {"worker": cluster.index, "facts": facts})
                # The answer comes when the last worker is there.
                connection.settimeout(max(_RETRY_SECONDS, deadline - time.monotonic()))
                return str(_read(connection)["complaint"])
        # Nobody, or somebody who is no chief.
        except (OSError, ValueError, TypeError, KeyError):
            time.sleep(_RETRY_SECONDS)


class _Reminder:
    """Says now and then for whom this process waits, and ends the wait."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._next = time.monotonic() + 2

    def check(self, missing: str) -> None:
        now = time.monotonic()
        if now > self._deadline:
            raise UserError(f"Not all workers came. Missing: {missing}.")
        if now > self._next:
            self._next = now + REMIND_SECONDS
            print(f"Waiting for {missing}.", flush=True)


def _is_open(connection: socket.socket | None) -> bool:
    """Whether the worker at the other side is still there; it has nothing more to say."""
    if connection is None:
        return False
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(_ANSWER_SECONDS)


def _write(connection: socket.socket, message: Mapping[str, object]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _read(connection: socket.socket) -> dict[str, Any]:
    """The message that the other side sent. Raises OSError or ValueError if there is none."""
    with connection.makefile("rb") as lines:
        line = lines.readline(_MAX_MESSAGE_BYTES)
    try:
        return json.loads(line)
    except RecursionError as error:  # Of very many brackets.
        raise ValueError("a message is nested too deeply") from error
