"""Whether XLA compiles the training step: as asked, as the device is, and as XLA can."""

import tensorflow as tf

from keras_resnet.distribution.workers import Workers
from keras_resnet.runs.config import TrainConfig


def is_compiled(config: TrainConfig, workers: Workers, has_gpu: bool) -> bool:
    """Whether the steps of a training are compiled; says so where that is not what was asked for.

    Args:
      config: `TrainConfig`, whose `jit_compile` asks for it, or leaves it to the device.
      workers: `Workers`: all compile, or none.
      has_gpu: whether it runs on GPUs. There XLA fuses what else are single passes over the
        memory; on a processor its steps take three times as long.
    """
    wanted = has_gpu if config.jit_compile is None else config.jit_compile
    reason = _refusal(config, workers.strategy, has_gpu) if wanted else None
    all_can = workers.share([wanted and reason is None]).all()
    if not wanted or all_can:
        return bool(all_can)
    reason = reason or "that of another worker cannot"
    print(f"XLA does not compile the training step: {reason}. The training goes on without.")
    return False


def _refusal(config: TrainConfig, strategy: tf.distribute.Strategy, has_gpu: bool) -> str | None:
    """Why XLA cannot compile the step; None: it can."""
    if config.synchronized_batch_norm and strategy.num_replicas_in_sync > 1:
        return "synchronized batch normalizations ask the other replicas in its midst"
    if config.deterministic and has_gpu:
        return "on a GPU it has no deterministic gradient of max pooling"
    with tf.device("GPU:0" if has_gpu else "CPU:0"):
        return compiler_error(tf.math.tanh)


def compiler_error(function: object) -> str | None:
    """Why XLA does not compile a function of a float32 vector here; None: it does.

    On a GPU it needs files of CUDA (libdevice, ptxas) that a machine may lack.
    """
    try:
        tf.function(function, jit_compile=True, autograph=False)(tf.ones([2]))
    except (tf.errors.OpError, ValueError) as error:
        lines = str(getattr(error, "message", error)).strip().splitlines()
        return lines[0].rstrip(".") if lines else type(error).__name__
    return None
