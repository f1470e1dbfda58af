"""Clients of a network: it or its export in this process, TF Serving over gRPC and over REST."""

from keras_resnet.serving.clients.connection import connect
from keras_resnet.serving.clients.failures import ServingError

__all__ = ["ServingError", "connect"]
