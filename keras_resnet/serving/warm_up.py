"""The requests that TF Serving answers before its first client: without them that one would wait.

TensorFlow prepares a graph at its first call for each batch size. TF Serving replays these requests
when it loads a version, and refuses a version that fails one of them.
"""

import itertools
import os
import pathlib
import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from keras_resnet.checks import UserError
from keras_resnet.serving.answers import OK
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import Servable

FILE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")

# Of its pictures, in pixels.
MAX_HEIGHT = 480

_GRAY = 128


def write(
    version_dir: str | os.PathLike[str],
    model_name: str,
    served: Servable,
    limits: Limits,
) -> None:
    """Writes the warm-up file of a SavedModel: every signature with each size of batches.

    These are the sizes to which batching.config pads: TensorFlow prepares each of them anew.

    Args:
      version_dir: directory of the SavedModel.
      model_name: the name by which clients will ask for it.
      served: `Servable`, whose batches and likely pictures they are.
      limits: `Limits` of encoded pictures.

    Raises:
      UserError: the limits allow no picture of that size.
    """
    # A third wider than high, as photographs are.
    height = min(served.height, MAX_HEIGHT)
    width = height * 4 // 3
    slope = np.linspace(0, 255, width, dtype=np.uint8)
    channels = served.model.preprocessing.channels
    pixels = np.broadcast_to(slope[:, np.newaxis], (height, width, channels))
    image_bytes = tf.io.encode_jpeg(pixels, format="", quality=90).numpy()
    for name, needed in (("max_bytes", len(image_bytes)), ("max_pixels", height * width)):
        if getattr(limits, name) < needed:
            raise UserError(
                f"`{name}` must be at least {needed}, as of a picture of {height}x{width} pixels. "
                f"Received: {name}={getattr(limits, name)}"
            )
    shape = pixels.shape
    path = pathlib.Path(version_dir) / FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch_size, (signature, (_, argument)) in itertools.product(
            served.batch_sizes, served.functions.items()
        ):
            value = (
                _gray_pictures((batch_size, *shape))
                if argument.dtype == tf.uint8
                else tf.make_tensor_proto([image_bytes] * batch_size)
            )
            spec = model_pb2.ModelSpec(name=model_name, signature_name=signature)
            request = predict_pb2.PredictRequest(model_spec=spec)
            request.inputs[argument.name].CopyFrom(value)
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def _gray_pictures(shape: Sequence[int]) -> tensor_pb2.TensorProto:
    """Pixels of one value, which is stored once: TensorFlow repeats the last one as often as due.

    Otherwise they were most of an export: 61 pictures of a classifier are 16 MB.
    """
    value = tf.make_tensor_proto(_GRAY, tf.uint8)
    value.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return value


def replay(version_dir: str | os.PathLike[str]) -> dict[tuple[str, int], float]:
    """Answers every request of a SavedModel's warm-up file with it, as TF Serving will.

    Returns:
      dict of the seconds of an answer, the second to its request, by signature and batch size.

    Raises:
      UserError: an answer is not finite, or has not a good row for each row asked for.
    """
    loaded = tf.saved_model.load(str(version_dir))
    seconds = {}
    for record in tf.data.TFRecordDataset(str(pathlib.Path(version_dir) / FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        signature = request.model_spec.signature_name
        inputs = {
            name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()
        }
        (batch_size,) = {value.shape[0] for value in inputs.values()}
        try:
            answer = loaded.signatures[signature](**inputs)
        except tf.errors.OpError as error:
            raise UserError(f"The network does not run: {error.message}") from error
        _check(answer, signature, batch_size)
        started = time.perf_counter()
        loaded.signatures[signature](**inputs)
        seconds[signature, batch_size] = time.perf_counter() - started
    return seconds


def _check(answer: dict[str, tf.Tensor], signature: str, batch_size: int) -> None:
    numbers = [value for value in answer.values() if value.dtype.is_floating]
    statuses = [status.decode() for status in answer["status"].numpy()]
    if statuses != [OK] * batch_size or not all(np.isfinite(value).all() for value in numbers):
        raise UserError(
            f"The network does not answer with finite numbers (signature {signature}, {batch_size} "
            "rows): its training diverged, or did not happen."
        )
