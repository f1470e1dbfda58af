"""Which devices a training runs on."""

import collections
import contextlib
import functools
import signal
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow.python.eager import context

from keras_resnet.checks import UserError
from keras_resnet.distribution.alarm import Alarm
from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.lost import is_of_loss, loss_of

# TensorFlow connects workers, which have met before, within a second or two.
CONNECT_SECONDS = 60
# After which one that does not connect counts as dead.
_REGISTER_SECONDS = 30
# After which a worker that is not heard of counts as dead; after half of them at the earliest.
# TCP, which doubles its pauses, may take twice as long as a stall to go on after it: stalls of 10 s
# are survived. More would not help: gRPC gives up a connection after 20 s (docs/reliability.md).
HEARTBEAT_SECONDS = 48


def make_strategy(replicas: int, cluster: Cluster | None = None) -> tf.distribute.Strategy:
    """The tf.distribute strategy for a number of replicas on this machine.

    Args:
      replicas: 0 for every GPU, else one CPU; N for N GPUs, or without any N logical CPUs. Of
        several workers each has as many.
      cluster: `Cluster`; None: this process trains alone.

    Raises:
      UserError: there are not so many devices, or TensorFlow cannot connect the workers.
      WorkerLostError: another worker died meanwhile.
    """
    cluster = cluster or Cluster()
    gpus = tf.config.list_physical_devices("GPU")
    wanted = replicas or max(1, len(gpus))
    if gpus and wanted > len(gpus):
        raise UserError(
            f"`replicas` must be at most the number of GPUs, {len(gpus)}. "
            f"Received: replicas={replicas}"
        )
    if cluster.num_workers > 1:
        return _connect_workers(cluster, wanted, gpus)
    if gpus:
        return strategy_of_devices([f"GPU:{index}" for index in range(wanted)])
    if wanted == 1:
        return tf.distribute.get_strategy()
    _make_logical_cpus(wanted)
    return tf.distribute.MirroredStrategy(
        [f"CPU:{index}" for index in range(wanted)],
        # Collectives clash between two strategies of one process: a notebook may train twice.
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )


def strategy_of_devices(devices: Sequence[str]) -> tf.distribute.Strategy:
    """The strategy over some devices of one kind that have memories of their own, such as GPUs.

    Batches are copied to them while they compute those before. What replicas tell each other at
    once is one message.

    Args:
      devices: their names, such as "GPU:0".
    """
    return _strategy_of_devices(tuple(devices))


# Two strategies of one process would number their collectives alike, and each take the other's: a
# second training, as of `paper degradation`, would fail.
@functools.cache
def _strategy_of_devices(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    if len(devices) == 1:
        return tf.distribute.OneDeviceStrategy(devices[0])
    return tf.distribute.MirroredStrategy(devices)


def _connect_workers(
    cluster: Cluster, wanted: int, gpus: Sequence[tf.config.PhysicalDevice]
) -> tf.distribute.Strategy:
    if not gpus and wanted > 1:
        raise UserError(
            "`replicas` must be 0 or 1 for several workers without GPUs: more workers are more "
            f"replicas. Received: replicas={wanted}"
        )
    try:
        tf.config.set_visible_devices(gpus[:wanted], "GPU")
        _set_heartbeat(cluster)
        with _signals_held(), _alarm_after(CONNECT_SECONDS):
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise UserError(
            "On several workers a process trains once, before TensorFlow computes anything in it: "
            f"start a process for each training. ({error})"
        ) from error
    except tf.errors.OpError as error:
        if is_of_loss(error):
            raise loss_of(cluster, error) from error
        raise UserError(
            f"TensorFlow cannot connect {cluster.describe(cluster.index)} with the other workers: "
            f"{error.message}"
        ) from error
    # All workers have as many batches, so none need ask the others before each whether they do.
    strategy.extended.experimental_enable_get_next_as_optional = False
    return strategy


def _set_heartbeat(cluster: Cluster) -> None:
    """Says how long TensorFlow may hear nothing of a worker; it has 10 s, and no option for it.

    The strategy leaves the service that watches over workers as it is configured before.
    """
    jobs = tf.compat.v1.ConfigProto().experimental.coordination_config.coordinated_job_list
    for name, number in collections.Counter(job for job, _, _ in cluster.tasks).items():
        jobs.add(name=name, num_tasks=number)
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{cluster.tasks[0][0]}/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * _REGISTER_SECONDS,
        heartbeat_timeout_in_ms=1000 * HEARTBEAT_SECONDS,
        coordinated_jobs=list(jobs),
    )


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Puts SIGTERM off, and restores what becomes of it.

    TensorFlow takes SIGTERM for itself when it connects workers, and does nothing for us with it.
    """
    handler = signal.getsignal(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


@contextlib.contextmanager
def _alarm_after(seconds: float) -> Iterator[None]:
    """Ends the process where TensorFlow hangs, which no thread of Python could meanwhile do."""
    alarm = Alarm(seconds)
    alarm.put_off()
    try:
        yield
    finally:
        alarm.end()


def _make_logical_cpus(number: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        logical = [tf.config.LogicalDeviceConfiguration()] * number
        tf.config.set_logical_device_configuration(cpu, logical)
    except RuntimeError as error:  # TensorFlow has its devices already.
        if len(tf.config.list_logical_devices("CPU")) < number:
            raise UserError(
                f"{number} logical CPUs must be asked for before TensorFlow computes anything in "
                "this process: call train() first, or start keras-resnet imagenet."
            ) from error
