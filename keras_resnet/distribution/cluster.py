"""The workers of a training on several machines, as the environment variable TF_CONFIG has them."""

import dataclasses
import json
import os
import re

from keras_resnet.checks import UserError

TF_CONFIG_HELP = (
    'TF_CONFIG must look like {"cluster": {"worker": ["host0:port", "host1:port"]}, '
    '"task": {"type": "worker", "index": 0}}, with the index of this process. See BUILD.md, '
    '"Several machines".'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Who takes part in a training. The first worker is the chief, which writes the run directory.

    Attributes:
      tasks: of each worker, chief first, TensorFlow's name for it (job, index) and its address,
        "host:port"; empty where one process trains alone.
      index: the place of this process among them.
    """

    tasks: tuple[tuple[str, int, str], ...] = ()
    index: int = 0

    @property
    def num_workers(self) -> int:
        """Number of processes."""
        return max(1, len(self.tasks))

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes the run directory."""
        return self.index == 0

    def address(self, index: int) -> tuple[str, int]:
        """(host, port) of a worker."""
        host, _, port = self.tasks[index][2].rpartition(":")
        return host.strip("[]"), int(port)

    def describe(self, index: int) -> str:
        """A worker's name for messages."""
        chief = ", the chief" if index == 0 else ""
        return f"worker {index} ({self.tasks[index][2]}{chief})"

    def named_in(self, text: str) -> list[int]:
        """Indices of the other workers that a message of TensorFlow names, as it names them."""
        names = re.findall(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", text)
        places = {(job, number): place for place, (job, number, _) in enumerate(self.tasks)}
        found = {places.get((job, int(number)), self.index) for job, number in names}
        return sorted(found - {self.index})


def cluster_of_environment() -> Cluster:
    """The `Cluster` that TF_CONFIG describes; of one process where there is none, or one worker.

    Raises:
      UserError: TF_CONFIG cannot be understood.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    try:
        given = json.loads(text or "{}")
        jobs = given.get("cluster") or {}
        tasks = [
            (job, number, address)
            for job in ("chief", "worker")
            for number, address in enumerate(jobs.get(job, ()))
        ]
        if not jobs:
            return Cluster()
        own = (given["task"]["type"], given["task"]["index"])
        if type(own[1]) is not int and not str(own[1]).isdecimal():
            raise ValueError(f"index {own[1]!r} is no number of a worker")
        own = (own[0], int(own[1]))
        index = [task[:2] for task in tasks].index(own)
        for _, _, address in tasks:
            host, _, port = address.rpartition(":")
            if not host or not 0 < int(port) < 2**16:
                raise ValueError(f"{address!r} is not host:port")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG cannot be used ({error}). {TF_CONFIG_HELP} Received: {text}"
        ) from error
    unused = set(jobs) - {"chief", "worker"}
    if unused:
        raise UserError(
            f"TF_CONFIG must have workers, and may have a chief. Received: {sorted(unused)}, which "
            "have nothing to do here: the chief evaluates, and gradients are all-reduced."
        )
    if len(tasks) == 1:
        return Cluster()
    addresses = [address for _, _, address in tasks]
    if len(set(addresses)) < len(addresses):
        raise UserError(f"TF_CONFIG gives two workers one address. Received: {text}")
    return Cluster(tuple(tasks), index)
