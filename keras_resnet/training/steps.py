"""Training steps as one TensorFlow function: loss, gradients, L2 and update, on all replicas."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from keras_resnet.distribution.watchdog import Watchdog
from keras_resnet.networks.layer_tree import batch_norms, moving_statistics
from keras_resnet.runs.task import OfBatch
from keras_resnet.training.clock import time_after

# See `steps_function`.
TakeSteps: TypeAlias = Callable[[Any, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def steps_function(
    values_of: OfBatch,
    sums: Sequence[str],
    network: keras.Model,
    optimizer: keras.Optimizer,
    strategy: tf.distribute.Strategy,
    *,
    global_batch_size: int,
    weight_decay: float,
    average_statistics: bool,
    decay_batch_norm: bool = True,
    jit_compile: bool = False,
    watchdog: Watchdog | None = None,
) -> TakeSteps:
    """A tf.function that takes several training steps.

    The loss is the mean of that of the images of the global batch. To its gradient comes the
    paper's L2 term, weight_decay * w, for the trainable variables. Gradients are summed over the
    replicas, in one message.

    Args:
      values_of: function from a batch to values of each of its images, [b] by name.
      sums: names of those to sum; the first is the loss.
      network: Keras model that it trains.
      optimizer: Keras optimizer, built.
      strategy: the strategy that both were made under.
      global_batch_size: images per step, over all replicas.
      weight_decay: coefficient of the L2 term.
      decay_batch_norm: whether the scales and offsets of batch normalizations have the L2 term too.
      average_statistics: give all replicas the mean of their moving statistics after each step.
      jit_compile: compile the step by XLA; of several replicas each compiles its gradients, and
        what they tell each other follows uncompiled. Not with `synchronized` normalizations.
      watchdog: `Watchdog` that is told of every batch and step; None: there is none.

    Returns:
      A function of (iterator of distributed `stamped` batches, number of steps as int32 tensor)
      that returns the sums over the global batch of each step, float64 [steps, sums], and times,
      float64 [steps, 4]: when the batch of each was made and, where there is a watchdog, when it
      was there, its gradients, and what followed of them on all replicas; seconds, 0: unknown.
    """
    replicas = strategy.num_replicas_in_sync
    variables = network.trainable_variables
    statistics = _moving_statistics(network) if replicas > 1 and average_statistics else []
    decays = [
        weight_decay if decay_batch_norm or not _is_of_batch_norm(variable) else 0.0
        for variable in variables
    ]

    @tf.autograph.experimental.do_not_convert
    def gradients_and_sums(batch: Any) -> tuple[list[tf.Tensor], tf.Tensor]:
        with tf.GradientTape() as tape:
            values = values_of(batch)
            loss = tf.reduce_sum(values[sums[0]]) / global_batch_size
        # apply_gradients sums over the replicas: each adds its part of the L2 term.
        gradients = [
            gradient + decay / replicas * tf.convert_to_tensor(variable) if decay else gradient
            for gradient, variable, decay in zip(
                tape.gradient(loss, variables), variables, decays, strict=True
            )
        ]
        totals = [tf.cast(tf.reduce_sum(values[name]), tf.float64) for name in sums]
        return gradients, tf.stack(totals)

    if jit_compile and replicas > 1:
        gradients_and_sums = tf.function(gradients_and_sums, jit_compile=True, autograph=False)

    @tf.autograph.experimental.do_not_convert
    def replica_step(batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        gradients, totals = gradients_and_sums(batch)
        computed = _time_of([totals, *gradients], watchdog)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        _average_over_replicas(statistics)
        # They are known before the other replicas' gradients: a step ends with its updates.
        ends = variables if watchdog is not None else []
        with tf.control_dependencies([tf.convert_to_tensor(variable) for variable in ends]):
            return tf.identity(totals), computed

    if jit_compile and replicas == 1:
        replica_step = tf.function(replica_step, jit_compile=True, autograph=False)

    @tf.function
    def take_steps(batches: Any, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        totals = tf.TensorArray(tf.float64, count, element_shape=[len(sums)])
        times = tf.TensorArray(tf.float64, count, element_shape=[4])
        for position in tf.range(count):
            batch, made_of_replicas = next(batches)
            made = strategy.experimental_local_results(made_of_replicas)[-1]
            parts = strategy.experimental_local_results(tf.nest.flatten(batch)[-1])
            # TensorFlow asks its clock in the order of these lines.
            there = _time_of(parts, watchdog)
            if watchdog is not None:
                watchdog.count_begun(parts)
            of_replicas, computed = strategy.run(replica_step, args=(batch,))
            # Added up where the first replica is: not on the host, which no step needs.
            with tf.device(strategy.extended.worker_devices[0] if replicas > 1 else None):
                of_step = strategy.reduce("sum", of_replicas, axis=None)
            if watchdog is not None:
                watchdog.count_done([of_step])
            totals = totals.write(position, of_step)
            ended = _time_of([of_step], watchdog)
            computed = tf.reduce_max(strategy.experimental_local_results(computed))
            times = times.write(position, tf.stack([made, there, computed, ended]))
        return totals.stack(), times.stack()

    return take_steps


def _time_of(values: Sequence[tf.Tensor], watchdog: Watchdog | None) -> tf.Tensor:
    """When values are there; not for one process alone, which would wait for its GPU to say so."""
    return time_after(values) if watchdog is not None else tf.constant(0.0, tf.float64)


def _moving_statistics(network: keras.Model) -> list[keras.Variable]:
    """Those that training moves."""
    pairs = zip(batch_norms(network), moving_statistics(network), strict=True)
    return [statistic for norm, pair in pairs if norm.trainable for statistic in pair]


def _average_over_replicas(statistics: list[keras.Variable]) -> None:
    """Gives all replicas the mean of what each has moved: a checkpoint holds one value of each."""
    if not statistics:
        return
    context = tf.distribute.get_replica_context()
    values = [tf.convert_to_tensor(statistic) for statistic in statistics]
    # As one vector: one message between replicas, not one for each layer.
    vector = tf.concat([tf.reshape(value, [-1]) for value in values], axis=0)
    parts = tf.split(context.all_reduce("mean", vector), [tf.size(v) for v in values])
    for statistic, value, part in zip(statistics, values, parts, strict=True):
        statistic.assign(tf.reshape(part, value.shape))


def _is_of_batch_norm(variable: keras.Variable) -> bool:
    """Whether it is a scale or an offset; those of stacked blocks are named as in bn1_gamma."""
    return variable.name.endswith(("gamma", "beta"))
