"""Where the time of training steps goes, on each of several workers."""

import dataclasses
from collections.abc import Sequence

import numpy as np

# By so much of a step's time a worker must be behind the others to be called slow.
_STANDS_OUT = 0.1


@dataclasses.dataclass(frozen=True)
class StepTimes:
    """Seconds of some steps; what is None is not known.

    Attributes:
      all: of the whole.
      waiting: for images.
      computing: losses and gradients of this worker's images.
      reducing: what is over then: the sums with those of the others, who may be slower, and the
        update.
    """

    all: float
    waiting: float | None = None
    computing: float | None = None
    reducing: float | None = None

    @classmethod
    def between(cls, started: float, times: np.ndarray) -> "StepTimes":
        """Those of one call.

        Args:
          started: when it was.
          times: float64 [steps, 3]: when the images of each step, its gradients and its update were
            there.
        """
        there, computed, updated = times.T
        free = np.concatenate([[started], updated[:-1]])
        begun = np.maximum(free, there)
        return cls(
            float(updated[-1] - started),
            float((begun - free).sum()),
            float((computed - begun).sum()),
            float((updated - computed).sum()),
        )

    def shares(self) -> tuple[float, float, float] | None:
        """Of the whole the shares of waiting, computing and reducing; None: they are not known."""
        if self.waiting is None or self.computing is None or self.reducing is None or not self.all:
            return None
        return self.waiting / self.all, self.computing / self.all, self.reducing / self.all

    def __add__(self, other: "StepTimes") -> "StepTimes":
        return StepTimes(
            self.all + other.all,
            _sum(self.waiting, other.waiting),
            _sum(self.computing, other.computing),
            _sum(self.reducing, other.reducing),
        )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def describe(shares: np.ndarray, names: Sequence[str]) -> str:
    """A line about where the time of each worker went, and whose is the slowest.

    Args:
      shares: [workers, 3], of the time of steps: waiting for images, computing, reducing.
      names: of the workers.
    """
    listing = ", ".join(
        f"{index}: {'/'.join(f'{share:.0%}' for share in row)}" for index, row in enumerate(shares)
    )
    text = f"Waiting for images/computing/reducing, by worker: {listing}."
    busy = shares[:, :2].sum(axis=1)
    slowest = int(busy.argmax())
    if busy[slowest] - np.delete(busy, slowest).max() > _STANDS_OUT:
        what = "its images" if shares[slowest, 0] > shares[slowest, 1] else "its computing"
        text += f" The others wait for {names[slowest]} and {what}."
    return text
