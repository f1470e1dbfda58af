"""The training loop: calls of several steps, between them logs, evaluations and checkpoints."""

import contextlib
import dataclasses
import time
import zipfile

import numpy as np
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data import batches as batches_lib
from keras_resnet.distribution.watchdog import SAVE_SECONDS
from keras_resnet.evaluation.evaluator import Evaluator
from keras_resnet.networks import resnet
from keras_resnet.process.signals import Interrupted, stop_requests
from keras_resnet.runs.progress import show_progress
from keras_resnet.training import schedules
from keras_resnet.training.steps import steps_function

# Steps are taken in calls of about this many seconds: long enough to hide the cost of a call, short
# enough for the progress bar and for Ctrl-C.
SECONDS_PER_CALL = 1.0
MAX_STEPS_PER_CALL = 100

# Small data sets would otherwise be evaluated more than trained on.
MIN_STEPS_PER_EVALUATION = 100


class DivergedError(UserError):
    """The loss is not finite any more."""


@dataclasses.dataclass
class Window:
    """Sums over the steps since the last line of metrics."""

    loss: float = 0.0
    hits: int = 0
    steps: int = 0
    seconds: float = 0.0

    def add(self, losses, hits, seconds):
        """Takes up the losses and correct answers of some steps."""
        # One by one in float64, so that the sum does not depend on how steps fell into calls.
        for loss, hit in zip(losses, hits, strict=True):
            self.loss += float(loss)
            self.hits += int(hit)
        self.steps += len(losses)
        self.seconds += seconds


