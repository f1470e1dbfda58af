"""Where a training is, beside its variables: what a checkpoint keeps as JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from keras_resnet.runs.environment import Environment

_EARLIER = ("replicas", "onednn", "xla")


@dataclasses.dataclass
class Window:
    """Sums over the steps since the last line of metrics.

    Attributes:
      sums: the task's, by name, over all images of these steps.
      steps: their number.
      seconds: that they took.
      seconds_waited: of them, those that they waited for their images; None: unknown.
    """

    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    seconds_waited: float | None = 0.0

    def add(
        self, names: Sequence[str], sums: np.ndarray, seconds: float, seconds_ahead: float | None
    ) -> None:
        """Takes up some steps.

        Args:
          names: of what was summed.
          sums: float64 [steps, names].
          seconds: that the steps took.
          seconds_ahead: how long before their end the images of the last one were there; None:
            unknown.
        """
        # One by one, so that the result does not depend on how steps fell into calls.
        for of_step in sums.tolist():
            for name, value in zip(names, of_step, strict=True):
                self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += len(sums)
        self.seconds += seconds
        if seconds_ahead is None or self.seconds_waited is None:
            self.seconds_waited = None
        else:
            # A step that waits begins when its images are there: so long it takes itself.
            self.seconds_waited += max(0.0, seconds - len(sums) * seconds_ahead)


@dataclasses.dataclass
class State:
    """Where a training is.

    Attributes:
      step: number of steps taken.
      window: see `Window`.
      evaluated_step: step of the last evaluation.
      result: the last evaluation, the task's figures by name with `images` and `step`; None before
        the first.
      best: the best evaluation, of equals the earliest.
      evaluations_since_best: number of evaluations after it.
      rows: number of lines of metrics.jsonl.
      environments: with what each worker ran last, see environment.py.
      schedules: states of the schedules that depend on what they observed, by name.
    """

    step: int = 0
    window: Window = dataclasses.field(default_factory=Window)
    evaluated_step: int = 0
    result: dict[str, Any] | None = None
    best: dict[str, Any] | None = None
    evaluations_since_best: int = 0
    rows: int = 0
    environments: list[Environment] = dataclasses.field(default_factory=list)
    schedules: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        # Of windows that begun before it was counted it is not known.
        window = Window(**{"seconds_waited": None, **values["window"]})
        # What checkpoints of earlier versions say of it.
        earlier = {name: values[name] for name in _EARLIER if name in values}
        environments = values.get("environments", [earlier])
        others = {name: value for name, value in values.items() if name not in _EARLIER}
        return cls(**{**others, "window": window, "environments": environments})
