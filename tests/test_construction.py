import numpy as np
import pytest

import keras_resnet
from keras_resnet.paper.construction import deeper_copy, logits
from keras_resnet.sources import MemorySource


def with_random_weights(model, rng):
    """Any weights, and positive variances."""
    for variable in model.variables:
        is_kernel = len(variable.shape) > 1
        shape = variable.shape
        variable.assign(rng.normal(0, 0.1, shape) if is_kernel else rng.uniform(0.5, 1.5, shape))
    return model


@pytest.mark.parametrize("network", [keras_resnet.CifarResNet, keras_resnet.CifarPlainNet])
def test_hundreds_of_blocks_hold_a_few(rng, network):
    shallow = with_random_weights(network(20), rng)
    deep = deeper_copy(shallow, (40, 40, 40))
    assert deep.get_layer("conv2_2-40").count == 39
    images = rng.normal(0, 50, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(deep(images), shallow(images), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_a_deeper_residual_network_computes_the_same_bits(rng, shortcut):
    shallow = with_random_weights(keras_resnet.CifarResNet(20, shortcut=shortcut), rng)
    deep = deeper_copy(shallow, (9, 9, 9))
    assert deep.count_params() == keras_resnet.CifarResNet(56, shortcut=shortcut).count_params()
    images = rng.normal(0, 50, (4, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(deep(images), shallow(images))


def test_a_deeper_plain_network_computes_the_same(rng):
    shallow = with_random_weights(keras_resnet.CifarPlainNet(20), rng)
    deep = deeper_copy(shallow, (9, 9, 9))
    images = rng.normal(0, 50, (4, 32, 32, 3)).astype(np.float32)
    answers = [keras_resnet.models.logits_model(model)(images).numpy() for model in (shallow, deep)]
    np.testing.assert_allclose(*answers, rtol=1e-4, atol=1e-5 * np.abs(answers[0]).max())
    assert np.ptp(answers[0]) > 1


def test_resnet_34_holds_resnet_18(rng):
    shallow = with_random_weights(keras_resnet.ResNet18(input_shape=(64, 64, 3), classes=5), rng)
    deep = deeper_copy(shallow, (3, 4, 6, 3))
    images = rng.normal(0, 50, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(deep(images), shallow(images))


def test_what_cannot_be_constructed_is_refused():
    with pytest.raises(ValueError, match="`blocks` must be at least \\(3, 3, 3\\)"):
        deeper_copy(keras_resnet.CifarResNet(20), (3, 2, 9))
    with pytest.raises(ValueError, match="`model` must have shortcuts A or B"):
        deeper_copy(keras_resnet.CifarResNet(8, shortcut="C"), (2, 2, 2))
    with pytest.raises(ValueError, match="activation='tanh'"):
        deeper_copy(keras_resnet.CifarResNet(8, activation="tanh"), (2, 2, 2))


def test_logits_are_those_of_every_image_in_order(rng):
    preprocessing = keras_resnet.Preprocessing(8, 8, (1.0, 2.0, 3.0))
    model = keras_resnet.CifarResNet(
        8, input_shape=(8, 8, 3), classes=2, preprocessing=preprocessing
    )
    images = rng.integers(0, 256, (5, 8, 8, 3), np.uint8)
    source = MemorySource(images, np.zeros(5), ("a", "b"))
    inputs = images.astype(np.float32) - np.array([1, 2, 3], np.float32)
    expected = keras_resnet.models.logits_model(model)(inputs)
    np.testing.assert_allclose(logits(model, source, batch_size=2), expected, rtol=1e-4, atol=1e-4)
