"""Whether XLA compiles the training step: as asked, as the device is, and as XLA can."""

import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled

from keras_resnet.distribution.workers import Workers
from keras_resnet.runs.config import TrainConfig
from keras_resnet.runs.task import Task

_OF_PLACES = ("Graph execution error", "Detected at node", " ", "<")


def compilation(
    config: TrainConfig, task: Task, workers: Workers, has_gpu: bool
) -> tuple[bool, str | None]:
    """Whether the steps of a training are compiled, and what is to be said of it.

    Args:
      config: `TrainConfig`, whose `jit_compile` asks for it, or leaves it to the device.
      task: `Task`, whose step may be one that it cannot compile.
      workers: `Workers`: all compile, or none.
      has_gpu: whether it runs on GPUs. There XLA fuses what else are single passes over the
        memory; on a processor its steps take three times as long.

    Returns:
      Whether they are, and a line to be said, or None.
    """
    wanted = has_gpu if config.jit_compile is None else config.jit_compile
    reason = _refusal(config, task, workers.strategy, has_gpu) if wanted else None
    can = workers.share([wanted and reason is None])[:, 0]
    if not wanted:
        return False, None
    if can.all():
        return True, "XLA compiles the first step, which takes much longer for it."
    reason = reason or "another worker, whose output says why, cannot"
    return False, f"XLA does not compile the training step: {reason}. It goes on without."


def _refusal(
    config: TrainConfig, task: Task, strategy: tf.distribute.Strategy, has_gpu: bool
) -> str | None:
    """Why XLA cannot compile the step; None: it can."""
    if not task.can_be_compiled:
        return "lying and upright pictures of a batch are looked at apart, as many as there are"
    if config.synchronized_batch_norm and strategy.num_replicas_in_sync > 1:
        return "synchronized batch normalizations ask the other replicas in its midst"
    # By this training, or one before it in this process.
    if is_op_determinism_enabled():
        return "it has no deterministic gradient of max pooling"
    with tf.device("GPU:0" if has_gpu else "CPU:0"):
        return compiler_error(tf.math.tanh)


def compiler_error(function: object) -> str | None:
    """Why XLA does not compile a function of a float32 vector here; None: it does.

    On a GPU it needs files of CUDA (libdevice, ptxas) that a machine may lack.
    """
    try:
        tf.function(function, jit_compile=True, autograph=False)(tf.ones([2]))
    except (tf.errors.OpError, ValueError) as error:
        lines = str(getattr(error, "message", error)).splitlines()
        # An error of a graph begins with where in the code an operation was made.
        said = [line for line in lines if line.strip() and not line.startswith(_OF_PLACES)]
        return said[0].strip().rstrip(".") if said else type(error).__name__
    return None
