import numpy as np
import pytest
import tensorflow as tf
from harness import tiny_training
from tensorflow.python.eager import context
from tensorflow.python.framework.config import disable_op_determinism, enable_op_determinism

from keras_resnet.classification.task import Classification
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import Workers
from keras_resnet.training import compilation as module
from keras_resnet.training.compilation import compilation, compiler_error


@pytest.fixture
def one():
    return Workers(make_strategy(1))


@pytest.mark.parametrize("has_gpu", [False, True])
def test_what_is_asked_for_goes_before_the_device(one, has_gpu):
    assert compilation(tiny_training(jit_compile=False), Classification, one, has_gpu) == (
        False,
        None,
    )


def test_unset_a_processor_does_not_compile(one):
    assert compilation(tiny_training(), Classification, one, False) == (False, None)
    compiled, said = compilation(tiny_training(jit_compile=True), Classification, one, False)
    assert compiled and "takes much longer" in said


def test_what_xla_cannot_compile_goes_on_without_and_says_so(one, monkeypatch):
    # What is never to be compiled.
    monkeypatch.setattr(Classification, "can_be_compiled", False)
    compiled, said = compilation(tiny_training(jit_compile=True), Classification, one, False)
    assert not compiled and "lying and upright" in said
    monkeypatch.undo()
    asked = tiny_training(jit_compile=True, synchronized_batch_norm=True)
    assert compilation(asked, Classification, one, False)[0]
    assert compilation(asked, Classification, Workers(make_strategy(2)), False) == (
        False,
        "XLA does not compile the training step: synchronized batch normalizations ask the other "
        "replicas in its midst. It goes on without.",
    )


@pytest.fixture
def determinism():
    enable_op_determinism()
    yield
    disable_op_determinism()


@pytest.mark.parametrize(("asked", "has_gpu"), [(True, False), (None, True)])
def test_under_determinism_it_goes_on_without_on_any_device(one, determinism, asked, has_gpu):
    compiled, said = compilation(tiny_training(jit_compile=asked), Classification, one, has_gpu)
    assert not compiled and "no deterministic gradient of max pooling" in said


def test_xla_has_no_deterministic_gradient_of_max_pooling(determinism):
    """Where this fails a later TensorFlow has: it can compile under determinism."""

    def gradient(values):
        images = tf.reshape(tf.tile(values, [8]), [1, 4, 4, 1])
        with tf.GradientTape() as tape:
            tape.watch(images)
            pooled = tf.nn.max_pool2d(images, 3, 2, "SAME")
        return tape.gradient(pooled, images)

    assert "deterministic" in compiler_error(gradient)


def test_replicas_that_ask_nothing_compile():
    assert compilation(
        tiny_training(jit_compile=True), Classification, Workers(make_strategy(2)), False
    )[0]


@pytest.mark.parametrize(("has_gpu", "device"), [(False, "CPU:0"), (True, "GPU:0")])
def test_the_device_that_trains_is_the_one_that_is_tried(one, has_gpu, device, monkeypatch):
    monkeypatch.setattr(module, "compiler_error", lambda _: context.context().device_name)
    compiled, said = compilation(tiny_training(jit_compile=True), Classification, one, has_gpu)
    assert not compiled and f"{device}. It goes on without." in said


def test_all_workers_compile_or_none(one, monkeypatch):
    monkeypatch.setattr(one, "share", lambda own: np.array([own, [False]]))
    compiled, said = compilation(tiny_training(jit_compile=True), Classification, one, False)
    assert not compiled and "another worker, whose output says why, cannot" in said


def test_the_compilers_own_words_are_passed_on():
    assert compiler_error(tf.math.exp) is None
    error = compiler_error(lambda x: tf.strings.length(tf.strings.as_string(x)))
    assert "AsString" in error and "\n" not in error


def test_where_in_the_code_it_was_is_not_passed_on():
    said = "libdevice not found at ./libdevice.10.bc"
    message = f"Graph execution error:\n\nDetected at node x defined at\n  File y, line 1\n\n{said}"

    def fail(_):
        raise tf.errors.InternalError(None, None, message)

    assert compiler_error(fail) == said
