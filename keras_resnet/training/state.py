"""Where a training is, beside its variables: what a checkpoint keeps as JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from keras_resnet.runs.environment import Environment
from keras_resnet.training.step_times import StepTimes

_EARLIER = ("replicas", "onednn", "xla")


@dataclasses.dataclass
class Window:
    """Sums over the steps since the last line of metrics.

    Attributes:
      sums: the task's, by name, over all images of these steps.
      steps: their number.
      timed_steps: of them, those whose times are known: not those of a first call, in which
        TensorFlow makes and compiles its graph.
      times: of the timed steps on this worker.
    """

    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    steps: int = 0
    timed_steps: int = 0
    times: StepTimes = StepTimes(0.0, 0.0, 0.0, 0.0)

    def add(self, names: Sequence[str], sums: np.ndarray, times: StepTimes | None) -> None:
        """Takes up some steps.

        Args:
          names: of what was summed.
          sums: float64 [steps, names].
          times: of the steps; None: they are not to count.
        """
        # One by one, so that the result does not depend on how steps fell into calls.
        for of_step in sums.tolist():
            for name, value in zip(names, of_step, strict=True):
                self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += len(sums)
        if times is not None:
            self.timed_steps += len(sums)
            self.times += times

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The one of its attributes as JSON; earlier versions kept other times, which are lost."""
        times = StepTimes(**values["times"]) if "times" in values else cls.times
        return cls(values["sums"], values["steps"], values.get("timed_steps", 0), times)


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
        window = Window.from_json(values["window"])
        # What checkpoints of earlier versions say of it.
        earlier = {name: values[name] for name in _EARLIER if name in values}
        environments = values.get("environments", [earlier])
        others = {name: value for name, value in values.items() if name not in _EARLIER}
        return cls(**{**others, "window": window, "environments": environments})
