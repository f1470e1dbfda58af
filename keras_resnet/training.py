"""One training loop for one device and for MirroredStrategy, resumable at any step."""

import contextlib
import time

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import batches as batches_lib
from keras_resnet import models, schedules
from keras_resnet.checkpoints import Checkpoints
from keras_resnet.checks import UserError
from keras_resnet.evaluation import Evaluator
from keras_resnet.inputs import (
    make_augmentation,
    make_preprocessing,
    make_sources,
    with_copies,
)
from keras_resnet.memory import keep_freed_memory
from keras_resnet.parts import zero_last_gammas
from keras_resnet.progress import show_progress
from keras_resnet.runs import RunDirectory
from keras_resnet.signals import Interrupted, stop_requests
from keras_resnet.steps import steps_function
from keras_resnet.strategy import make_strategy

# Steps are taken in calls of about this many seconds: long enough to hide the cost of a call, short
# enough for the progress bar and for Ctrl-C.
SECONDS_PER_CALL = 1.0
MAX_STEPS_PER_CALL = 100

# Small data sets would otherwise be evaluated more than trained on.
MIN_STEPS_PER_EVALUATION = 100


class DivergedError(UserError):
    """The loss is not finite any more."""


def train(config, run_dir):
    """Trains a network, from the beginning or from the newest checkpoint in `run_dir`.

    Args:
      config: `TrainConfig`.
      run_dir: path of the run directory; see runs.py for what it holds.

    Returns:
      The last evaluation, a dict as of `Evaluator`, with `step`.

    Raises:
      UserError: the configuration, the data or the directory cannot be used; `DivergedError` when
        the loss is not finite.
      OSError: a file cannot be read or written.
      Interrupted: SIGINT or SIGTERM came; the state was saved before.
    """
    keep_freed_memory()
    construct = models.constructor(config.network, config.depth)
    strategy = make_strategy(config.replicas)
    replicas = strategy.num_replicas_in_sync
    if config.global_batch_size % replicas:
        raise UserError(
            "`global_batch_size` must be a multiple of the number of replicas. Received: "
            f"global_batch_size={config.global_batch_size} with {replicas} replicas"
        )
    run = RunDirectory(run_dir, config)
    sources = dict(zip(("train", "validation"), make_sources(config), strict=True))
    description = _description(sources)
    preprocessing = run.read_preprocessing(description)
    if preprocessing is None:
        preprocessing = make_preprocessing(config, sources["train"])
    augmentation = make_augmentation(config, preprocessing, sources["train"])
    sources["train"] = with_copies(sources["train"], augmentation)
    steps_per_epoch = len(sources["train"]) / config.global_batch_size
    train_steps = config.train_steps or max(1, round(config.train_epochs * steps_per_epoch))

    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        model = construct(
            input_shape=(preprocessing.size, preprocessing.size, preprocessing.channels),
            classes=len(sources["train"].class_names),
            synchronized=config.synchronized_batch_norm,
            preprocessing=preprocessing,
            class_names=sources["train"].class_names,
            dtype=config.dtype,
            **{
                name: getattr(config, name)
                for name in ("shortcut", "bottleneck_stride", "stem", "block", "activation")
                if getattr(config, name) is not None
            },
        )
        if config.zero_last_gamma:
            zero_last_gammas(model)
        schedule = _schedule(config, train_steps, steps_per_epoch)
        optimizer = keras.optimizers.SGD(
            schedule,
            momentum=config.momentum,
            use_ema=config.ema_momentum is not None,
            ema_momentum=config.ema_momentum or 0.0,
        )
        optimizer.build(model.trainable_variables)
    # Only now, when nothing in the configuration can be wrong any more.
    run.begin()
    run.write_data(description, preprocessing)
    checkpoints = Checkpoints(run.checkpoints, model=model.variables, optimizer=optimizer.variables)
    state = checkpoints.restore_newest() or {"step": 0, "window": _Window().to_json()}
    run.rewind_metrics(state["step"])

    loop = _Loop(
        config,
        run=run,
        strategy=strategy,
        model=model,
        optimizer=optimizer,
        schedule=schedule,
        sources=sources,
        augmentation=augmentation,
        checkpoints=checkpoints,
        train_steps=train_steps,
    )
    return loop.run(state)


