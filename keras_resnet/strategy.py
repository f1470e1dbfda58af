"""Which devices a training runs on."""

import tensorflow as tf

from keras_resnet.checks import UserError


def make_strategy(replicas):
    """The tf.distribute strategy for a number of replicas on this machine.

    Args:
      replicas: 0 for every GPU, else one CPU; N for N GPUs, or without any N logical CPUs.

    Raises:
      UserError: there are not so many devices.
    """
    gpus = tf.config.list_physical_devices("GPU")
    wanted = replicas or max(1, len(gpus))
    if gpus and wanted > len(gpus):
        raise UserError(
            f"`replicas` must be at most the number of GPUs, {len(gpus)}. "
            f"Received: replicas={replicas}"
        )
    if wanted == 1:
        return tf.distribute.get_strategy()
    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(wanted)])
    _make_logical_cpus(wanted)
    return tf.distribute.MirroredStrategy(
        [f"CPU:{index}" for index in range(wanted)],
        # Collectives clash between two strategies of one process: a notebook may train twice.
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def _make_logical_cpus(number):
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        logical = [tf.config.LogicalDeviceConfiguration()] * number
        tf.config.set_logical_device_configuration(cpu, logical)
    except RuntimeError as error:  # TensorFlow has its devices already.
        if len(tf.config.list_logical_devices("CPU")) < number:
            raise UserError(
                f"{number} logical CPUs must be asked for before TensorFlow computes anything in "
                "this process: call train() first, or start a program of launch/."
            ) from error
