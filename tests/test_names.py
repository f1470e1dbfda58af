import keras
import numpy as np
import pytest
from letters import with_statistics

import keras_resnet
from keras_resnet.weights import names


@pytest.fixture(scope="module")
def small():
    return with_statistics(keras_resnet.ResNet18(input_shape=(32, 32, 3), classes=5))


def test_every_variable_has_a_name_of_its_own(small):
    variables = names.variables_by_name(small)
    assert len({id(variable) for variable in variables.values()}) == len(small.variables)
    theirs = [names.torch_name(name) for name in variables]
    assert len(set(theirs)) == len(theirs)


def test_torchs_names_are_those_of_its_documentation():
    for ours, theirs in (
        ("conv1/kernel", "conv1.weight"),
        ("conv1_bn/moving_variance", "bn1.running_var"),
        ("conv2_1/conv1/kernel", "layer1.0.conv1.weight"),
        ("conv5_3/bn3/gamma", "layer4.2.bn3.weight"),
        ("conv4_23/bn2/beta", "layer3.22.bn2.bias"),
        ("conv3_1/shortcut/conv/kernel", "layer2.0.downsample.0.weight"),
        ("conv3_1/shortcut/bn/moving_mean", "layer2.0.downsample.1.running_mean"),
        ("fc/kernel", "fc.weight"),
        ("fc/bias", "fc.bias"),
    ):
        assert names.torch_name(ours) == theirs


def test_layouts_are_turned_and_turned_back(rng):
    kernel, matrix = rng.normal(size=(3, 4, 5, 6)), rng.normal(size=(5, 6))
    assert names.to_torch("conv1/kernel", kernel)[5, 4, 2, 3] == kernel[2, 3, 4, 5]
    assert names.to_torch("fc/kernel", matrix)[5, 4] == matrix[4, 5]
    for value in (kernel, matrix):
        again = names.from_torch("fc/kernel", names.to_torch("fc/kernel", value))
        np.testing.assert_array_equal(again, value)


def test_keras_applications_has_all_that_we_ask_for(rng):
    peer = keras.applications.ResNet50(weights=None)
    values = {variable.path: variable.numpy() for variable in peer.variables}
    ours = keras_resnet.ResNet50()
    weights = names.from_keras(list(names.variables_by_name(ours)), values)
    for name, variable in names.variables_by_name(ours).items():
        assert weights[name].shape == tuple(variable.shape), name
    assert names.is_keras(values) and not names.is_torch(values)
