"""Trains a network: sets up what a run needs, from its configuration or from its checkpoint."""

import contextlib
import functools
import json

import keras
import tensorflow as tf

from keras_resnet import constructors
from keras_resnet.checks import UserError
from keras_resnet.classification import fine_tuning
from keras_resnet.distribution.workers import join_workers
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.layer_tree import zero_last_gammas
from keras_resnet.process import onednn
from keras_resnet.process.memory import keep_freed_memory
from keras_resnet.runs.checkpoints import Checkpoints
from keras_resnet.runs.run_directory import RunDirectory
from keras_resnet.training import schedules
from keras_resnet.training.inputs import (
    make_augmentation,
    make_preprocessing,
    make_sources,
    with_copies,
)
from keras_resnet.training.loop import Loop, State
from keras_resnet.version import __version__


def train(config, run_dir):
    """Trains a network, from the beginning or from the newest good checkpoint in `run_dir`.

    Where TF_CONFIG describes several workers, each calls this with the same arguments. The first of
    them, the chief, alone reads and writes the run directory.

    Args:
      config: `TrainConfig`.
      run_dir: path of the run directory; see run_directory.py for what it holds.

    Returns:
      The last evaluation, a dict as of `Evaluator`, with `step`.

    Raises:
      UserError: the configuration, the data or the directory cannot be used; `DivergedError` when
        the loss is not finite.
      OSError: a file cannot be read or written.
      Interrupted: SIGINT or SIGTERM came; the state was saved before.
      WorkerLostError: another worker died or does not answer.
    """
    keep_freed_memory()
    if onednn.is_left_off() and not tf.config.list_physical_devices("GPU"):
        print(
            "TensorFlow was imported without oneDNN, with which this processor trains about twice "
            f"as fast. It is too late in this process: set {onednn.VARIABLE}=1 before Python "
            "starts (or 0, if it is meant so)."
        )
    construct = constructors.constructor(config.network, config.depth)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    workers = join_workers(config.replicas, config.stall_seconds, _facts(config))
    replicas = workers.strategy.num_replicas_in_sync
    if config.global_batch_size % replicas:
        raise UserError(
            "`global_batch_size` must be a multiple of the number of replicas. Received: "
            f"global_batch_size={config.global_batch_size} with {replicas} replicas"
        )
    run = workers.on_chief(lambda: RunDirectory(run_dir, config))
    with workers.chief_first():
        sources = dict(zip(("train", "validation"), make_sources(config), strict=True))
    description = _description(sources)
    workers.check_alike("data set", description)

    @functools.cache
    def weights():
        return fine_tuning.initial_weights(config)

    def begun_setup():
        setup = run.read_setup(description)
        if setup is None:
            setup = _setup(config, sources["train"], weights)
        return {**setup, "preprocessing": setup["preprocessing"].to_json()}

    setup = workers.from_chief(begun_setup)
    preprocessing = Preprocessing.from_json(setup["preprocessing"])
    bottleneck_stride = setup["bottleneck_stride"] or config.bottleneck_stride
    augmentation = make_augmentation(config, preprocessing, sources["train"])
    sources["train"] = with_copies(sources["train"], augmentation)
    steps_per_epoch = len(sources["train"]) / config.global_batch_size
    train_steps = config.train_steps or max(1, round(config.train_epochs * steps_per_epoch))

    keras.utils.set_random_seed(config.seed)
    with workers.strategy.scope():
        model = construct(
            input_shape=(preprocessing.size, preprocessing.size, preprocessing.channels),
            classes=len(sources["train"].class_names),
            synchronized=config.synchronized_batch_norm,
            preprocessing=preprocessing,
            class_names=sources["train"].class_names,
            dtype=config.dtype,
            bottleneck_stride=bottleneck_stride,
            **{
                name: getattr(config, name)
                for name in ("shortcut", "stem", "block", "activation")
                if getattr(config, name) is not None
            },
        )
        if config.zero_last_gamma:
            zero_last_gammas(model)
        fine_tuning.freeze(model, config)
        schedule = _schedule(config, train_steps, steps_per_epoch)
        optimizer = keras.optimizers.SGD(
            schedule,
            momentum=config.momentum,
            use_ema=config.ema_momentum is not None,
            ema_momentum=config.ema_momentum or 0.0,
        )
        optimizer.build(model.trainable_variables)
    checkpoints = run and Checkpoints(
        run.checkpoints,
        config.keep_checkpoints,
        model=model.variables,
        optimizer=optimizer.variables,
    )

    def begun_state():
        if config.weights is not None and not checkpoints.paths():
            fine_tuning.check_fits(model, weights())
            now = _setup(config, sources["train"], weights)
            if now != {**setup, "preprocessing": preprocessing}:
                raise UserError(
                    f"{weights().path} expects other images than when this run began: it was "
                    "replaced. Restore it, or name another --run_dir."
                )
        # Only now, when nothing in the configuration can be wrong any more.
        run.begin()
        run.write_data(description, preprocessing, setup["bottleneck_stride"])
        state = checkpoints.restore_newest()
        if state is None:
            earlier = run.metrics()
            if earlier:
                print(
                    f"There is no checkpoint in {run.checkpoints}, though the run has reached step "
                    f"{earlier[-1]['step']}. It begins anew."
                )
            if config.weights is not None:
                fine_tuning.begin_with(model, weights())
            state = State(replicas=replicas, onednn=onednn.is_on()).to_json()
        state["rows"] = run.rewind_metrics(state["rows"])
        return state

    with run or contextlib.nullcontext():
        state = State.from_json(workers.from_chief(begun_state))
        workers.copy_from_chief([*model.variables, *optimizer.variables])
        if state.replicas != replicas:
            print(
                f"This training was on {state.replicas} replicas and goes on with {replicas}: the "
                "same batches, but not the same bits."
            )
            state.replicas = replicas
        if state.step < train_steps and state.onednn != onednn.is_on():
            print(_note_on_onednn(state.onednn))
            state.onednn = onednn.is_on()
        loop = Loop(
            config,
            workers=workers,
            run=run,
            checkpoints=checkpoints,
            model=model,
            optimizer=optimizer,
            schedule=schedule,
            sources=sources,
            augmentation=augmentation,
            train_steps=train_steps,
            state=state,
        )
        return loop.run()


def _note_on_onednn(before):
    """What is to be said where a training goes on otherwise than before, or may do so."""
    now = "with oneDNN" if onednn.is_on() else "without oneDNN"
    if before is None:
        return (
            f"This training goes on {now}. It was begun by a version that did not note whether it "
            f"ran so; if not, the bits differ from here on ({onednn.VARIABLE} sets it)."
        )
    return (
        f"This training was {'with' if before else 'without'} oneDNN and goes on {now}: the same "
        f"batches, but not the same bits. {onednn.VARIABLE}={int(before)} keeps it as it was."
    )


def _setup(config, source, weights):
    """What a run is to remember of its first start; see `RunDirectory.read_setup`."""
    if config.weights is None:
        return {"preprocessing": make_preprocessing(config, source), "bottleneck_stride": None}
    file = weights()
    stride = None
    if config.network == "ResNet" and config.depth >= 50:
        stride = file.check_stride(config.bottleneck_stride)
    return {
        "preprocessing": fine_tuning.preprocessing_of(file, config),
        "bottleneck_stride": stride,
    }


def _facts(config):
    """What must be the same for all workers."""
    options = json.loads(config.to_json())
    del options["data_dir"]  # Each may have the data elsewhere.
    return {"keras_resnet": __version__, "tensorflow": tf.__version__, **options}


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
