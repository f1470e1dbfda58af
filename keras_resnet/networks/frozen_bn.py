"""Batch normalization by given moments, as constants: what frozen layers train through."""

from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled


def batch_normalization(
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
) -> tf.Tensor:
    """The fused kernel's outputs, with gradients that every device has.

    Those of TensorFlow's kernel raise on a GPU where determinism is asked for.

    Args:
      x: float32, bfloat16 or float16 [batch, height, width, channels].
      gamma, beta, mean, variance: float32 [channels]; no gradients go to the moments.
      epsilon: added to the variance, a number.

    Returns:
      Outputs like x.
    """

    @tf.custom_gradient
    def normalize(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
        outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
            x, gamma, beta, mean, variance, epsilon, is_training=False
        )
        return outputs, lambda dy: gradients(dy, x, gamma, mean, variance, epsilon)

    return normalize(x, gamma, beta)


def gradients(
    dy: tf.Tensor,
    x: tf.Tensor,
    gamma: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The gradients of x, gamma and beta, as if the moments were constants.

    Args:
      dy: gradient of the outputs, like x.
      x, gamma, mean, variance, epsilon: see `batch_normalization`.
    """
    if is_op_determinism_enabled():
        return _gradients_by_formula(dy, x, gamma, mean, variance, epsilon)
    # One pass over the images, where the formula takes four.
    dx, dgamma, dbeta, _, _ = tf.raw_ops.FusedBatchNormGradV3(
        y_backprop=dy,
        x=x,
        scale=gamma,
        reserve_space_1=mean,
        reserve_space_2=variance,
        reserve_space_3=[],
        epsilon=epsilon,
        is_training=False,
    )
    return dx, dgamma, dbeta


def _gradients_by_formula(
    dy: tf.Tensor,
    x: tf.Tensor,
    gamma: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    wide = tf.cast(dy, tf.float32)
    inverse_deviation = tf.math.rsqrt(variance + epsilon)
    normalized = (tf.cast(x, tf.float32) - mean) * inverse_deviation
    return (
        tf.cast(wide * (gamma * inverse_deviation), x.dtype),
        tf.reduce_sum(wide * normalized, axis=[0, 1, 2]),
        tf.reduce_sum(wide, axis=[0, 1, 2]),
    )
