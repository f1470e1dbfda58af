"""One version of an export in memory, which answers as TF Serving does."""

import pathlib
from collections.abc import Mapping, Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from keras_resnet.serving import warm_up
from keras_resnet.serving.server.statuses import RefusedError, invalid, of_tensorflow

SIGNATURE = "serving_default"

_METHOD = "tensorflow/serving/predict"


class Loaded:
    """One version of an export in memory.

    Args:
      directory: of the version.
      max_batch_size: rows of the largest request; None: any.

    Attributes:
      signatures: TF Serving's `SignatureDef`s by name.
    """

    def __init__(self, directory: pathlib.Path, max_batch_size: int | None = None) -> None:
        # The functions alone would not keep the variables.
        self._model = tf.saved_model.load(str(directory))
        self._directory, self._max_batch_size = directory, max_batch_size
        content = (directory / "saved_model.pb").read_bytes()
        (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        # A map of protobuf cannot be asked for names that are no UTF-8.
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = dict(graph.signature_def)

    def warm_up(self) -> None:
        """Answers the requests of the warm-up file; raises `RefusedError` where one fails."""
        path = self._directory / warm_up.FILE
        if path.exists():
            for record in tf.data.TFRecordDataset(str(path)):
                log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
                request = log.predict_log.request
                inputs = {name: array_of(tensor) for name, tensor in request.inputs.items()}
                self.predict(request.model_spec.signature_name, inputs)

    def predict(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], only: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """What a signature answers.

        Args:
          signature_name: "" is the default one.
          inputs: its arguments by name, strings as arrays of objects.
          only: names of the results that are wanted; none: all.

        Raises:
          RefusedError: the arguments are not the signature's, or TensorFlow fails.
        """
        name = signature_name or SIGNATURE
        signature = self.signatures.get(name)
        if signature is None or signature.method_name != _METHOD:
            message = f'Serving signature key "{name}" not found.'
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, message)
        self._check(inputs, signature)
        unknown = [each for each in only if each not in signature.outputs]
        if unknown:
            raise invalid(
                f"output tensor alias not found in signature: {unknown[0]} Outputs expected to be "
                f"in the set {{{','.join(sorted(signature.outputs))}}}."
            )
        try:
            tensors = {name: tf.constant(value) for name, value in inputs.items()}
            results = self._model.signatures[name](**tensors)
            return {name: results[name].numpy() for name in only or results}
        except tf.errors.OpError as error:
            raise of_tensorflow(error) from error

    def _check(
        self, inputs: Mapping[str, np.ndarray], signature: meta_graph_pb2.SignatureDef
    ) -> None:
        if set(inputs) != set(signature.inputs):
            extra = ",".join(sorted(set(inputs) - set(signature.inputs)))
            missing = ",".join(sorted(set(signature.inputs) - set(inputs)))
            raise invalid(
                f"input size does not match signature: {len(inputs)}!={len(signature.inputs)}. "
                f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
            )
        for name, value in inputs.items():
            dtype = tf.as_dtype(signature.inputs[name].dtype)
            shape = tf.TensorShape(signature.inputs[name].tensor_shape)
            if tf.as_dtype(value.dtype) != dtype or not shape.is_compatible_with(value.shape):
                given = f"{tf.as_dtype(value.dtype).name} {list(value.shape)}"
                raise invalid(f"{name} must be {dtype.name} {shape}. Received: {given}")
            if self._max_batch_size is not None and len(value) > self._max_batch_size:
                raise invalid(
                    f"Task size {len(value)} is larger than maximum input batch size "
                    f"{self._max_batch_size}"
                )


# Of a tensor of a request, so that a few bytes cannot claim all memory.
MAX_TENSOR_BYTES = 2**30


def array_of(tensor: tensor_pb2.TensorProto) -> np.ndarray:
    """The array that a tensor of a request is.

    Raises:
      RefusedError: it is none, or too large.
    """
    try:
        size = tf.as_dtype(tensor.dtype).size
        number = np.prod([dim.size for dim in tensor.tensor_shape.dim], dtype=object)
        if not 0 <= number * size <= MAX_TENSOR_BYTES:
            raise ValueError(f"its shape has {number} values")
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError, LookupError) as error:
        raise invalid(f"Tensor cannot be read: {error}") from error
