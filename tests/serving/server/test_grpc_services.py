"""Over a real channel, with TensorFlow Serving's own stubs."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from pictures import encoded
from servers import listening
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(versions):
    with listening(versions) as ports, grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as it:
        yield it


@pytest.fixture
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(pictures, **options):
    spec = {"name": "letters", **options.pop("spec", {})}
    tensor = tf.make_tensor_proto(np.array(pictures, object))
    return predict_pb2.PredictRequest(model_spec=spec, inputs={"image_bytes": tensor}, **options)


def test_answers_are_those_of_the_saved_model(predictions, serve, rng):
    pictures = [encoded(rng, 31, 45), b"", encoded(rng, 24, 24, "PNG")]
    for name in ("serving_default", "features"):
        response = predictions.Predict(request(pictures, spec={"signature_name": name}))
        expected = serve[name](image_bytes=tf.constant(pictures))
        assert set(response.outputs) == set(expected)
        for output, value in expected.items():
            np.testing.assert_array_equal(tf.make_ndarray(response.outputs[output]), value.numpy())
    assert response.model_spec == model_pb2.ModelSpec(
        name="letters", version={"value": 1}, signature_name="features"
    )


def test_some_results_can_be_asked_for(predictions):
    assert list(predictions.Predict(request([b""], output_filter=["status"])).outputs) == ["status"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"spec": {"name": "numbers"}}, "NOT_FOUND", "Latest(numbers)"),
        ({"spec": {"version": {"value": 2}}}, "NOT_FOUND", "Specific(letters, 2)"),
        ({"spec": {"signature_name": "x"}}, "FAILED_PRECONDITION", 'key "x" not found'),
        ({"spec": {"signature_name": "images"}}, "INVALID_ARGUMENT", "Sent extra: {image_bytes}"),
        ({"output_filter": ["x"]}, "INVALID_ARGUMENT", "alias not found in signature: x"),
        (
            {"pictures": [b""] * 33},
            "INVALID_ARGUMENT",
            "Task size 33 is larger than maximum input batch size 32",
        ),
    ],
)
def test_refusals_have_tf_servings_codes(predictions, options, code, message):
    options = {"pictures": [b""], **options}
    with pytest.raises(grpc.RpcError) as refusal:
        predictions.Predict(request(**options))
    assert refusal.value.code() is grpc.StatusCode[code]
    assert message in refusal.value.details()


def test_signatures_are_those_of_the_file(predictions, exported):
    asked = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec={"name": "letters"}, metadata_field=["signature_def"]
    )
    response = predictions.GetModelMetadata(asked)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        expected = tf.compat.v1.saved_model.load(session, ["serve"], str(exported[1]))
    assert set(found.signature_def) == set(expected.signature_def)
    for name, signature in expected.signature_def.items():
        assert found.signature_def[name] == signature
    assert response.model_spec.version.value == 1
    asked.metadata_field[:] = ["other"]
    with pytest.raises(grpc.RpcError, match="metadata_field must be signature_def"):
        predictions.GetModelMetadata(asked)


def test_status_is_that_of_the_versions(channel):
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    asked = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "letters"})
    (status,) = models.GetModelStatus(asked).model_version_status
    assert status.version == 1
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    asked.model_spec.name = "numbers"
    with pytest.raises(grpc.RpcError, match="Could not find any versions of model numbers"):
        models.GetModelStatus(asked)


def test_what_this_server_does_not_do_is_said(predictions):
    with pytest.raises(grpc.RpcError) as refusal:
        predictions.Classify(classification_pb2.ClassificationRequest())
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
