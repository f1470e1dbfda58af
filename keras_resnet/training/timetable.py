"""At which steps a training logs, evaluates, saves and ends."""

from collections.abc import Sequence
from typing import Any, Self

from keras_resnet.runs.config import TrainConfig

_STEPS_PER_LOG = 100

# Where an epoch is shorter, an evaluation, which writes the network, takes as long as the epoch.
_MIN_STEPS_PER_EVALUATION = 4

# Where evaluations decide about the rate, runs of earlier versions go on as they began.
_MIN_STEPS_OF_PLATEAU = 100


class Timetable:
    """The steps of a training at which something is due: multiples of a period, and the last one.

    Args:
      last_step: number of steps of the whole training.
      log, evaluate, save: steps between two lines of metrics, evaluations, checkpoints.
      patience: evaluations without a new best after which the training ends; None: only at the
        last step.
    """

    def __init__(
        self, last_step: int, *, log: int, evaluate: int, save: int, patience: int | None = None
    ) -> None:
        self.last_step = last_step
        self.log = log
        self.evaluate = evaluate
        self.save = save
        self.patience = patience

    @classmethod
    def of(cls, config: TrainConfig, epoch_images: int) -> Self:
        """That of a configuration, where an epoch has so many images."""
        steps_per_epoch = epoch_images / config.global_batch_size
        last_step = config.train_steps
        if last_step is None:
            assert config.train_epochs is not None
            last_step = max(1, round(config.train_epochs * steps_per_epoch))
        whole_epoch = -(-epoch_images // config.global_batch_size)
        is_plateau = config.schedule == "plateau"
        at_least = _MIN_STEPS_OF_PLATEAU if is_plateau else _MIN_STEPS_PER_EVALUATION
        of_epoch = max(whole_epoch, at_least)
        return cls(
            last_step,
            # Of few pictures a curve of more than two points.
            log=config.log_every_steps or min(_STEPS_PER_LOG, of_epoch),
            evaluate=config.evaluate_every_steps or of_epoch,
            save=config.checkpoint_every_steps,
            patience=config.patience,
        )

    @classmethod
    def of_metrics(cls, config: TrainConfig, rows: Sequence[dict[str, Any]]) -> Self:
        """That of a configuration whose run left lines of metrics: they know its epochs."""
        last = rows[-1]
        return cls.of(config, round(last["step"] * config.global_batch_size / last["epoch"]))

    def is_due(self, step: int, period: int) -> bool:
        """Whether what has a period is due after a number of steps."""
        return step % period == 0 or step == self.last_step

    def is_over(self, step: int, evaluations_since_best: int) -> bool:
        """Whether no step follows, after a number of steps and evaluations without a new best."""
        has_waited = self.patience is not None and evaluations_since_best >= self.patience
        return step == self.last_step or has_waited

    def steps_to_next(self, step: int) -> int:
        """Steps until the next that is due after a number of steps."""
        periods = (self.log, self.evaluate, self.save)
        return min(self.last_step - step, *(period - step % period for period in periods))
