"""How workers find each other before TensorFlow connects them.

TensorFlow waits for all workers in a call during which a process hears no signals and does not say
whom it waits for. So the workers meet before: each tells the chief that it is there, and how its
training is configured; when all are there, each at its own address, the chief tells them to go on.
"""

import contextlib
import dataclasses
import socket
import time
from collections.abc import Mapping

from keras_resnet.checks import UserError
from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.lost import WorkerLostError
from keras_resnet.distribution.messages import UNREADABLE, Connection
from keras_resnet.distribution.places import Answer, Identity, Listener, look, misplaced

# Until the last worker is there. Machines of a cluster may be given one after the other.
WAIT_SECONDS = 900
REMIND_SECONDS = 30
# For which a worker that was there may be gone: whoever starts it again soon does it within.
GONE_SECONDS = 60
_FIRST_REMINDER_SECONDS = 2
# For which a worker may be there and not answer at its address: names spread, and ports open.
UNREACHED_SECONDS = 20
# After which a chief that said nothing is called silent: it says every second who is missing.
SILENT_SECONDS = 10
# For which a process that found a mistake still answers who it is, so that others find it too.
_LINGER_SECONDS = 3
_CONNECT_SECONDS = 10
_RETRY_SECONDS = 0.2
_ROUND_SECONDS = 1


def meet(cluster: Cluster, facts: Mapping[str, object], wait_seconds: float = WAIT_SECONDS) -> None:
    """Returns when all workers are there and agree.

    Args:
      cluster: `Cluster` of several workers.
      facts: dict of JSON values that must be the same for all workers.
      wait_seconds: until the last one must be there.

    Raises:
      UserError: a worker is not at its own address, or has other facts; the message names it. Or
        the address of this worker cannot be used.
      WorkerLostError: a worker is not there in time, or is gone again.
    """
    reminder = _Reminder(time.monotonic() + wait_seconds)
    own = Identity.of_this_process(cluster)
    with Listener(cluster, own) as listener:
        if cluster.is_chief:
            complaint = _Chief(cluster, own, listener, facts, reminder).gather()
        else:
            complaint = _report(cluster, own, facts, reminder)
        if complaint:
            time.sleep(_LINGER_SECONDS)
            raise UserError(complaint)


