"""Which other worker is lost, after an error of TensorFlow."""

import tensorflow as tf

from keras_resnet.distribution.cluster import Cluster

# What TensorFlow raises when a worker does not answer.
_SIGNS = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
)

RESUME = "The same command on all workers resumes from the last checkpoint."


class WorkerLostError(Exception):
    """Another worker died or does not answer; the message names it."""


def is_of_loss(error: tf.errors.OpError) -> bool:
    """Whether an error says that a worker does not answer."""
    return isinstance(error, _SIGNS) or "Collective ops is aborted" in str(error)


def loss_of(cluster: Cluster, error: tf.errors.OpError) -> WorkerLostError:
    """What to raise for an error that says that a worker does not answer."""
    text = str(error)
    lost = cluster.named_in(text)
    if not lost and "CoordinationService" in text and not cluster.is_chief:
        lost = [0]  # The chief has this service.
    names = " and ".join(map(cluster.describe, lost)) or "another worker"
    return WorkerLostError(
        f"{names} died or does not answer, or the network is down; its own output may say why. "
        f"{cluster.describe(cluster.index)} ends too. {RESUME}"
    )