@dataclasses.dataclass
class State:
    """Where a training is, beside its variables: what a checkpoint keeps as JSON.

    Attributes:
      step: number of steps taken.
      window: see `Window`.
      evaluated_step: step of the last evaluation.
      result: the last evaluation, a dict as of `Evaluator` with `step`; None before the first.
      best: the evaluation with the highest top-1, of those the earliest.
      rows: number of lines of metrics.jsonl.
      replicas: number of replicas on which the training ran last.
      onednn: whether it ran with oneDNN last, on which its bits depend; None: it does not know.
      schedules: states of the schedules that depend on what they observed, by name.
    """

    step: int = 0
    window: Window = dataclasses.field(default_factory=Window)
    evaluated_step: int = 0
    result: dict | None = None
    best: dict | None = None
    rows: int = 0
    replicas: int = 1
    onednn: bool | None = None
    schedules: dict = dataclasses.field(default_factory=dict)

    def to_json(self):
        """The attributes as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values):
        """The inverse of `to_json`."""
        return cls(**{**values, "window": Window(**values["window"])})


class Loop:
    """Trains a network from a state to the last step.

    Args:
      config: `TrainConfig`.
      workers: `Workers`.
      run: `RunDirectory` of the chief; None for the other workers, which write nothing.
      checkpoints: `Checkpoints`, likewise.
      model, optimizer, schedule: built under the strategy of the workers.
      sources: dict of `Source`, "train" and "validation".
      augmentation: `Augmentation`.
      train_steps: number of steps of the whole training.
      state: `State` to go on from.
    """

    def __init__(
        self,
        config,
        *,
        workers,
        run,
        checkpoints,
        model,
        optimizer,
        schedule,
        sources,
        augmentation,
        train_steps,
        state,
    ):
        self._config = config
        self._workers = workers
        self._strategy = workers.strategy
        self._run = run
        self._checkpoints = checkpoints
        self._model = model
        self._optimizer = optimizer
        self._schedule = schedule
        self._warmup = schedule if isinstance(schedule, schedules.ErrorWarmup) else None
        following = self._warmup.schedule if self._warmup else schedule
        self._plateau = following if isinstance(following, schedules.PlateauSchedule) else None
        self._source = sources["train"]
        self._augmentation = augmentation
        self._train_steps = train_steps
        steps_per_epoch = -(-len(self._source) // config.global_batch_size)
        self._evaluate_every = config.evaluate_every_steps or max(
            steps_per_epoch, MIN_STEPS_PER_EVALUATION
        )
        self._evaluator = Evaluator(model, sources["validation"], config.global_batch_size, workers)
        self._take_steps = steps_function(
            resnet.logits_model(model),
            optimizer,
            self._strategy,
            global_batch_size=config.global_batch_size,
            weight_decay=config.weight_decay,
            decay_batch_norm=config.decay_batch_norm,
            label_smoothing=config.label_smoothing,
            average_statistics=not config.synchronized_batch_norm,
            watchdog=workers.watchdog,
        )
        self._state = state
        self._saved_step = state.step
        for name, stateful in self._stateful_schedules().items():
            if name in state.schedules:
                stateful.restore(state.schedules[name])

    def run(self):
        """Trains to the last step.

        Returns:
          The last evaluation.

        Raises:
          DivergedError: loss or weights are not finite.
          Interrupted: SIGINT or SIGTERM came to one of the workers; the state was saved before.
          WorkerLostError: another worker died or does not answer.
        """
        state = self._state
        with (
            show_progress(self._train_steps, state.step) as progress,
            stop_requests() as stop_requested,
        ):
            self._progress, self._stop_requested = progress, stop_requested
            if state.step == self._train_steps:
                progress.note(f"Complete already: all {state.step} steps were taken.")
            elif state.step:
                progress.note(f"Continuing at step {state.step} of {self._train_steps}.")
            else:
                progress.note(f"Beginning a training of {self._train_steps} steps.")
            batches = iter(self._batches(state.step))
            steps_per_call, stop = 1, False
            while True:
                # A checkpoint comes last: what it does not know of is done again after a kill.
                if state.evaluated_step < state.step and self._is_due(self._evaluate_every):
                    stop |= not self._evaluate()
                self._save_if_due(stop)
                if state.step == state.evaluated_step == self._train_steps:
                    break
                if stop:
                    # When one of them leaves, the others take it for lost.
                    self._workers.meet()
                    raise Interrupted(
                        f"Interrupted and saved at step {state.step} of {self._train_steps}. "
                        "The same command goes on from there."
                    )
                steps_per_call = self._train(batches, steps_per_call)
                stop, steps_per_call = self._agree(stop_requested(), steps_per_call)
            if self._workers.from_chief(lambda: not zipfile.is_zipfile(self._run.model)):
                # Somebody deleted or damaged it since.
                with self._averaged_weights():
                    self._write_model(state.best == state.result)
            self._workers.leave(batches)
        return state.result

    def _train(self, batches, steps_per_call):
        """Takes and logs the steps of one call; returns how many the next one may take."""
        state = self._state
        count = min(steps_per_call, self._steps_to_next_event())
        self._workers.begin_call("taking steps", "waiting for data")
        started = time.monotonic()
        with (
            batches_lib.faults_named(self._source, self._indices(state.step, count)),
            self._workers.losses_named(),
        ):
            losses, hits = (
                values.numpy() for values in self._take_steps(batches, tf.constant(count))
            )
        seconds = time.monotonic() - started
        self._workers.begin("between steps")
        self._check_finite(losses)
        state.window.add(losses, hits, seconds)
        state.step += count
        batch = self._config.global_batch_size
        self._progress.update(
            count,
            loss=float(losses[-1]),
            accuracy=int(hits[-1]) / batch,
            images_per_second=count * batch / seconds,
        )
        if self._is_due(self._config.log_every_steps):
            self._log()
        if self._warmup and self._warmup.steps_to_decision():
            errors = [1 - int(hit) / batch for hit in hits]
            if self._warmup.observe(errors):
                self._progress.note(f"The warm-up ends at step {state.step}.")
        return int(np.clip(SECONDS_PER_CALL * count / seconds, 1, MAX_STEPS_PER_CALL))

    def _agree(self, stop, steps_per_call):
        """Whether any worker was told to stop, and the chief's number of steps."""
        answers = self._workers.share([stop, steps_per_call])
        return bool(answers[:, 0].any()), int(answers[0, 1])

    def _is_due(self, period):
        return self._state.step % period == 0 or self._state.step == self._train_steps

    def _steps_to_next_event(self):
        periods = (
            self._config.log_every_steps,
            self._evaluate_every,
            self._config.checkpoint_every_steps,
        )
        step = self._state.step
        events = [period - step % period for period in periods]
        if self._warmup and self._warmup.steps_to_decision():
            events.append(self._warmup.steps_to_decision())
        return min(self._train_steps - step, *events)

    def _stateful_schedules(self):
        """The schedules that depend on what they observed, by their names in a checkpoint."""
        stateful = {"warmup": self._warmup, "plateau": self._plateau}
        return {name: schedule for name, schedule in stateful.items() if schedule is not None}

    # --- Batches

    def _indices(self, step, count):
        """Yields the indices that steps [step, step + count) train on; computed when asked for."""
        positions = (number * self._config.global_batch_size for number in (step, step + count))
        order = batches_lib.training_order(len(self._source), self._config.seed, *positions)
        for index, _ in order:
            yield int(index)

    def _batches(self, first_step):
        return self._strategy.distribute_datasets_from_function(
            lambda context: batches_lib.training_batches(
                self._source,
                self._model.preprocessing,
                self._augmentation,
                seed=self._config.seed,
                global_batch_size=self._config.global_batch_size,
                num_replicas=self._strategy.num_replicas_in_sync,
                first_step=first_step,
                last_step=self._train_steps,
                shard=(context.input_pipeline_id, context.num_input_pipelines),
            )
        )

    # --- Divergence

    def _check_finite(self, losses):
        if np.isfinite(losses).all():
            return
        position = int(np.argmin(np.isfinite(losses)))
        raise DivergedError(
            f"The loss is {losses[position]} at step {self._state.step + position + 1}. "
            f"{self._advice_after_divergence()}"
        )

    def _check_weights(self):
        """The loss of a step says nothing about the weights that the step leaves behind."""
        for variable in self._model.variables:
            if not np.isfinite(variable.numpy()).all():
                raise DivergedError(
                    f"The weights {variable.path} are not finite after step {self._state.step}. "
                    f"{self._advice_after_divergence()}"
                )

    def _advice_after_divergence(self):
        paths = self._checkpoints.paths() if self._workers.is_chief else []
        last = (
            f"The last good checkpoint is {paths[-1]}." if paths else "No checkpoint was written."
        )
        return f"{last} Try a lower --learning_rate, or another --dtype, in another --run_dir."

    # --- Records

    def _save_if_due(self, stop):
        """Saves a checkpoint at its time, of the best network so far, and before a stop."""
        state = self._state
        is_best = state.best is not None and state.best["step"] == state.step
        if state.step == self._saved_step:
            return
        if not (stop or is_best or self._is_due(self._config.checkpoint_every_steps)):
            return
        self._check_weights()
        state.schedules = {name: s.state() for name, s in self._stateful_schedules().items()}
        self._workers.begin("saving a checkpoint", SAVE_SECONDS)
        if self._workers.is_chief:
            self._run.sync_metrics()
            best_step = state.best and state.best["step"]
            self._checkpoints.save(state.step, state.to_json(), best_step)
        self._workers.begin("between steps")
        self._saved_step = state.step

    def _log(self):
        state = self._state
        images = state.window.steps * self._config.global_batch_size
        self._record(
            {
                "split": "train",
                "loss": state.window.loss / state.window.steps,
                "top1": state.window.hits / images,
                # The shortest number that rounds to the float32: 0.1, not 0.10000000149.
                "learning_rate": float(str(self._schedule(state.step - 1).numpy())),
                "images_per_second": images / state.window.seconds,
            }
        )
        state.window = Window()

    def _record(self, figures):
        """One line of metrics."""
        epoch = self._state.step * self._config.global_batch_size / len(self._source)
        row = {"step": self._state.step, "epoch": epoch, **figures}
        if self._workers.is_chief:
            self._run.add_metrics(row)
        self._state.rows += 1
        self._progress.log(row)

    def _evaluate(self):
        """Evaluates the network and saves it; returns whether that was done, and not stopped."""
        state = self._state
        self._check_weights()
        self._progress.say("evaluating")
        with self._averaged_weights():
            result = self._evaluator(self._stop_requested)
            if result is None:
                return False
            result = {"step": state.step, **result}
            is_best = state.best is None or result["top1"] > state.best["top1"]
            self._write_model(is_best)
        state.evaluated_step, state.result = state.step, result
        if is_best:
            state.best = result
        self._record({"split": "validation", **result})
        if self._workers.is_chief:
            self._run.draw_curves()
            self._run.write_evaluation(result)
        if self._plateau and self._plateau.observe(1 - result["top1"]):
            self._progress.note(f"Plateau at step {state.step}: the learning rate falls.")
        self._progress.say("")
        self._workers.begin("between steps")
        return True

    def _write_model(self, is_best):
        self._workers.begin("saving the network", SAVE_SECONDS)
        if self._workers.is_chief:
            self._run.write_model(self._model, is_best)

    @contextlib.contextmanager
    def _averaged_weights(self):
        """Within the context the network has its averaged weights, where there are any."""
        if not self._optimizer.use_ema:
            yield
            return
        variables = self._model.trainable_variables
        weights = [variable.numpy() for variable in variables]
        with self._strategy.scope():
            self._optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, weight in zip(variables, weights, strict=True):
                variable.assign(weight)
