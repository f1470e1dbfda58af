"""The services of TF Serving over gRPC that clients of a network ask."""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_resnet.serving.server.loaded import SIGNATURE, array_of
from keras_resnet.serving.server.statuses import RefusedError, invalid
from keras_resnet.serving.server.versions import Versions

_T = TypeVar("_T")

# What a client can ask of a model's metadata.
METADATA_FIELD = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers about pictures, and which signatures there are."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """The results of a signature."""

        def answer() -> predict_pb2.PredictResponse:
            number, version = self._versions.of(request.model_spec)
            inputs = {name: array_of(tensor) for name, tensor in request.inputs.items()}
            signature = request.model_spec.signature_name or SIGNATURE
            results = version.predict(signature, inputs, request.output_filter)
            response = predict_pb2.PredictResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = number
            response.model_spec.signature_name = signature
            for name, value in results.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

        return _answered(answer, context)

    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""

        def answer() -> get_model_metadata_pb2.GetModelMetadataResponse:
            if list(request.metadata_field) != [METADATA_FIELD]:
                raise invalid(f"metadata_field must be {METADATA_FIELD}")
            number, version = self._versions.of(request.model_spec)
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.signatures)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = number
            response.metadata[METADATA_FIELD].Pack(signatures)
            return response

        return _answered(answer, context)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """How far the versions of a model are."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of the versions."""

        def answer() -> get_model_status_pb2.GetModelStatusResponse:
            statuses = self._versions.statuses(request.model_spec)
            return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)

        return _answered(answer, context)


def _answered(answer: Callable[[], _T], context: Any) -> _T:
    """What a function gives; the call ends with a status where it refuses."""
    try:
        return answer()
    except RefusedError as refusal:
        context.abort(refusal.code, refusal.message)
        raise  # Never: `abort` raises.