def _description(sources):
    """What a run remembers of its data set."""
    description = {"class_names": list(sources["train"].class_names)}
    for split, source in sources.items():
        description[f"{split}_images"] = len(source)
        description[f"{split}_fingerprint"] = source.fingerprint()
    return description


def _schedule(config, train_steps, steps_per_epoch):
    if config.schedule == "plateau":
        schedule = schedules.PlateauSchedule(config.learning_rate, config.plateau_evaluations)
    elif config.schedule == "cosine":
        warmup_steps = round(config.warmup_epochs * steps_per_epoch)
        if warmup_steps >= train_steps:
            raise UserError(
                f"`warmup_epochs` must be shorter than the training of {train_steps} steps. "
                f"Received: warmup_epochs={config.warmup_epochs!r}, which is {warmup_steps} steps"
            )
        schedule = schedules.cosine(config.learning_rate, train_steps, warmup_steps)
    else:
        drops = config.learning_rate_drops
        if drops is None:
            drops = schedules.share_drops(train_steps, config.learning_rate_shares)
        schedule = schedules.StepSchedule(config.learning_rate, drops)
    error = config.effective_warmup_error()
    if error:
        return schedules.ErrorWarmup(schedule, config.warmup_learning_rate, error)
    return schedule


class _Window:
    """Sums over the steps since the last line of metrics; part of a checkpoint."""

    def __init__(self, loss=0.0, hits=0, steps=0, seconds=0.0):
        self.loss, self.hits, self.steps, self.seconds = loss, hits, steps, seconds

    def add(self, losses, hits, seconds):
        # One by one in float64, so that the sum does not depend on how steps fell into calls.
        for loss, hit in zip(losses, hits, strict=True):
            self.loss += float(loss)
            self.hits += int(hit)
        self.steps += len(losses)
        self.seconds += seconds

    def to_json(self):
        return vars(self)


