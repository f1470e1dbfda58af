import keras
import numpy as np
import pytest
from letters import with_statistics

import keras_resnet
from keras_resnet.weights import names


def weights_of(model):
    return {name: variable.numpy() for name, variable in names.variables_by_name(model).items()}


@pytest.fixture(scope="module", params=["ResNet18", "ResNet50"])
def small(request):
    construct = getattr(keras_resnet, request.param)
    return with_statistics(construct(input_shape=(32, 32, 3), classes=5))


def test_every_variable_has_a_name_of_its_own(small):
    variables = names.variables_by_name(small)
    assert len({id(variable) for variable in variables.values()}) == len(small.variables)


def test_stacked_blocks_have_names_too():
    model = keras_resnet.CifarResNet(20, stacked=True)
    variables = names.variables_by_name(model)
    assert {id(v) for v in variables.values()} == {id(v) for v in model.variables}
    with pytest.raises(ValueError, match="Stacked blocks have no names in torchvision and timm"):
        names.to_torch(weights_of(model))
    with pytest.raises(ValueError, match=r"Stacked blocks have no names in keras\.applications"):
        names.to_keras(weights_of(model))


def test_torchs_names_are_those_of_its_documentation(rng):
    pairs = {
        "conv1/kernel": "conv1.weight",
        "conv1_bn/moving_variance": "bn1.running_var",
        "conv2_1/conv1/kernel": "layer1.0.conv1.weight",
        "conv5_3/bn3/gamma": "layer4.2.bn3.weight",
        "conv4_23/bn2/beta": "layer3.22.bn2.bias",
        "conv3_1/shortcut/conv/kernel": "layer2.0.downsample.0.weight",
        "conv3_1/shortcut/bn/moving_mean": "layer2.0.downsample.1.running_mean",
        "fc/kernel": "fc.weight",
        "fc/bias": "fc.bias",
    }
    values = {name: rng.normal(size=(1, 1)) for name in pairs}
    assert list(names.to_torch(values)) == list(pairs.values())
    counts = {"bn1.num_batches_tracked": 3, "layer1.0.bn1.num_batches_tracked": 3}
    assert list(names.from_torch({**names.to_torch(values), **counts})) == list(pairs)


def test_torchs_layouts_are_turned(rng):
    weights = {"conv1/kernel": rng.normal(size=(3, 4, 5, 6)), "fc/kernel": rng.normal(size=(5, 6))}
    theirs = names.to_torch(weights)
    assert theirs["conv1.weight"][5, 4, 2, 3] == weights["conv1/kernel"][2, 3, 4, 5]
    assert theirs["fc.weight"][5, 4] == weights["fc/kernel"][4, 5]


def test_torchs_names_and_layouts_return(small):
    weights = weights_of(small)
    returned = names.from_torch(names.to_torch(weights))
    assert returned.keys() == weights.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(returned[name], value)


def test_keras_applications_has_these_names_and_shapes():
    peer = keras.applications.ResNet50(weights=None)
    theirs = {variable.path: variable.shape for variable in peer.variables}
    ours = names.to_keras(weights_of(keras_resnet.ResNet50()))
    assert {name: value.shape for name, value in ours.items()} == theirs
    assert names.is_keras(theirs) and not names.is_torch(theirs)


def test_weights_return_from_the_names_of_keras_applications():
    weights = weights_of(with_statistics(keras_resnet.ResNet50(input_shape=(32, 32, 3))))
    returned = names.from_keras(names.to_keras(weights))
    assert returned.keys() == weights.keys()
    for name, value in weights.items():
        # The two epsilons differ by 1e-8.
        np.testing.assert_allclose(returned[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("convert", "name"),
    [
        (names.from_torch, "layer1.0.conv1.running_mean"),
        (names.from_torch, "layer1.0.se.fc1.weight"),
        (names.from_torch, "maxpool.weight"),
        (names.from_torch, "bn1.kernel"),
        (names.from_keras, "conv2_block1_preact_bn/gamma"),
        (names.from_keras, "conv1_conv/gamma"),
    ],
)
def test_names_of_other_networks_are_refused(convert, name):
    with pytest.raises(ValueError, match=f"'{name}' is no weight of a residual network"):
        convert({name: np.zeros(3)})
