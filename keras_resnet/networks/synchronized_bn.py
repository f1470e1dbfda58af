"""Batch normalization by the moments of the global batch, under `tf.distribute`.

Every replica must hold as many values as the next.
"""

from collections.abc import Callable

import tensorflow as tf

from keras_resnet.networks import frozen_bn


def has_other_replicas() -> bool:
    """Whether the calling code runs on several replicas, each with a part of the global batch."""
    replica = tf.distribute.get_replica_context()
    return replica is not None and replica.num_replicas_in_sync > 1


def global_moments(
    mean: tf.Tensor, variance: tf.Tensor, count: tf.Tensor | int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | int]:
    """Moments of the values of all replicas, from those of each; by one collective.

    Args:
      mean: [channels], of this replica's values.
      variance: [channels], the population's (divided by the number of values).
      count: number of this replica's values in a channel, an integer.

    Returns:
      The same three of the global batch, with the same bits on every replica.
    """
    replica = tf.distribute.get_replica_context()
    replicas = replica.num_replicas_in_sync
    # A sum of E[x^2] would do with one row, but E[x^2] - mean^2 cancels: where the mean is 100
    # deviations, float32 would keep three digits of the variance. So each replica fills a row of
    # its own, adding zeros to the others, which is exact. (`all_gather` takes a second collective
    # for the shapes.)
    row = tf.one_hot(replica.replica_id_in_sync_group, replicas, dtype=mean.dtype)
    rows = replica.all_reduce("sum", row[:, None, None] * tf.stack([mean, variance]))
    means, variances = tf.unstack(rows, axis=1)
    mean = tf.reduce_mean(means, axis=0)
    variance = tf.reduce_mean(variances + (means - mean) ** 2, axis=0)
    return mean, variance, count * replicas


def unbiased(variance: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """The unbiased variance, n / (n - 1) times the population's; 0 for one value."""
    # As a factor TensorFlow would merge it with the one of the moving average, but on some replicas
    # only: their statistics would differ in the last bit.
    return variance + variance / tf.cast(tf.maximum(count - 1, 1), variance.dtype)


def batch_normalization(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalizes by the moments of the global batch with TensorFlow's fused kernels.

    There are two passes over x forward, for the moments and for the outputs, and three backward;
    the plain formula and autodiff take two to three and a half times as long. Forward and backward
    have one collective each.

    Args:
      x: float32, bfloat16 or float16 [batch, height, width, channels], this replica's.
      gamma, beta: float32 [channels].
      epsilon: added to the variance, a number.

    Returns:
      outputs like x, and float32 [channels] mean and unbiased variance (n / (n - 1) times the
      population's) of the global batch. Gradients go through the outputs only: that of x is of the
      loss of all replicas, those of gamma and beta are this replica's part of a sum over replicas.

    Source: Ioffe and Szegedy, 2015, section 3.
    """

    @tf.custom_gradient
    def normalize(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[
        tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]],
    ]:
        count = tf.size(x) // tf.shape(x)[-1]
        _, mean, unbiased_variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta)
        variance = unbiased_variance - unbiased_variance / tf.cast(count, tf.float32)
        mean, variance, count = global_moments(mean, variance, count)
        moments = {"mean": mean, "variance": variance, "epsilon": epsilon, "is_training": False}
        outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, **moments)

        def gradient(dy: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            dx, dgamma, dbeta = frozen_bn.gradients(dy, x, gamma, mean, variance, epsilon)
            # The moments depend on x as well: x_hat * mean(dy * x_hat) + mean(dy), means over the
            # global batch, comes off dy. It is a normalization of x with another gamma and beta.
            replica = tf.distribute.get_replica_context()
            sums = replica.all_reduce("sum", tf.stack([dgamma, dbeta]))
            factor = -gamma * tf.math.rsqrt(variance + epsilon) / tf.cast(count, tf.float32)
            scale, offset = tf.unstack(factor * sums)
            through_moments, _, _ = tf.compat.v1.nn.fused_batch_norm(x, scale, offset, **moments)
            return dx + through_moments, dgamma, dbeta

        return (outputs, mean, unbiased(variance, count)), gradient

    return normalize(x, gamma, beta)
