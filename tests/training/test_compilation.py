import pytest
import tensorflow as tf
from harness import tiny_training

from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import Workers
from keras_resnet.training.compilation import compiler_error, is_compiled


@pytest.mark.parametrize("has_gpu", [False, True])
def test_what_is_asked_for_goes_before_the_device(has_gpu, capsys):
    workers = Workers(make_strategy(1))
    config = tiny_training()
    assert is_compiled(config.with_options(jit_compile=True), workers, False)
    assert not is_compiled(config.with_options(jit_compile=False), workers, has_gpu)
    assert capsys.readouterr().out == ""


def test_unset_a_processor_does_not_compile(capsys):
    assert not is_compiled(tiny_training(), Workers(make_strategy(1)), False)
    assert capsys.readouterr().out == ""


def test_what_xla_cannot_compile_goes_on_without_and_says_so(capsys):
    asked = tiny_training(jit_compile=True, synchronized_batch_norm=True)
    assert is_compiled(asked, Workers(make_strategy(1)), False)
    assert not is_compiled(asked, Workers(make_strategy(2)), False)
    assert capsys.readouterr().out == (
        "XLA does not compile the training step: synchronized batch normalizations ask the other "
        "replicas in its midst. The training goes on without.\n"
    )
    # Unset on a GPU, which this is as far as it is asked.
    assert not is_compiled(tiny_training(deterministic=True), Workers(make_strategy(1)), True)
    assert "no deterministic gradient of max pooling" in capsys.readouterr().out


def test_the_compilers_own_words_are_passed_on():
    assert compiler_error(tf.math.exp) is None
    error = compiler_error(lambda x: tf.strings.length(tf.strings.as_string(x)))
    assert "AsString" in error and "\n" not in error
