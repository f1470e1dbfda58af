"""The learning rate of a training, with what it has observed."""

import keras

from keras_resnet.checks import UserError
from keras_resnet.runs.config import TrainConfig
from keras_resnet.training import schedules


class Rates:
    """A schedule, and what in it depends on errors, which are kept in checkpoints.

    Args:
      schedule: a schedule of Keras or of schedules.py.

    Attributes:
      schedule: the same.
      drops: numbers of steps after which the rate falls, as far as they are known before.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule) -> None:
        self.schedule = schedule
        self._warmup = schedule if isinstance(schedule, schedules.ErrorWarmup) else None
        following = schedule.schedule if self._warmup else schedule
        self._plateau = following if isinstance(following, schedules.PlateauSchedule) else None
        is_known = isinstance(following, schedules.StepSchedule)
        self.drops: tuple[int, ...] = following.drops if is_known else ()
        observing = {"warmup": self._warmup, "plateau": self._plateau}
        self._observing = {name: each for name, each in observing.items() if each is not None}

    def states(self) -> dict[str, dict[str, object]]:
        """What a checkpoint keeps, as JSON types."""
        return {name: schedule.state() for name, schedule in self._observing.items()}

    def restore(self, states: dict[str, dict[str, object]]) -> None:
        """Takes up what `states` gave."""
        for name, state in states.items():
            self._observing[name].restore(state)

    def of_step(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        # The shortest number that rounds to the float32: 0.1, not 0.10000000149.
        return float(str(self.schedule(step).numpy()))

    def steps_to_decision(self) -> int | None:
        """Steps until a warm-up is to be asked whether it ends; None: there is none."""
        return self._warmup.steps_to_decision() if self._warmup else None

    def observe_steps(self, errors: list[float]) -> bool:
        """Takes note of the training errors of steps in a row; returns whether a warm-up ends."""
        if self._warmup is None or self._warmup.steps_to_decision() is None:
            return False
        return self._warmup.observe(errors)

    def observe_evaluation(self, error: float) -> bool:
        """Takes note of the error of an evaluation; returns whether the rate falls at once."""
        return self._plateau is not None and self._plateau.observe(error)


def make_rates(config: TrainConfig, train_steps: int, steps_per_epoch: float) -> Rates:
    """The `Rates` of a configuration.

    Args:
      config: `TrainConfig`.
      train_steps: number of steps of the whole training.
      steps_per_epoch: not rounded.

    Raises:
      UserError: a warm-up is longer than the training.
    """
    schedule = _schedule(config, train_steps, steps_per_epoch)
    error = config.effective_warmup_error()
    if error:
        schedule = schedules.ErrorWarmup(schedule, config.warmup_learning_rate, error)
    return Rates(schedule)


def _schedule(
    config: TrainConfig, train_steps: int, steps_per_epoch: float
) -> keras.optimizers.schedules.LearningRateSchedule:
    if config.schedule == "plateau":
        return schedules.PlateauSchedule(config.learning_rate, config.plateau_evaluations)
    if config.schedule == "cosine":
        warmup_steps = round(config.warmup_epochs * steps_per_epoch)
        if warmup_steps >= train_steps:
            raise UserError(
                f"`warmup_epochs` must be shorter than the training of {train_steps} steps. "
                f"Received: warmup_epochs={config.warmup_epochs!r}, which is {warmup_steps} steps"
            )
        return schedules.cosine(config.learning_rate, train_steps, warmup_steps)
    drops = config.learning_rate_drops
    if drops is None:
        drops = schedules.share_drops(train_steps, config.learning_rate_shares)
    return schedules.StepSchedule(config.learning_rate, drops)