class _Reminder:
    """Says now and then for whom this process waits, and ends the wait."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._deadlines_of_gone: dict[int, float] = {}
        self._next = time.monotonic() + _FIRST_REMINDER_SECONDS

    def note_here(self, index: int) -> None:
        """A worker is there, perhaps again."""
        self._deadlines_of_gone.pop(index, None)

    def note_gone(self, index: int) -> None:
        """A worker that was there is there no more."""
        self._deadlines_of_gone.setdefault(index, time.monotonic() + GONE_SECONDS)

    def check(self, missing: str) -> None:
        """Raises WorkerLostError when the wait is to end."""
        now = time.monotonic()
        if now > min([self._deadline, *self._deadlines_of_gone.values()]):
            raise WorkerLostError(f"Not all workers came, or stayed. Missing: {missing}.")
        if now > self._next:
            self._next = now + REMIND_SECONDS
            print(f"Waiting for {missing}.", flush=True)


# --- The chief


@dataclasses.dataclass
class _Hello:
    """What the chief knows of a worker that has told it that it is there."""

    connection: Connection
    worker: Identity
    unreached_since: float | None = None


class _Chief:
    """Hears all workers and answers them all alike."""

    def __init__(
        self,
        cluster: Cluster,
        own: Identity,
        listener: Listener,
        facts: Mapping[str, object],
        reminder: _Reminder,
    ) -> None:
        self._cluster = cluster
        self._own = own
        self._listener = listener
        self._facts = facts
        self._reminder = reminder
        self._hellos: dict[int, _Hello] = {}

    def gather(self) -> str:
        """Returns when all are there; what is wrong, as all are told, or nothing."""
        missing = "the others"
        complaint = ""
        while missing and not complaint:
            complaint = self._hear()
            if not complaint:
                answers = look(self._cluster, range(self._cluster.num_workers))
                missing = "; ".join(self._missing(answers))
                complaint = misplaced(self._cluster, self._own, answers) or self._unreached()
            if missing and not complaint:
                self._wait_for(missing)
        self._tell({"complaint": complaint})
        return complaint

    def _wait_for(self, missing: str) -> None:
        try:
            self._reminder.check(missing)
        except WorkerLostError as error:
            self._tell({"lost": str(error)})
            raise
        self._tell({"missing": missing})

    def _hear(self) -> str:
        """Takes what came within a moment; returns how a worker differs, or nothing."""
        complaint = ""
        for connection, message in self._listener.newcomers(_ROUND_SECONDS):
            try:
                worker, facts = Identity.of_message(message["worker"]), dict(message["facts"])
                if not 0 < worker.index < self._cluster.num_workers:
                    raise ValueError("no index of a worker")
            except UNREADABLE:
                self._listener.turn_away(connection)
                continue
            # A worker that was started anew has another connection now.
            self._hellos[worker.index] = _Hello(connection, worker)
            self._reminder.note_here(worker.index)
            complaint = complaint or _difference(self._cluster, worker.index, self._facts, facts)
        return complaint

    def _missing(self, answers: Mapping[int, Answer]) -> list[str]:
        """Which workers have not said that they are there, or do not answer at their addresses."""
        missing = []
        for index in range(1, self._cluster.num_workers):
            answer, hello = answers[index], self._hellos.get(index)
            if hello is not None and not hello.connection.is_open():
                self._listener.turn_away(hello.connection)
                hello = None
                del self._hellos[index]
                self._reminder.note_gone(index)
            if hello is not None and answer == hello.worker:
                hello.unreached_since = None
                continue
            if isinstance(answer, Identity):
                answer = "it is there, and has not told the chief yet"
            elif hello is not None:
                hello.unreached_since = hello.unreached_since or time.monotonic()
                answer = f"it runs on {hello.worker.host}, but {answer}"
            missing.append(f"{self._cluster.describe(index)}: {answer}")
        return missing

    def _unreached(self) -> str:
        """Which worker is there, but not where the others will look for it; empty if none."""
        for index, hello in self._hellos.items():
            since = hello.unreached_since
            if since is not None and time.monotonic() - since > UNREACHED_SECONDS:
                return (
                    f"{self._cluster.describe(index)} reaches the chief from "
                    f"{hello.worker.host}, but does not answer at that address. Is it another "
                    "machine, or is there a firewall between? All workers must reach each other "
                    "at the addresses of TF_CONFIG."
                )
        return ""

    def _tell(self, message: Mapping[str, object]) -> None:
        for hello in self._hellos.values():
            with contextlib.suppress(OSError):
                hello.connection.send(message)


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


# --- The other workers


def _report(
    cluster: Cluster, own: Identity, facts: Mapping[str, object], reminder: _Reminder
) -> str:
    """Tells the chief that this worker is there; returns the chief's answer."""
    hello = {"worker": dataclasses.asdict(own), "facts": facts}
    while True:
        answers = look(cluster, (0, own.index))
        complaint = misplaced(cluster, own, answers)
        if complaint:
            return complaint
        answer = answers[0]
        if isinstance(answer, Identity):
            reminder.note_here(0)
            # The chief may end before it answers, and another one be started.
            with contextlib.suppress(*UNREADABLE):
                return _answer_of_chief(cluster, hello, reminder)
            answer = "it has ended the connection"
            reminder.note_gone(0)
        reminder.check(f"{cluster.describe(0)}: {answer}")
        time.sleep(_RETRY_SECONDS)


def _answer_of_chief(cluster: Cluster, hello: Mapping[str, object], reminder: _Reminder) -> str:
    """What the chief says when the last worker is there. Raises OSError if it ends before."""
    chief = cluster.describe(0)
    with Connection(socket.create_connection(cluster.address(0), _CONNECT_SECONDS)) as connection:
        connection.send(hello)
        missing, heard = f"{chief}, and those for whom it waits", time.monotonic()
        while True:
            try:
                message = connection.receive(_ROUND_SECONDS)
                if "complaint" in message:
                    return str(message["complaint"])
                if "lost" in message:
                    raise WorkerLostError(str(message["lost"]))
                missing, heard = str(message["missing"]), time.monotonic()
            except TimeoutError:
                silence = time.monotonic() - heard
                if silence > SILENT_SECONDS:
                    missing = f"{chief}, which has said nothing for {silence:.0f} s"
            reminder.check(missing)
