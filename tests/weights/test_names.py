import keras
import numpy as np
import peers
import pytest

import keras_resnet
from keras_resnet.weights import names


def weights_of(model):
    return {name: variable.numpy() for name, variable in names.variables_by_name(model).items()}


def assert_same(found, expected, **tolerances):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], value, err_msg=name, **{"rtol": 0, **tolerances})


@pytest.fixture(scope="module", params=["basic", "bottleneck"])
def small(request):
    return peers.network(request.param)


@pytest.fixture(scope="module")
def bottlenecks():
    return peers.network()


@pytest.fixture(scope="module")
def peer():
    return peers.applications()


def test_every_variable_has_a_name_of_its_own(small):
    variables = names.variables_by_name(small)
    assert len({id(variable) for variable in variables.values()}) == len(small.variables)
    assert_same(weights_of(small), peers.ours(small))


def test_biases_of_folded_convolutions_have_names():
    model = keras_resnet.ResNet("cifar", "basic", (1,), (4,), input_shape=(8, 8, 3), folded=True)
    names_of_weights = [
        *("conv1/kernel", "conv1/bias", "conv2_1/conv1/kernel", "conv2_1/conv1/bias"),
        *("conv2_1/conv2/kernel", "conv2_1/conv2/bias", "fc/kernel", "fc/bias"),
    ]
    assert list(weights_of(model)) == names_of_weights


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
    # As writers of raw bytes take them.
    assert all(value.flags.c_contiguous for value in theirs.values())


def test_torch_has_these_names_and_layouts(small):
    state, weights = peers.torchs(small), weights_of(small)
    assert_same(names.to_torch(weights), state)
    assert_same(names.from_torch(state), weights)
    assert names.is_torch(state) and not names.is_keras(state)


def test_keras_applications_has_these_names_and_shapes(peer, bottlenecks):
    theirs = {variable.path: variable.shape for variable in peer.variables}
    ours = names.to_keras(weights_of(bottlenecks))
    assert {name: value.shape for name, value in ours.items()} == theirs
    assert names.is_keras(theirs) and not names.is_torch(theirs)


def test_weights_go_to_the_names_of_keras_applications_and_return(bottlenecks):
    weights, expected = weights_of(bottlenecks), peers.applications_of(bottlenecks)
    found = names.to_keras(weights)
    # The two epsilons differ by 1e-8, of which a variance of 0.5 to 1.5 shows little.
    assert_same(found, expected, rtol=1e-7)
    assert_same(names.from_keras(found), weights, rtol=1e-6, atol=1e-9)


def test_what_keras_adds_to_a_faint_variance_is_kept():
    faint = {"conv1_bn/moving_variance": np.full(3, 1e-7, np.float32)}
    found = names.from_keras(faint)["conv1_bn/moving_variance"]
    np.testing.assert_allclose(found + 1e-5, 1e-7 + 1.001e-5, rtol=1e-6)
    np.testing.assert_allclose(
        names.to_keras({"conv1_bn/moving_variance": found})["conv1_bn/moving_variance"],
        faint["conv1_bn/moving_variance"],
        rtol=1e-4,
    )


def test_means_take_the_biases_before_them(rng):
    bias, mean = rng.normal(size=(2, 3)).astype(np.float32)
    for conv, bn, ours in (
        ("conv1_conv", "conv1_bn", "conv1_bn"),
        ("conv2_block1_0_conv", "conv2_block1_0_bn", "conv2_1/shortcut/bn"),
        ("conv4_block10_3_conv", "conv4_block10_3_bn", "conv4_10/bn3"),
    ):
        found = names.from_keras({f"{conv}/bias": bias, f"{bn}/moving_mean": mean})
        # The normalization of x + bias is that of x with another mean.
        np.testing.assert_array_equal(found[f"{ours}/moving_mean"], mean - bias)
        assert list(found) == [f"{ours}/moving_mean"]


OTHERS = [
    (names.from_torch, "layer1.0.conv1.running_mean"),
    (names.from_torch, "layer1.0.se.fc1.weight"),
    (names.from_torch, "layer1.0.downsample.2.weight"),
    (names.from_torch, "maxpool.weight"),
    (names.from_torch, "bn1.kernel"),
    (names.from_keras, "conv2_block1_preact_bn/gamma"),
    (names.from_keras, "conv1_conv/gamma"),
    (names.from_keras, "conv1_bn/kernel"),
    # Of one weight there are not two names.
    (names.from_torch, "layer1.00.conv1.weight"),
    (names.from_torch, "layer1.10000.conv1.weight"),
    (names.from_torch, "conv1_bn.weight"),
    (names.from_keras, "conv2_block0_1_conv/kernel"),
    (names.from_keras, "conv2_block01_1_conv/kernel"),
    (names.from_keras, "conv1/kernel"),
]


@pytest.mark.parametrize(("convert", "name"), OTHERS)
def test_names_of_other_networks_are_refused(convert, name):
    with pytest.raises(ValueError, match=f"'{name}' is no weight of a residual network"):
        convert({name: np.zeros(3)})


@pytest.mark.parametrize("convert", [names.from_torch, names.from_keras])
def test_of_an_endless_name_a_hundred_letters_are_said(convert):
    with pytest.raises(ValueError, match=f"^'{'x' * 100}' is no weight"):
        convert({"x" * 10**6: np.zeros(3)})


def test_the_answers_of_the_peer_are_ours(peer, bottlenecks, rng):
    """That the names and values mean the same is seen in what both answer."""
    weights = names.from_keras({v.path: v.numpy() for v in peer.variables})
    ours = keras.models.clone_model(bottlenecks)
    for name, variable in names.variables_by_name(ours).items():
        variable.assign(weights[name])
    images = rng.normal(size=(2, peers.SIZE, peers.SIZE, 3)).astype(np.float32)
    logits = keras.Model(ours.input, ours.get_layer("fc").output)(images, training=False)
    expected = peer(images[..., ::-1], training=False)
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())
