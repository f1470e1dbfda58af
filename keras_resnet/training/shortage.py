"""A training that runs out of memory, in words: what is too much, and what would fit."""

import contextlib
import math
from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_resnet.checks import UserError
from keras_resnet.distribution.devices import memory_bytes, shortage, used_gpus
from keras_resnet.networks.analysis import kept_bytes

# What is left for maps of a device's memory: kernels take room to work in, and it is split.
_SHARE_FOR_MAPS = 0.85
# Weights, momentum and gradients.
_COPIES_OF_WEIGHTS = 3


@contextlib.contextmanager
def shortages_explained(
    network: keras.Model, global_batch_size: int, replicas: int, local_replicas: int
) -> Iterator[None]:
    """Turns TensorFlow's error over memory into one that names the batch size and what would fit.

    Args:
      network: that is trained.
      global_batch_size: images per step, over all replicas.
      replicas, local_replicas: their number, and that on this machine.

    Raises:
      UserError: a device has no memory left.
    """
    try:
        yield
    except tf.errors.OpError as error:
        line = shortage(error)
        if line is None:
            raise
        gpus = used_gpus(local_replicas)
        memory = memory_bytes(gpus)
        # A processor's replicas share its memory.
        memory = memory // local_replicas if memory is not None and not gpus else memory
        advice = _advice(network, global_batch_size, replicas, memory)
        where = gpus[0].name if gpus else "The processor"
        if "bfloat16" not in {layer.compute_dtype for layer in network.layers}:
            advice += " --dtype=mixed_bfloat16 halves what an image takes."
        # TensorFlow's own message fills screens.
        raise UserError(
            f"{where} has no memory left with global_batch_size={global_batch_size}, "
            f"{global_batch_size // replicas} images on each replica. {advice} "
            f"That is another run, which needs another --run_dir. TensorFlow says: {line}"
        ) from error


def _advice(network: keras.Model, global_batch_size: int, replicas: int, memory: int | None) -> str:
    """What to try, for the memory of each replica in bytes, None where it is unknown."""
    if global_batch_size == replicas:
        return "One image is too much: take a smaller network or --image_size."
    half = global_batch_size // replicas // 2 * replicas
    of_image = kept_bytes(network)
    if of_image is None or memory is None:
        return f"Try --global_batch_size={half}."
    of_weights = sum(math.prod(v.shape) * 4 for v in network.trainable_variables)
    free = _SHARE_FOR_MAPS * memory - _COPIES_OF_WEIGHTS * of_weights
    fitting = max(0, int(free / of_image)) * replicas
    sizes = (
        f"A step keeps {of_image / 2**20:.3g} MiB of each image, and a replica has "
        f"{memory / 2**30:.3g} GiB."
    )
    if fitting == 0:
        return f"{sizes} Not one would fit: take a smaller network or --image_size."
    # Where more should fit than did not, something else takes the memory.
    return f"{sizes} Try --global_batch_size={min(fitting, half)}."
