import grpc
import numpy as np
import pytest
import tensorflow as tf
import tiny_exports
from pictures import encoded
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import model_pb2, prediction_log_pb2

from keras_resnet.serving.server.loaded import MAX_TENSOR_BYTES, Loaded, array_of
from keras_resnet.serving.server.statuses import RefusedError


@pytest.fixture(scope="module")
def loaded(tiny_export):
    return Loaded(tiny_export / "1", max_batch_size=3)


X = np.array([1, 2], np.float32)


def test_answers_are_those_of_the_saved_model(versions, serve, rng):
    _, version = versions.of(model_pb2.ModelSpec(name="letters"))
    pictures = np.array([encoded(rng, 31, 45), b"none"], object)
    results = version.predict("", {"image_bytes": pictures})
    expected = serve["serving_default"](image_bytes=tf.constant(pictures))
    assert set(results) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(results[name], value.numpy())


def test_some_results_can_be_asked_for(loaded):
    results = loaded.predict("both", {"x": X, "z": X}, only=["y"])
    assert list(results) == ["y"]
    np.testing.assert_array_equal(results["y"], 2 * X)


@pytest.mark.parametrize(
    ("signature", "inputs", "code", "message"),
    [
        ("absent", {}, "FAILED_PRECONDITION", 'Serving signature key "absent" not found'),
        ("__saved_model_init_op", {}, "FAILED_PRECONDITION", "not found"),
        ("", {}, "INVALID_ARGUMENT", r"0!=1.*Sent extra: {}. Missing but required: {x}"),
        ("", {"x": X, "z": X}, "INVALID_ARGUMENT", r"2!=1.*Sent extra: {z}"),
        ("", {"x": X.astype(int)}, "INVALID_ARGUMENT", r"x must be float32 .*int64 \[2\]"),
        ("", {"x": X[np.newaxis]}, "INVALID_ARGUMENT", r"x must be float32 .*\[1, 2\]"),
        (
            "",
            {"x": np.zeros(4, np.float32)},
            "INVALID_ARGUMENT",
            "Task size 4 is larger than maximum input batch size 3",
        ),
        ("limited", {"x": X}, "INVALID_ARGUMENT", "too large"),
    ],
)
def test_what_cannot_be_answered_is_refused(loaded, signature, inputs, code, message):
    with pytest.raises(RefusedError, match=message) as refusal:
        loaded.predict(signature, inputs)
    assert refusal.value.code is grpc.StatusCode[code]


def test_the_largest_batch_is_answered(loaded):
    x = np.array([1, 2, 3], np.float32)
    np.testing.assert_array_equal(loaded.predict("", {"x": x})["y"], 2 * x)


def test_results_that_there_are_not_are_refused(loaded):
    with pytest.raises(RefusedError, match="alias not found in signature: q Outputs .*{y}"):
        loaded.predict("", {"x": X}, only=["y", "q"])


def test_warm_up_requests_are_answered(tmp_path):
    """One that fails is said."""
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "limited"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(X))
    version = tiny_exports.write(tmp_path / "1", 2)
    Loaded(version).warm_up()
    (version / "assets.extra").mkdir()
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(RefusedError, match="too large"):
        Loaded(version).warm_up()


def test_tensors_become_arrays():
    for value in (X, np.array([b"a", b"longer\0"], object), np.zeros((2, 0), np.uint8)):
        array = array_of(tf.make_tensor_proto(value))
        assert array.dtype == value.dtype
        np.testing.assert_array_equal(array, value)


def test_a_few_bytes_cannot_claim_all_memory():
    """A single value stands for all of a shape."""
    tensor = tf.make_tensor_proto(1.0, shape=[2])
    np.testing.assert_array_equal(array_of(tensor), [1, 1])
    for sizes in ([MAX_TENSOR_BYTES // 4 + 1], [2**40, 2**40], [-1]):
        tensor.tensor_shape.Clear()
        for size in sizes:
            tensor.tensor_shape.dim.add(size=size)
        with pytest.raises(RefusedError, match="its shape has"):
            array_of(tensor)
    for dtype in (999, types_pb2.DT_RESOURCE_REF, types_pb2.DT_VARIANT_REF):
        tensor.dtype = dtype
        with pytest.raises(RefusedError, match="Tensor cannot be read"):
            array_of(tensor)
