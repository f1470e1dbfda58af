import numpy as np
import pytest

import keras_resnet
from keras_resnet.weights import names
from keras_resnet.weights.architecture import architecture, describe


def weights_of(model):
    return {name: variable.numpy() for name, variable in names.variables_by_name(model).items()}


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras_resnet.ResNet18(classes=7, input_shape=(32, 32, 3)),
        lambda: keras_resnet.ResNet18(stem="cifar", input_shape=(32, 32, 1), shortcut="C"),
        lambda: keras_resnet.ResNet34(include_top=False),
        lambda: keras_resnet.ResNet101(input_shape=(32, 32, 3)),
        lambda: keras_resnet.CifarResNet(20, shortcut="B"),
        lambda: keras_resnet.CifarResNet(14, shortcut="C"),
    ],
)
def test_weights_show_the_network_that_they_are_of(make):
    model = make()
    found = architecture(weights_of(model))
    if not found["include_top"]:
        found["classes"] = 1000
    config = model.get_config()
    assert found == {name: config[name] for name in found}


@pytest.mark.parametrize("make", [keras_resnet.CifarResNet, keras_resnet.CifarPlainNet])
def test_shortcuts_without_weights_do_not_show(make):
    assert architecture(weights_of(make(14)))["shortcut"] is None


def test_networks_are_described():
    model = keras_resnet.ResNet50(input_shape=(32, 32, 3))
    assert describe(weights_of(model)) == "resnet50 (bottleneck blocks: 3, 4, 6, 3)"
    assert (
        describe(weights_of(keras_resnet.CifarResNet(20)))
        == "cifar_resnet20 (basic blocks: 3, 3, 3)"
    )
    assert describe({"x": np.zeros(3)}) == "another kind of network"


@pytest.mark.parametrize("left_out", ["conv1/kernel", "conv2_", "conv3_"])
def test_what_lacks_a_part_is_no_network(left_out):
    weights = weights_of(keras_resnet.CifarResNet(8))
    weights = {name: value for name, value in weights.items() if not name.startswith(left_out)}
    with pytest.raises(ValueError, match="are of no residual network"):
        architecture(weights)


def test_stacked_blocks_are_counted():
    found = architecture(weights_of(keras_resnet.CifarResNet(20, stacked=True, shortcut="B")))
    assert found["blocks"] == [3, 3, 3] and found["shortcut"] is None
