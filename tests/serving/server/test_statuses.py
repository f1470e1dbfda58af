import grpc
import pytest
import tensorflow as tf

from keras_resnet.serving.server.statuses import RefusedError, invalid, of_tensorflow

# As TF Serving's REST interface answers each of TensorFlow's errors.
TF_SERVING = {
    "CancelledError": 499,
    "UnknownError": 500,
    "InvalidArgumentError": 400,
    "DeadlineExceededError": 504,
    "NotFoundError": 404,
    "AlreadyExistsError": 409,
    "PermissionDeniedError": 403,
    "ResourceExhaustedError": 429,
    "FailedPreconditionError": 400,
    "AbortedError": 409,
    "OutOfRangeError": 400,
    "UnimplementedError": 501,
    "InternalError": 500,
    "UnavailableError": 503,
    "DataLossError": 500,
    "UnauthenticatedError": 401,
}


@pytest.mark.parametrize(("name", "http_status"), TF_SERVING.items())
def test_errors_of_tensorflow_keep_their_meaning(name, http_status):
    refusal = of_tensorflow(getattr(tf.errors, name)(None, None, "why"))
    assert refusal.code.name.replace("_", "") == name.removesuffix("Error").upper()
    assert (refusal.http_status, refusal.message, str(refusal)) == (http_status, "why", "why")


def test_every_code_has_a_status():
    statuses = {code: RefusedError(code, "").http_status for code in grpc.StatusCode}
    assert all(400 <= status < 600 for status in statuses.values())
    assert invalid("why").http_status == 400