class _Loop:
    """The training loop: calls of several steps, between them logs, evaluations and checkpoints."""

    def __init__(
        self,
        config,
        *,
        run,
        strategy,
        model,
        optimizer,
        schedule,
        sources,
        augmentation,
        checkpoints,
        train_steps,
    ):
        self._config = config
        self._run = run
        self._strategy = strategy
        self._model = model
        self._optimizer = optimizer
        self._schedule = schedule
        self._warmup = schedule if isinstance(schedule, schedules.ErrorWarmup) else None
        following = self._warmup.schedule if self._warmup else schedule
        self._plateau = following if isinstance(following, schedules.PlateauSchedule) else None
        self._source = sources["train"]
        self._augmentation = augmentation
        self._checkpoints = checkpoints
        self._train_steps = train_steps
        steps_per_epoch = -(-len(self._source) // config.global_batch_size)
        self._evaluate_every = config.evaluate_every_steps or max(
            steps_per_epoch, MIN_STEPS_PER_EVALUATION
        )
        self._evaluator = Evaluator(
            model, sources["validation"], config.global_batch_size, strategy
        )
        self._take_steps = steps_function(
            models.logits_model(model),
            optimizer,
            strategy,
            global_batch_size=config.global_batch_size,
            weight_decay=config.weight_decay,
            decay_batch_norm=config.decay_batch_norm,
            label_smoothing=config.label_smoothing,
            average_statistics=not config.synchronized_batch_norm,
        )

    def run(self, state):
        """Trains from a restored state to the last step; returns the last evaluation."""
        step, window = state["step"], _Window(**state["window"])
        for name, schedule in self._stateful_schedules().items():
            if name in state:
                schedule.restore(state[name])
        result = state.get("result")
        batches = iter(self._batches(step))
        steps_per_call = 1
        with show_progress(self._train_steps, step) as progress, stop_requests() as stop_requested:
            if step == self._train_steps:
                progress.note(f"Complete already: all {step} steps were taken.")
            elif step:
                progress.note(f"Continuing at step {step} of {self._train_steps}.")
            while step < self._train_steps:
                count = min(steps_per_call, self._steps_to_next_event(step))
                started = time.monotonic()
                with batches_lib.faults_named(self._source, self._indices(step, count)):
                    losses, hits = (
                        values.numpy() for values in self._take_steps(batches, tf.constant(count))
                    )
                seconds = time.monotonic() - started
                self._check_finite(losses, step)
                steps_per_call = _next_steps_per_call(count, seconds)
                window.add(losses, hits, seconds)
                step += count
                batch = self._config.global_batch_size
                progress.update(
                    count,
                    loss=float(losses[-1]),
                    accuracy=int(hits[-1]) / batch,
                    images_per_second=count * batch / seconds,
                )
                if self._is_due(step, self._config.log_every_steps):
                    self._log(step, window, progress)
                    window = _Window()
                if self._warmup and self._warmup.steps_to_decision():
                    errors = [1 - int(hit) / self._config.global_batch_size for hit in hits]
                    if self._warmup.observe(errors):
                        progress.note(f"The warm-up ends at step {step}.")
                # A checkpoint comes last: what it does not know of is done again after a kill.
                if self._is_due(step, self._evaluate_every):
                    self._check_weights(step)
                    result = self._evaluate(step, progress)
                    if self._plateau and self._plateau.observe(1 - result["top1"]):
                        progress.note(f"Plateau at step {step}: the learning rate falls.")
                stop = stop_requested()
                if stop or self._is_due(step, self._config.checkpoint_every_steps):
                    self._check_weights(step)
                    self._checkpoints.save(step, self._state(window, result))
                if stop and step < self._train_steps:
                    raise Interrupted(
                        f"Interrupted and saved at step {step} of {self._train_steps}. "
                        "The same command goes on from there."
                    )
            if not self._run.model.exists():
                result = self._evaluate(step, progress)
        return result

    def _state(self, window, result):
        """What a checkpoint keeps beside the variables."""
        states = {name: value.state() for name, value in self._stateful_schedules().items()}
        return {"window": window.to_json(), "result": result, **states}

    def _stateful_schedules(self):
        """The schedules that depend on what they observed, by their names in a checkpoint."""
        stateful = {"warmup": self._warmup, "plateau": self._plateau}
        return {name: schedule for name, schedule in stateful.items() if schedule is not None}

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

    def _is_due(self, step, period):
        return step % period == 0 or step == self._train_steps

    def _steps_to_next_event(self, step):
        periods = (
            self._config.log_every_steps,
            self._evaluate_every,
            self._config.checkpoint_every_steps,
        )
        events = [period - step % period for period in periods]
        if self._warmup and self._warmup.steps_to_decision():
            events.append(self._warmup.steps_to_decision())
        return min(self._train_steps - step, *events)

    def _check_finite(self, losses, step):
        if np.isfinite(losses).all():
            return
        position = int(np.argmin(np.isfinite(losses)))
        raise DivergedError(
            f"The loss is {losses[position]} at step {step + position + 1}. "
            f"{self._advice_after_divergence()}"
        )

    def _check_weights(self, step):
        """The loss of a step says nothing about the weights that the step leaves behind."""
        for variable in self._model.variables:
            if not np.isfinite(variable.numpy()).all():
                raise DivergedError(
                    f"The weights {variable.path} are not finite after step {step}. "
                    f"{self._advice_after_divergence()}"
                )

    def _advice_after_divergence(self):
        paths = self._checkpoints.paths()
        last = (
            f"The last good checkpoint is {paths[-1]}." if paths else "No checkpoint was written."
        )
        return f"{last} Try a lower --learning_rate, or another --dtype, in another --run_dir."

    def _log(self, step, window, progress):
        images = window.steps * self._config.global_batch_size
        row = {
            "step": step,
            "epoch": step * self._config.global_batch_size / len(self._source),
            "split": "train",
            "loss": window.loss / window.steps,
            "top1": window.hits / images,
            # The shortest number that rounds to the float32: 0.1, not 0.10000000149.
            "learning_rate": float(str(self._schedule(step - 1).numpy())),
            "images_per_second": images / window.seconds,
        }
        self._run.add_metrics(row)
        progress.log(row)

    def _evaluate(self, step, progress):
        progress.say("evaluating")
        with self._averaged_weights():
            result = {"step": step, **self._evaluator()}
            self._run.write_model(self._model)
        row = {
            "step": step,
            "epoch": step * self._config.global_batch_size / len(self._source),
            "split": "validation",
            **result,
        }
        self._run.add_metrics(row)
        progress.log(row)
        self._run.draw_curves()
        self._run.write_evaluation(result)
        progress.say("")
        return result

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


def _next_steps_per_call(count, seconds):
    return int(np.clip(SECONDS_PER_CALL * count / seconds, 1, MAX_STEPS_PER_CALL))
