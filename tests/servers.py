"""Servers of exports: `keras-resnet serve`, and TF Serving where it is installed."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import numpy as np
import prediction_server
import tensorflow as tf
from processes import LAUNCH, Process
from tensorflow.core.protobuf import meta_graph_pb2

from keras_resnet.serving.answers import Answer
from keras_resnet.serving.server.configs import served
from keras_resnet.serving.server.listening import Listening
from keras_resnet.serving.server.versions import Versions

SERVERS = ["ours"] + ["tensorflow_model_server"] * bool(shutil.which("tensorflow_model_server"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def start_ours(export, *flags):
    """A process of `keras-resnet serve`, and its two addresses: gRPC's and REST's."""
    ports = [free_port() for _ in range(2)]
    arguments = [export, f"--port={ports[0]}", f"--rest_api_port={ports[1]}", *flags]
    with tempfile.TemporaryDirectory() as directory:
        outputs = [pathlib.Path(directory, name) for name in ("stdout", "stderr")]
        process = Process(LAUNCH / "serve.py", arguments, stdout=outputs[0], stderr=outputs[1])
        while not (outputs[0].exists() and "Try: " in outputs[0].read_text()):
            assert process.poll() is None, outputs[1].read_text()
            time.sleep(0.01)
    return process, (f"grpc://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}")


def start_tf_serving(version):
    ports = [free_port() for _ in range(2)]
    process = subprocess.Popen(
        [
            "tensorflow_model_server",
            f"--port={ports[0]}",
            f"--rest_api_port={ports[1]}",
            "--model_name=letters",
            f"--model_base_path={version.parent}",
            "--enable_batching",
            f"--batching_parameters_file={version.parent / 'batching.config'}",
        ]
    )
    status = f"http://127.0.0.1:{ports[1]}/v1/models/letters"
    for _ in range(600):
        try:
            with urllib.request.urlopen(status) as answer:
                if b'"AVAILABLE"' in answer.read():
                    break
        except OSError:
            time.sleep(0.1)
    return process, (f"grpc://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}")


GOOD = {"status": "OK", "classes": [1, 0], "labels": ["b", "a"], "probabilities": [0.25, 0.75]}
UNDERSTOOD = Answer("OK", (1, 0), ("b", "a"), (0.75, 0.25))


class Model(prediction_server.Model):
    """A model that gives the same answer to anything, once it is `free` to."""

    def __init__(self):
        self.name, self.version = "letters", 1
        self.free = threading.Event()
        self.free.set()
        signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
        signature.inputs["image_bytes"].dtype = tf.string.as_datatype_enum
        for name in GOOD:
            signature.outputs[name].name = name
        self.signatures = {"serving_default": signature}

    def predict(self, signature_name, inputs):
        assert self.free.wait(20)
        return {name: np.array([value]) for name, value in GOOD.items()}


class Rows(Model):
    """Finds in each picture the class of the name that is its text."""

    def predict(self, signature_name, inputs):
        (pictures,) = inputs.values()
        number = len(pictures)
        return {
            "status": np.array(["OK"] * number),
            "classes": np.zeros((number, 1), np.int32),
            "labels": np.array([[picture.decode()] for picture in pictures]),
            "probabilities": np.ones((number, 1), np.float32),
        }


@contextlib.contextmanager
def serving(model, **options):
    with contextlib.closing(prediction_server.Server(model, **options)) as server:
        yield server


def loaded_versions(export):
    """What `keras-resnet serve` has in memory of an export."""
    versions = Versions(served(export), lambda _: None)
    versions.refresh()
    return versions


@contextlib.contextmanager
def listening(versions):
    """Gives the two ports of this process at which versions answer: gRPC's and REST's."""
    ports = free_port(), free_port()
    listener = Listening(versions, "127.0.0.1", *ports)
    yield ports
    listener.stop(grace=5)
