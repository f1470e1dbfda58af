"""Training steps as one TensorFlow function: loss, gradients, L2 and update, on all replicas."""

import keras
import tensorflow as tf

from keras_resnet.networks.layer_tree import batch_norms, moving_statistics


def steps_function(
    network,
    optimizer,
    strategy,
    *,
    global_batch_size,
    weight_decay,
    average_statistics,
    decay_batch_norm=True,
    label_smoothing=0.0,
    watchdog=None,
):
    """A tf.function that takes several training steps.

    The loss is the cross-entropy of the global batch. To its gradient comes the paper's L2 term,
    weight_decay * w, for the trainable variables. Gradients are summed over the replicas.

    Args:
      network: Keras model from images to logits.
      optimizer: Keras optimizer, built.
      strategy: the strategy that both were made under.
      global_batch_size: images per step, over all replicas.
      weight_decay: coefficient of the L2 term.
      decay_batch_norm: whether the scales and offsets of batch normalizations have the L2 term too.
      label_smoothing: share of the target that is spread evenly over all classes.
      average_statistics: give all replicas the mean of their moving statistics after each step.
      watchdog: `Watchdog` that is told of every batch and step; None: there is none.

    Returns:
      A function of (iterator of distributed batches, number of steps as int32 tensor) that returns
      the loss (in the logits' dtype) and the number of correct top-1 answers (int64) of each step.
    """
    replicas = strategy.num_replicas_in_sync
    variables = network.trainable_variables
    statistics = [
        statistic
        for norm, pair in zip(batch_norms(network), moving_statistics(network), strict=True)
        if norm.trainable
        for statistic in pair
    ]
    decays = [
        weight_decay if decay_batch_norm or not _is_of_batch_norm(variable) else 0.0
        for variable in variables
    ]

    @tf.autograph.experimental.do_not_convert
    def replica_step(images, labels):
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            losses = _cross_entropy(labels, logits, label_smoothing)
            loss = tf.reduce_sum(losses) / global_batch_size
        # apply_gradients sums over the replicas: each adds its part of the L2 term.
        gradients = [
            gradient + decay / replicas * tf.convert_to_tensor(variable) if decay else gradient
            for gradient, variable, decay in zip(
                tape.gradient(loss, variables), variables, decays, strict=True
            )
        ]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if replicas > 1 and average_statistics and statistics:
            # Each replica has moved its own; a checkpoint holds one value of a variable.
            context = tf.distribute.get_replica_context()
            values = [tf.convert_to_tensor(statistic) for statistic in statistics]
            # As one vector: one message between replicas, not one for each layer.
            vector = tf.concat([tf.reshape(value, [-1]) for value in values], axis=0)
            parts = tf.split(context.all_reduce("mean", vector), [tf.size(v) for v in values])
            for statistic, value, part in zip(statistics, values, parts, strict=True):
                statistic.assign(tf.reshape(part, value.shape))
        if watchdog is not None:
            # The loss is known before the other replicas' gradients: a step ends with its updates.
            with tf.control_dependencies([tf.convert_to_tensor(v) for v in variables]):
                loss = tf.identity(loss)
        hits = tf.equal(tf.argmax(logits, axis=-1), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.int64))

    @tf.function
    def take_steps(batches, count):
        losses = tf.TensorArray(network.output.dtype, count)
        hits = tf.TensorArray(tf.int64, count)
        for position in tf.range(count):
            batch = next(batches)
            if watchdog is not None:
                watchdog.count_begun(strategy.experimental_local_results(batch[1]))
            results = strategy.run(replica_step, args=batch)
            loss, hit = (strategy.reduce("sum", value, axis=None) for value in results)
            if watchdog is not None:
                watchdog.count_done([loss, hit])
            losses, hits = losses.write(position, loss), hits.write(position, hit)
        return losses.stack(), hits.stack()

    return take_steps


def _is_of_batch_norm(variable):
    """Whether it is a scale or an offset; those of stacked blocks are named as in bn1_gamma."""
    return variable.name.endswith(("gamma", "beta"))


def _cross_entropy(labels, logits, label_smoothing):
    if not label_smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    targets = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return keras.losses.categorical_crossentropy(
        targets, logits, from_logits=True, label_smoothing=label_smoothing
    )
