"""Why a request is refused, in the codes of both protocols."""

import grpc
import tensorflow as tf

# As TF Serving's REST interface answers; what is not here is an error of the server.
_HTTP = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}

# TensorFlow numbers its errors as gRPC does.
_OF_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class RefusedError(Exception):
    """What a client gets instead of an answer.

    Args:
      code: of gRPC.
      message: for the client.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self) -> int:
        """The same code over REST."""
        return _HTTP.get(self.code, 500)


def invalid(message: str) -> RefusedError:
    """A request that can never be answered."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


def of_tensorflow(error: tf.errors.OpError) -> RefusedError:
    """What a client gets where TensorFlow fails."""
    code = _OF_NUMBER.get(error.error_code, grpc.StatusCode.UNKNOWN)
    return RefusedError(code, error.message)
