"""Errors as TensorFlow raised them when a worker was killed."""

import pytest
import tensorflow as tf

from keras_resnet.distribution.cluster import Cluster
from keras_resnet.distribution.lost import is_of_loss, loss_of

TASKS = (("worker", 0, "a:1"), ("worker", 1, "b:2"), ("worker", 2, "c:3"))

HEARTBEAT = """
The following tasks are unhealthy (stopped sending heartbeats):
/job:worker/replica:0/task:1
The tasks have crashed. Check the task logs for an earlier error.
"""
NO_SERVICE = "Deadline Exceeded\n\nRPC: /tensorflow.CoordinationService/RegisterTask"


@pytest.mark.parametrize(
    "error, index, named",
    [
        (tf.errors.UnavailableError(None, None, HEARTBEAT), 0, "worker 1 (b:2)"),
        # The chief has the service of coordination.
        (tf.errors.DeadlineExceededError(None, None, NO_SERVICE), 2, "worker 0 (a:1, the chief)"),
        (tf.errors.DeadlineExceededError(None, None, NO_SERVICE), 0, "another worker"),
        (tf.errors.InternalError(None, None, "Collective ops is aborted"), 1, "another worker"),
    ],
)
def test_the_lost_worker_is_named(error, index, named):
    cluster = Cluster(TASKS, index)
    assert is_of_loss(error)
    message = str(loss_of(cluster, error))
    assert message.startswith(f"{named} died or does not answer, or the network is down; ")
    assert f". {cluster.describe(index)} ends too. " in message


def test_other_errors_are_of_no_loss():
    assert not is_of_loss(tf.errors.InvalidArgumentError(None, None, "a shape"))
    assert not is_of_loss(tf.errors.UnknownError(None, None, "Could not start gRPC server"))
