"""The training loop: calls of several steps, between them logs, evaluations and checkpoints."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_resnet.data.integrity import faults_named
from keras_resnet.distribution.workers import Workers
from keras_resnet.process.signals import Interrupted, stop_requests
from keras_resnet.runs.progress import Progress, show_progress
from keras_resnet.runs.task import Task
from keras_resnet.training.batches import TrainingBatches
from keras_resnet.training.early_statistics import EarlyStatistics
from keras_resnet.training.learner import Learner
from keras_resnet.training.profiler import Profiler
from keras_resnet.training.records import Records
from keras_resnet.training.shortage import shortages_explained
from keras_resnet.training.speed import Speed
from keras_resnet.training.state import State, Window
from keras_resnet.training.step_times import StepTimes, describe
from keras_resnet.training.steps import TakeSteps
from keras_resnet.training.timetable import Timetable

# Steps are taken in calls of about this many seconds: long enough to hide the cost of a call, short
# enough for the progress bar and for Ctrl-C.
SECONDS_PER_CALL = 1.0
MAX_STEPS_PER_CALL = 100

# Share of its time that a training may wait for its images unsaid.
_INPUT_WAIT = 0.1

# Tells whether a signal has asked to stop.
StopRequested = Callable[[], bool]


@dataclasses.dataclass
class Loop:
    """Trains a network from a state to the last step.

    Attributes:
      task: `Task`.
      learner: the network, with what changes it.
      batches: what it sees.
      take_steps: see `steps_function`.
      statistics: those that a young network is evaluated with.
      evaluate: one pass over the images to evaluate on: gives the task's figures, None if told to
        stop.
      timetable: when to do what.
      records: what it leaves.
      profiler: `Profiler`.
      speed: `Speed`.
      workers: `Workers`.
      state: to go on from; it moves on.
    """

    task: Task
    learner: Learner
    batches: TrainingBatches
    take_steps: TakeSteps
    statistics: EarlyStatistics
    evaluate: Callable[[StopRequested], dict[str, Any] | None]
    timetable: Timetable
    records: Records
    profiler: Profiler
    speed: Speed
    workers: Workers
    state: State

    def __post_init__(self) -> None:
        self._has_noted_input = False
        self._is_first_call = True

    def run(self) -> dict[str, Any]:
        """Trains to the last step.

        Returns:
          The last evaluation.

        Raises:
          DivergedError: loss or weights are not finite.
          Interrupted: a signal asked one of the workers to stop; the state was saved before.
          WorkerLostError: another worker died or does not answer.
        """
        last_step = self.timetable.last_step
        with (
            show_progress(last_step, self.state.step, self.workers.is_chief) as progress,
            stop_requests() as stop_requested,
        ):
            progress.note(self._beginning())
            batches = iter(self.batches.from_step(self.state.step))
            try:
                self._train(batches, progress, stop_requested)
            finally:
                self.profiler.end(progress.note)
            self._restore_network()
            self.workers.leave(batches)
        assert self.state.result is not None
        return self.state.result

    def _beginning(self) -> str:
        step, last_step = self.state.step, self.timetable.last_step
        if step == last_step:
            return f"Complete already: all {step} steps were taken."
        if self._is_over:
            return f"Complete already. {self._about_patience()}"
        if step:
            return f"Continuing at step {step} of {last_step}."
        epochs = self.records.epochs(last_step)
        return f"Beginning a training of {last_step} steps, {epochs:.3g} epochs."

    @property
    def _is_over(self) -> bool:
        state = self.state
        return state.step == state.evaluated_step and self.timetable.is_over(
            state.step, state.evaluations_since_best
        )

    def _about_patience(self) -> str:
        """Why the training ended before its last step."""
        state, figure = self.state, self.task.best
        assert state.best is not None
        return (
            f"Ended early, at step {state.step} of {self.timetable.last_step}: of "
            f"{state.evaluations_since_best} evaluations none was better than that of step "
            f"{state.best['step']}, {figure.written(state.best[figure.name])}, whose network is "
            "best.keras."
        )

    def _train(
        self, batches: Iterator[Any], progress: Progress, stop_requested: StopRequested
    ) -> None:
        state, timetable = self.state, self.timetable
        steps_per_call, stop = 1, False
        while True:
            # A checkpoint comes last: what it does not know of is done again after a kill.
            if state.evaluated_step < state.step and timetable.is_due(
                state.step, timetable.evaluate
            ):
                stop |= not self._evaluate(progress, stop_requested)
            is_over = self._is_over
            if is_over and state.window.steps:
                self._log(progress, self._rate())
            self._save_if_due(stop or is_over)
            if is_over:
                if state.step < timetable.last_step:
                    progress.note(self._about_patience())
                return
            if stop:
                # When one of them leaves, the others take it for lost.
                self.workers.meet()
                raise Interrupted(
                    f"Interrupted and saved at step {state.step} of {timetable.last_step}. "
                    "The same command resumes."
                )
            steps_per_call = self._take_steps(batches, progress, steps_per_call)
            stop, steps_per_call = self._agree(stop_requested(), steps_per_call)

    def _agree(self, stop: bool, steps_per_call: int) -> tuple[bool, int]:
        """Whether any worker was told to stop, and the chief's number of steps."""
        answers = self.workers.share([stop, steps_per_call])
        return bool(answers[:, 0].any()), int(answers[0, 1])

    # --- Steps

    def _take_steps(self, batches: Iterator[Any], progress: Progress, at_most: int) -> int:
        """Takes and logs the steps of one call; returns how many the next one may take."""
        state = self.state
        count = min(at_most, self._steps_to_next_event())
        self.workers.begin_call("taking steps", "waiting for data")
        started = time.time()
        indices = self.batches.indices(state.step, count)
        with (
            self.profiler.over(state.step, count, progress.note),
            faults_named(self.batches.source, indices),
            self.workers.losses_named(),
            shortages_explained(
                self.learner.network,
                self.batches.size,
                self.learner.strategy.num_replicas_in_sync,
                self.workers.local_replicas,
            ),
        ):
            sums, marks = (x.numpy() for x in self.take_steps(batches, tf.constant(count)))
        times = self._times(started, time.time(), marks)
        self.workers.begin("between steps")
        means = sums / self.batches.size
        self._check_losses(means[:, 0])
        state.window.add(self.task.sums, sums, None if self._is_first_call else times)
        self._is_first_call = False
        state.step += count
        of_last = dict(zip(self.task.sums, means[-1].tolist(), strict=True))
        progress.update(count, of_last, count * self.batches.size / times.all)
        self._log_if_due(means, progress)
        return int(np.clip(SECONDS_PER_CALL * count / times.all, 1, MAX_STEPS_PER_CALL))

    def _times(self, started: float, ended: float, marks: np.ndarray) -> StepTimes:
        """Where the time of a call went; `marks` are the times that `take_steps` gives."""
        seconds = max(ended - started, 1e-6)  # A clock can be set back.
        made, ended_steps = marks[-1, 0], marks[-1, 3]
        if ended_steps:
            return StepTimes.between(started, marks[:, 1:])
        if not made or made > ended:  # Nor is there always a clock.
            return StepTimes(seconds)
        # A step that waits begins when its images are there: so long it takes itself.
        return StepTimes(seconds, max(0.0, seconds - len(marks) * (ended - made)))

    def _steps_to_next_event(self) -> int:
        step = self.state.step
        events = [self.timetable.steps_to_next(step), *self.profiler.steps_to_next(step)]
        events += [drop - step for drop in self.learner.rates.drops if drop > step]
        decision = self.learner.rates.steps_to_decision()
        return min(events + [decision] if decision else events)

    def _rate(self) -> float:
        """The learning rate of the last step, until its error or an evaluation was observed."""
        return self.learner.rates.of_step(self.state.step - 1)

    def _observe_steps(self, means: np.ndarray, progress: Progress) -> bool:
        """Tells the learning rates the errors of some steps; returns whether a warm-up ends."""
        best = self.task.best
        if best.name not in self.task.sums:
            return False
        values = means[:, self.task.sums.index(best.name)].tolist()
        ends = self.learner.rates.observe_steps([best.error(value) for value in values])
        if ends:
            progress.note(f"The warm-up ends at step {self.state.step}.")
        return ends

    def _log_if_due(self, means: np.ndarray, progress: Progress) -> None:
        """Logs at its time, and where the rate changes at once: no line is of two such rates."""
        step, rate = self.state.step, self._rate()
        changes = self._observe_steps(means, progress) or step in self.learner.rates.drops
        if changes or self.timetable.is_due(step, self.timetable.log):
            self._log(progress, rate)

    def _log(self, progress: Progress, rate: float) -> None:
        """Writes a line over the steps since the last one, which `rate` was that of."""
        window = self.state.window
        images = window.steps * self.batches.size
        figures = {name: value / images for name, value in window.sums.items()}
        speed = self.speed.figures(window.timed_steps * self.batches.size, window.times)
        self.records.add("train", {**figures, "learning_rate": rate, **speed}, progress)
        self._note_slow_input(progress, **speed)
        self._note_times(progress, window.times)
        self.state.window = Window()

    def _note_times(self, progress: Progress, times: StepTimes) -> None:
        """Says where the time of several workers goes."""
        shares = times.shares()
        if self.workers.watchdog is None or shares is None:
            return
        millionths = self.workers.share([round(1e6 * share) for share in shares])
        if self.workers.is_chief:
            progress.note(describe(millionths / 1e6, self.workers.names()))

    def _note_slow_input(
        self,
        progress: Progress,
        images_per_second: float = 0.0,
        input_wait: float = 0.0,
        **_: float,
    ) -> None:
        """Says once that the images do not come as fast as the devices would take them."""
        if self._has_noted_input or input_wait <= _INPUT_WAIT:
            return
        self._has_noted_input = True
        replicas = self.learner.strategy.num_replicas_in_sync
        needed = images_per_second / max(0.01, 1 - input_wait)
        progress.note(
            f"The input is the bottleneck: {input_wait:.0%} of the time goes in waiting for it. It "
            f"gives {images_per_second:.0f} images/s, and the network would take {needed:.0f}"
            f"{f', {needed / replicas:.0f} a replica' if replicas > 1 else ''}. "
            'docs/speed.md, "When the input is the bottleneck", says what helps.'
        )

    def _check_losses(self, losses: np.ndarray) -> None:
        # Larger ones, of float64, cannot be drawn, and will be infinite soon.
        wrong = np.flatnonzero(~(np.abs(losses) <= np.finfo(np.float32).max))
        for position in wrong:
            step = self.state.step + position + 1
            raise self.records.diverged(f"The loss is {losses[position]} at step {step}.")

    def _check_weights(self) -> None:
        """The loss of a step says nothing about the weights that the step leaves behind."""
        name = self.learner.infinite_variable()
        if name is not None:
            raise self.records.diverged(
                f"The weights {name} are not finite after step {self.state.step}."
            )

    # --- Evaluation

    def _evaluate(self, progress: Progress, stop_requested: StopRequested) -> bool:
        """Evaluates the network and saves it; returns whether that was done, and not stopped."""
        state, figure = self.state, self.task.best
        self._check_weights()
        progress.say("evaluating")
        with self.learner.averaged_weights(), self.statistics.of_step(state.step):
            found = self.evaluate(stop_requested)
            if found is None:
                return False
            result = {"step": state.step, **found}
            is_best = state.best is None or figure.is_better(
                result[figure.name], state.best[figure.name]
            )
            self.records.write_network(self.learner.network, is_best)
        state.evaluated_step, state.result = state.step, result
        state.evaluations_since_best += 1
        if is_best:
            state.best, state.evaluations_since_best = result, 0
        self.records.add("validation", found, progress)
        self.records.write_evaluation(result)
        rate = self._rate()
        if self.learner.rates.observe_evaluation(figure.error(result[figure.name])):
            progress.note(f"Plateau at step {state.step}: the learning rate falls.")
            if state.window.steps:
                self._log(progress, rate)
        progress.say("")
        self.workers.begin("between steps")
        return True

    # --- What is left on disk

    def _save_if_due(self, stop: bool) -> None:
        """Saves a checkpoint at its time, of the best network so far, and before a stop."""
        state = self.state
        if not self.records.has_unsaved_steps:
            return
        is_best = state.best is not None and state.best["step"] == state.step
        if stop or is_best or self.timetable.is_due(state.step, self.timetable.save):
            self._check_weights()
            state.schedules = self.learner.rates.states()
            self.records.save()

    def _restore_network(self) -> None:
        """Writes the network once more if somebody has deleted or damaged it since."""
        if self.workers.from_chief(self.records.lacks_network):
            with self.learner.averaged_weights(), self.statistics.of_step(self.state.step):
                is_best = self.state.best == self.state.result
                self.records.write_network(self.learner.network, is_best)
