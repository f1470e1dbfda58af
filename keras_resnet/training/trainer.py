"""Trains a network: sets up what a run needs, from its configuration or from its checkpoint."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_resnet.checks import UserError, check_local, check_text, shown
from keras_resnet.data.names import GIVEN
from keras_resnet.data.sources import Source
from keras_resnet.distribution import devices
from keras_resnet.distribution.watchdog import FIRST_CALL_SECONDS
from keras_resnet.distribution.workers import Workers, join_workers
from keras_resnet.evaluation.evaluator import Evaluator
from keras_resnet.process import onednn
from keras_resnet.process.memory import grow_gpu_memory, keep_freed_memory
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.environment import Environment, environment, software, start
from keras_resnet.runs.options import window
from keras_resnet.runs.run_directory import RunDirectory
from keras_resnet.runs.task import OfBatch, Task
from keras_resnet.training import changes
from keras_resnet.training.batches import TrainingBatches
from keras_resnet.training.compilation import compilation
from keras_resnet.training.early_statistics import EarlyStatistics
from keras_resnet.training.given import Given, given_sources
from keras_resnet.training.learner import Learner
from keras_resnet.training.loop import Loop, StopRequested
from keras_resnet.training.profiler import Profiler
from keras_resnet.training.rates import Rates, make_rates
from keras_resnet.training.records import OnMetrics, Records
from keras_resnet.training.speed import Speed
from keras_resnet.training.state import State
from keras_resnet.training.steps import TakeSteps, steps_function
from keras_resnet.training.timetable import Timetable


def train(
    config: TrainConfig,
    run_dir: str | os.PathLike[str],
    sources: Mapping[str, Given] | None = None,
    on_metrics: OnMetrics | None = None,
) -> dict[str, Any]:
    """Trains a network, from the beginning or from the newest good checkpoint in `run_dir`.

    Where TF_CONFIG describes several workers, each calls this with the same arguments. The first of
    them, the chief, alone reads and writes the run directory.

    Args:
      config: `TrainConfig`.
      run_dir: path of the run directory; see run_directory.py for what it holds.
      sources: images in place of the data set of the configuration: of "train", and "validation"
        unless `config.validation_images` are kept of the others, a `Source` or (images or paths,
        labels). Of a run that was begun with some a resumption needs the same again.
      on_metrics: function that is given each line of metrics when it is there, for a tracker of
        experiments: a dict of `step`, `epoch`, `split` ("train" or "validation") and figures. After
        a kill it gets those since the last checkpoint again. Only the chief calls it, and what it
        raises is noted and does not end the training.

    Returns:
      The last evaluation: the figures of the task by name, with `images` and `step`.

    Raises:
      UserError: the configuration, the data or the directory cannot be used; `DivergedError` when
        the loss is not finite.
      OSError: a file cannot be read or written.
      Interrupted: a signal asked to stop; the state was saved before.
      WorkerLostError: another worker died or does not answer.
    """
    if not isinstance(config, TrainConfig):
        raise UserError(f"`config` must be a TrainConfig. Received: {shown(config)}")
    if on_metrics is not None and not callable(on_metrics):
        raise UserError(f"`on_metrics` must be a function. Received: {shown(on_metrics)}")
    run_dir = check_local("run_dir", check_text("run_dir", run_dir))
    if sources is not None:
        config = config.with_options(dataset=GIVEN)
    _prepare_process(config)
    task = config.task.task(config)
    workers = join_workers(config.replicas, config.stall_seconds, _facts(config))
    _check_batch_size(config, workers)
    run = workers.on_chief(lambda: RunDirectory(run_dir, config))
    with workers.chief_first():
        images = task.sources() if sources is None else given_sources(sources, config)
    description = task.describe(images)
    workers.check_alike("data set", description)
    setup = workers.from_chief(lambda: _setup(task, images, run, description))
    seen = task.epoch(images["train"])
    timetable = Timetable.of(config, len(seen))
    rates = make_rates(config, timetable.last_step, len(seen) / config.global_batch_size)
    _check_rates(rates, task)
    keras.utils.set_random_seed(config.seed)
    with workers.strategy.scope():
        network = task.network(setup, images)
        learner = Learner.of(config, network, rates)
    compiled = _describe_devices(config, task, workers)
    here = _environments(config, workers, compiled)
    beginning = _Beginning(task, images, description, setup, learner, run, config, here)
    with run or contextlib.nullcontext():
        state = State.from_json(workers.from_chief(beginning.state))
        workers.copy_from_chief(learner.variables)
        learner.rates.restore(state.schedules)
        if not timetable.is_over(state.step, state.evaluations_since_best):
            _note_start(state, here, workers, run)
        figure = task.best
        batches = TrainingBatches(
            seen,
            task.training_example(network, seen),
            config.seed,
            config.global_batch_size,
            timetable.last_step,
            workers.strategy,
        )
        values_of = task.training_values(network, images["train"])
        loop = Loop(
            task=task,
            learner=learner,
            batches=batches,
            take_steps=_steps(config, task, values_of, learner, workers, compiled),
            statistics=EarlyStatistics(values_of, network, batches, workers, config.schedule),
            evaluate=_evaluation(config, task, network, images["validation"], workers),
            timetable=timetable,
            records=Records(
                workers,
                run,
                beginning.checkpoints,
                figure,
                state,
                config.global_batch_size,
                len(seen),
                on_metrics,
            ),
            profiler=_profiler(config, run),
            speed=_speed(config, network, workers),
            workers=workers,
            state=state,
        )
        return loop.run()


def _prepare_process(config: TrainConfig) -> None:
    keep_freed_memory()
    grow_gpu_memory()
    if onednn.is_left_off() and not tf.config.list_physical_devices("GPU"):
        print(
            "TensorFlow was imported without oneDNN, with which this processor trains about twice "
            f"as fast. It is too late in this process: set {onednn.VARIABLE}=1 before Python "
            "starts (or 0, if it is meant so)."
        )
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def _facts(config: TrainConfig) -> dict[str, Any]:
    """What must be the same for all workers."""
    options = json.loads(config.to_json())
    options |= options.pop(config.task.name)
    for place in ("data_dir", "boxes"):
        options.pop(place, None)  # Each may have the data elsewhere.
    return {**options, **software()}


def _check_batch_size(config: TrainConfig, workers: Workers) -> None:
    replicas = workers.strategy.num_replicas_in_sync
    if config.global_batch_size % replicas:
        raise UserError(
            "`global_batch_size` must be a multiple of the number of replicas. Received: "
            f"global_batch_size={config.global_batch_size} with {replicas} replicas"
        )


def _check_rates(rates: Rates, task: Task) -> None:
    if rates.steps_to_decision() and task.best.name not in task.sums:
        raise UserError(
            f"`warmup_error` must be 0 for a task whose training does not know its "
            f"{task.best.label}: the warm-up would have no end."
        )


def _setup(
    task: Task,
    sources: dict[str, Source],
    run: RunDirectory | None,
    description: dict[str, Any],
) -> dict[str, Any]:
    """What the first start of the run found out, or finds out now."""
    assert run is not None
    known = run.read_setup(
        description, task.check_setup, lambda data: task.explain_change(data, sources)
    )
    return task.setup(sources) if known is None else known


@dataclasses.dataclass
class _Beginning:
    """Where the chief begins, or goes on: the state and the variables that belong to it."""

    task: Task
    sources: dict[str, Source]
    description: dict[str, Any]
    setup: dict[str, Any]
    learner: Learner
    run: RunDirectory | None
    config: TrainConfig
    environments: list[Environment]

    def __post_init__(self) -> None:
        self.checkpoints: Checkpoints | None = None
        if self.run is not None:
            self.checkpoints = Checkpoints(
                self.run.checkpoints,
                self.config.keep_checkpoints,
                model=self.learner.network.variables,
                optimizer=self.learner.optimizer.variables,
            )

    def state(self) -> dict[str, Any]:
        """The `State` as JSON, of the newest good checkpoint, which is restored, or of step 0."""
        run, checkpoints = self.run, self.checkpoints
        assert run is not None and checkpoints is not None
        if not checkpoints.paths():
            self.task.check_beginning(self.learner.network, self.setup, self.sources)
        # Only now, when nothing in the configuration can be wrong any more.
        run.begin()
        run.write_data(self.description, self.setup)
        state = checkpoints.restore_newest()
        if state is None:
            state = self._first_state(run)
        state["rows"] = run.metrics.rewind(state["rows"])
        return state

    def _first_state(self, run: RunDirectory) -> dict[str, Any]:
        earlier = run.metrics.read()
        if earlier:
            print(
                f"There is no checkpoint in {run.checkpoints}, though the run has reached step "
                f"{earlier[-1]['step']}. It begins anew."
            )
        if not run.has_summary:
            self._summarize(run)
        self.task.begin(self.learner.network)
        return State(environments=self.environments).to_json()

    def _summarize(self, run: RunDirectory) -> None:
        summary = self.task.summary(self.setup, self.sources)
        if summary is not None:
            summary.write(run.path)
            print("\n".join(summary.lines()))


def _describe_devices(config: TrainConfig, task: Task, workers: Workers) -> bool:
    """Says what the training runs on; returns whether its steps are compiled."""
    replicas = workers.local_replicas
    gpus = devices.used_gpus(replicas)
    compiled, about_xla = compilation(config, task, workers, bool(gpus))
    description = devices.description(gpus, replicas, config.dtype, compiled)
    for line in (description, about_xla, devices.advice(gpus, config.dtype)):
        if line is not None:
            print(line)
    return compiled


def _environments(config: TrainConfig, workers: Workers, compiled: bool) -> list[Environment]:
    """With what each worker trains; the chief says where they differ."""
    gpus = [gpu.name for gpu in devices.used_gpus(workers.local_replicas)]
    own = environment(gpus, workers.strategy.num_replicas_in_sync, config.dtype, compiled)
    found = [json.loads(text) for text in workers.exchange(json.dumps(own).encode())]
    if workers.is_chief:
        _print_lines(changes.of_workers(found))
    return found


def _note_start(
    state: State, here: list[Environment], workers: Workers, run: RunDirectory | None
) -> None:
    """The chief says on what the training goes on otherwise than before, and takes note of it."""

    def note() -> None:
        assert run is not None
        _print_lines(changes.of_resumption(state.environments, here))
        run.add_start(start(state.step, here))

    workers.on_chief(note)
    state.environments = here


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _speed(config: TrainConfig, network: keras.Model, workers: Workers) -> Speed:
    local = workers.local_replicas
    peak = devices.peak_operations(devices.used_gpus(local), local, config.dtype)
    return Speed(network, workers.strategy.num_replicas_in_sync, peak)


def _profiler(config: TrainConfig, run: RunDirectory | None) -> Profiler:
    steps = config.profile_steps
    window_of_steps = None if steps is None else window("profile_steps", steps)
    return Profiler(window_of_steps, None if run is None else run.path / "profile")


def _steps(
    config: TrainConfig,
    task: Task,
    values_of: OfBatch,
    learner: Learner,
    workers: Workers,
    compiled: bool,
) -> TakeSteps:
    return steps_function(
        values_of,
        task.sums,
        learner.network,
        learner.optimizer,
        workers.strategy,
        global_batch_size=config.global_batch_size,
        weight_decay=config.weight_decay,
        decay_batch_norm=config.decay_batch_norm,
        average_statistics=not config.synchronized_batch_norm,
        jit_compile=compiled,
        watchdog=workers.watchdog,
    )


def _evaluation(
    config: TrainConfig, task: Task, network: keras.Model, source: Source, workers: Workers
) -> Callable[[StopRequested], dict[str, Any] | None]:
    """A function that evaluates the network: the task's figures, and the number of images."""
    evaluator = Evaluator(
        task.answers(network),
        source,
        task.evaluation_example(network, source),
        config.global_batch_size,
        workers,
    )

    def evaluate(stop_requested: StopRequested) -> dict[str, Any] | None:
        gathered = evaluator(stop_requested)
        if gathered is None:
            return None
        workers.begin("computing figures", FIRST_CALL_SECONDS)
        return {**task.evaluation(gathered, source), "images": len(source)}

    return evaluate
