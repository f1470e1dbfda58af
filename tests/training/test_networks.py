import numpy as np
import pytest
from harness import tiny_training

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.training.networks import new_network, stride_of_weights
from keras_resnet.weights.local import WeightFile, write_safetensors


def test_a_network_is_what_the_configuration_says():
    options = {
        "network": "ResNet",
        "depth": 50,
        "width": 8,
        "activation": "tanh",
        "dtype": "float64",
    }
    config = tiny_training(**options, stem="cifar", bottleneck_stride="3x3", zero_last_gamma=True)
    model = new_network(config, None, include_top=False)
    found = model.get_config()
    assert (found["blocks"], found["filters"]) == ([3, 4, 6, 3], [8, 16, 32, 64])
    assert (found["stem"], found["activation"], found["dtype"]) == ("cifar", "tanh", "float64")
    assert (found["bottleneck_stride"], found["shortcut"]) == ("3x3", "B")
    assert not np.any(model.get_layer("conv2_1").norms[-1].gamma)
    # That of the weights is not asked for twice.
    assert new_network(config, "1x1").get_config()["bottleneck_stride"] == "1x1"


def test_the_stride_is_that_of_the_weights(tmp_path):
    model = keras_resnet.ResNet50(width=4, bottleneck_stride="3x3", include_top=False)
    write_safetensors(model, tmp_path / "x.safetensors")
    file = WeightFile(tmp_path / "x.safetensors")
    deep = tiny_training(network="ResNet", depth=50)
    assert stride_of_weights(deep, file) == "3x3"
    assert stride_of_weights(deep.with_options(depth=18), file) is None
    with pytest.raises(UserError, match="`bottleneck_stride` must be one of '3x3'"):
        stride_of_weights(deep.with_options(bottleneck_stride="1x1"), file)
