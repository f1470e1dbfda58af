"""Learning rates: tenths at given steps or when the error stops falling, a warm-up, a cosine."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import keras
import tensorflow as tf


def share_drops(train_steps: int, shares: Sequence[int]) -> tuple[int, ...]:
    """The steps at which one rate follows another when each has its share of a training.

    Shares 2:1:1 of the paper's 64,000 steps end at 32,000 and 48,000 (section 4.2).

    Args:
      train_steps: of the whole training.
      shares: a positive number for each rate.

    Returns:
      Increasing numbers of steps, one fewer than shares or, in short trainings, still fewer.
    """
    ends = itertools.accumulate(shares[:-1])
    return tuple(sorted({max(1, train_steps * end // sum(shares)) for end in ends}))


def cosine(
    learning_rate: float, train_steps: int, warmup_steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """A rate that falls from `learning_rate` to 0 as half a cosine, after a linear rise from 0.

    Source: Loshchilov and Hutter, 2017, equation 5; Goyal et al., 2017, section 2.2.
    """
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(learning_rate, train_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, train_steps - warmup_steps),
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )


@keras.saving.register_keras_serializable(package="keras_resnet")
class StepSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate divided by 10 after each of the given numbers of steps (sections 3.4 and 4.2).

    Keras's PiecewiseConstantDecay keeps the old rate for one step more and refuses to be constant.

    Args:
      learning_rate: rate of the first drops[0] steps.
      drops: increasing numbers of steps; none: the rate is constant.
    """

    def __init__(self, learning_rate: float, drops: Sequence[int]) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.drops = tuple(drops)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """The rate of a step, counted from 0: a float32 scalar."""
        rates = [self.learning_rate / 10**passed for passed in range(len(self.drops) + 1)]
        passed = tf.cast(step, tf.int64) >= tf.constant(self.drops, tf.int64)
        return tf.gather(tf.constant(rates, tf.float32), tf.math.count_nonzero(passed))

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate, "drops": self.drops}


@keras.saving.register_keras_serializable(package="keras_resnet")
class PlateauSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate divided by 10 whenever the validation error has stopped falling (section 3.4).

    Args:
      learning_rate: rate of the first steps.
      evaluations: number of evaluations in a row without a new lowest error that make a plateau.
      state: what `state()` of another gave, to go on from there; None: nothing was observed yet.
        Keras keeps it with the network: its own checkpoints hold none of a schedule.
    """

    MAX_DROPS = 10

    def __init__(
        self, learning_rate: float, evaluations: int, state: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.evaluations = evaluations
        self._drops = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._lowest_error = math.inf
        self._waited = 0
        if state is not None:
            self.restore(state)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """The rate of now, whatever the step: a float32 scalar."""
        rates = [self.learning_rate / 10**drops for drops in range(self.MAX_DROPS + 1)]
        return tf.gather(tf.constant(rates, tf.float32), self._drops)

    def observe(self, error: float) -> bool:
        """Takes note of an evaluation's error; returns whether the rate falls."""
        if error < self._lowest_error:
            self._lowest_error, self._waited = error, 0
        else:
            self._waited += 1
        falls = self._waited == self.evaluations and int(self._drops.numpy()) < self.MAX_DROPS
        if falls:
            self._waited = 0
            self._drops.assign_add(1)
        return falls

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON types."""
        return {
            "drops": int(self._drops.numpy()),
            "lowest_error": self._lowest_error,
            "waited": self._waited,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        self._drops.assign(state["drops"])
        self._lowest_error, self._waited = state["lowest_error"], state["waited"]

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "evaluations": self.evaluations,
            "state": self.state(),
        }


@keras.saving.register_keras_serializable(package="keras_resnet")
class ErrorWarmup(keras.optimizers.schedules.LearningRateSchedule):
    """A low rate until the training error is below a bound, then another schedule (section 4.2).

    The error is that of `WINDOW` steps in a row, so that one lucky batch does not end the warm-up.

    Args:
      schedule: the schedule that follows, at the step that has been reached.
      learning_rate: rate of the warm-up; the paper's is 0.01.
      error: share of wrong answers in training; the paper's is 0.8.
      state: as for `PlateauSchedule`.
    """

    WINDOW = 100

    def __init__(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        learning_rate: float,
        error: float,
        state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.error = error
        self._is_over = tf.Variable(False, trainable=False)
        self._errors: list[float] = []
        if state is not None:
            self.restore(state)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """The rate of a step, counted from 0: a float32 scalar."""
        return tf.where(
            self._is_over, self.schedule(step), tf.constant(self.learning_rate, tf.float32)
        )

    def steps_to_decision(self) -> int | None:
        """Steps from now to the end of the window; None when the warm-up is over."""
        return None if self._is_over.numpy() else self.WINDOW - len(self._errors)

    def observe(self, errors: list[float]) -> bool:
        """Takes note of the errors of steps in a row; returns whether the warm-up ends.

        Args:
          errors: shares of wrong answers, at most `steps_to_decision()` of them.
        """
        self._errors += errors
        if self.steps_to_decision() != 0:
            return False
        ends = sum(self._errors) / self.WINDOW < self.error
        self._errors = []
        self._is_over.assign(ends)
        return ends

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON types."""
        return {"is_over": bool(self._is_over.numpy()), "errors": list(self._errors)}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        self._is_over.assign(state["is_over"])
        self._errors = list(state["errors"])

    def get_config(self) -> dict[str, Any]:
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "learning_rate": self.learning_rate,
            "error": self.error,
            "state": self.state(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        # Keras leaves to each schedule what is within.
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(**{**config, "schedule": schedule})
