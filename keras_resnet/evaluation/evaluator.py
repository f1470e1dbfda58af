"""How good a network is: loss, top-1 and top-5 over a data set, each image counted once."""

import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.data.batches import evaluation_batches, faults_named
from keras_resnet.distribution.watchdog import FIRST_CALL_SECONDS
from keras_resnet.distribution.workers import Workers
from keras_resnet.networks.inference import inference
from keras_resnet.networks.resnet import logits_model


class Evaluator:
    """Evaluates one model on one source, as often as it is called.

    Args:
      model: `ResNet` with a `preprocessing`.
      source: `Source` to evaluate on.
      global_batch_size: images at once, over all replicas; any number, the result is the same.
      workers: `Workers` under whose strategy the model was built; None: this process alone, under
        the current strategy.

    Raises:
      UserError: model and source do not fit each other.
    """

    def __init__(self, model, source, global_batch_size, workers=None):
        workers = workers or Workers(tf.distribute.get_strategy())
        strategy = workers.strategy
        check_fits(model, source)
        replicas = strategy.num_replicas_in_sync
        # No more than there is; a multiple of the replicas.
        global_batch_size = min(global_batch_size, len(source))
        global_batch_size = -(-global_batch_size // replicas) * replicas
        self._source = source
        self._workers = workers
        self._num_batches = -(-len(source) // global_batch_size)
        self._batches = strategy.distribute_datasets_from_function(
            lambda context: evaluation_batches(
                source,
                model.preprocessing,
                global_batch_size=global_batch_size,
                num_replicas=replicas,
                shard=(context.input_pipeline_id, context.num_input_pipelines),
            )
        )
        self._sums = _sums_function(logits_model(model), strategy, workers.watchdog)

    def __call__(self, stop_requested=lambda: False):
        """One pass over the source.

        Args:
          stop_requested: function of nothing that tells whether to give up; asked at every batch.

        Returns:
          dict of `top1` and `top5` (shares of images, 0 to 1), `loss` (mean cross-entropy) and
          `images` (number of images counted); None if a worker was told to give up.

        Raises:
          UserError: an image cannot be read.
          WorkerLostError: another worker died or does not answer.
        """
        totals = [0.0, 0, 0, 0]
        workers = self._workers
        workers.begin("beginning to evaluate", FIRST_CALL_SECONDS)
        with faults_named(self._source, range(len(self._source))), workers.losses_named():
            iterator = iter(self._batches)
            for _ in range(self._num_batches):
                batch = next(iterator)
                workers.begin_call("evaluating")
                sums = [value.numpy().item() for value in self._sums(batch)]
                totals = [total + value for total, value in zip(totals, sums, strict=True)]
                if workers.share([stop_requested()]).any():
                    return None
                workers.begin("waiting for data to evaluate")
        loss, top1, top5, images = totals
        return {
            "top1": top1 / images,
            "top5": top5 / images,
            "loss": loss / images,
            "images": images,
        }


def check_fits(model, source):
    """Raises UserError unless the network is one for the images of a source."""
    if model.preprocessing is None:
        raise UserError(
            f"The model {model.name!r} has no `preprocessing`: it must be built with one."
        )
    if len(source.class_names) != model.classes:
        raise UserError(
            f"The model has {model.classes} classes and the data set "
            f"{len(source.class_names)}: it was trained on another one."
        )
    if model.class_names not in (None, source.class_names):
        pairs = zip(model.class_names, source.class_names, strict=True)
        ours, theirs = next(pair for pair in pairs if pair[0] != pair[1])
        raise UserError(
            "The classes of the model and of the data set have different names, "
            f"{ours!r} and {theirs!r} for one: it was trained on another data set."
        )
    if source.channels != model.preprocessing.channels and source.pixel_shape:
        raise UserError(
            f"The model sees images of {model.preprocessing.channels} channels and the data "
            f"set has {source.channels}."
        )


def _sums_function(network, strategy, watchdog):
    """A function from a distributed batch to sums of loss, top-1, top-5 and images."""

    infer = inference(network)

    def replica_sums(images, labels, weights):
        logits = infer(images)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        counted = weights > 0
        scores = tf.cast(logits, tf.float32)
        hits = [
            tf.reduce_sum(tf.cast(tf.math.in_top_k(labels, scores, k) & counted, tf.int64))
            for k in (1, min(5, logits.shape[-1]))
        ]
        loss = tf.reduce_sum(tf.where(counted, tf.cast(losses, tf.float64), 0.0))
        return loss, *hits, tf.reduce_sum(tf.cast(counted, tf.int64))

    @tf.function(autograph=False)
    def global_sums(batch):
        if watchdog is not None:
            watchdog.count_begun(strategy.experimental_local_results(batch[1]))
        sums = [
            strategy.reduce("sum", value, axis=None)
            for value in strategy.run(replica_sums, args=batch)
        ]
        if watchdog is not None:
            watchdog.count_done(sums)
        return sums

    return global_sums
