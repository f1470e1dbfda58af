import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.networks import layer_tree
from keras_resnet.networks.layer_tree import batch_norms, weights_of_layers, zero_last_gammas


def network(block="basic", blocks=(2, 3), shortcut="A", **arguments):
    settings = {"input_shape": (8, 8, 3), "classes": 5, **arguments}
    return keras_resnet.ResNet("cifar", block, blocks, (2, 4), shortcut=shortcut, **settings)


def test_layers_have_paths():
    paths = layer_tree.layers_by_path(network(blocks=(1, 2), shortcut="B", stacked=True))
    conv3_1 = ["conv1", "bn1", "conv2", "bn2", "shortcut", "shortcut/conv", "shortcut/bn"]
    assert [*paths] == [
        *("images", "conv1", "conv1_bn", "conv1_relu"),
        *("conv2_1", *(f"conv2_1/{part}" for part in conv3_1[:4])),
        *("conv3_1", *(f"conv3_1/{part}" for part in conv3_1)),
        *("conv3_2-2", *(f"conv3_2-2/{part}" for part in conv3_1[:4])),
        *("avg_pool", "fc", "predictions"),
    ]
    assert all(path.endswith(layer.name) for path, layer in paths.items())


@pytest.mark.parametrize("stacked", [False, True])
def test_all_normalizations_are_found(stacked):
    model = network(shortcut="B", stacked=stacked)
    # conv1, two in each block (or of each stack's), a projection.
    blocks = 2 + 2 if stacked else 5
    norms = batch_norms(model)
    assert len(norms) == 1 + 2 * blocks + 1
    # In their order, and those of stacks with the statistics of all their blocks.
    names = [(mean.path, variance.path) for mean, variance in layer_tree.moving_statistics(model)]
    first, second = ("conv2_2-2/", "conv3_2-3/") if stacked else ("conv2_2/", "conv3_2/")
    mid = "_" if stacked else "/"
    expected = ["conv1_bn/", "conv2_1/bn1/", "conv2_1/bn2/", f"{first}bn1{mid}", f"{first}bn2{mid}"]
    expected += ["conv3_1/bn1/", "conv3_1/bn2/", "conv3_1/shortcut/bn/"]
    expected += [f"{second}bn1{mid}", f"{second}bn2{mid}"]
    expected += [] if stacked else ["conv3_3/bn1/", "conv3_3/bn2/"]
    assert names == [(f"{path}moving_mean", f"{path}moving_variance") for path in expected]
    shapes = [mean.shape for mean, _ in layer_tree.moving_statistics(model)]
    assert shapes[-1] == ((2, 4) if stacked else (4,))


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_weights_have_the_names_of_blocks_also_in_stacks(block):
    unrolled, stacked = (network(block, stacked=stacked) for stacked in (False, True))
    expected, found = weights_of_layers(unrolled), weights_of_layers(stacked)
    assert [name for name in expected if name in found] == list(expected)
    for name, weights in expected.items():
        assert [weight.shape for weight in weights] == [weight.shape for weight in found[name]]


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(
    ("last", "trained"),
    [("conv1", ["conv2", "conv3"]), ("conv2", ["conv3"]), ("conv3", [])],
)
def test_stages_freeze_up_to_one(last, trained, stacked):
    model = network(shortcut="B", stacked=stacked)
    assert layer_tree.freeze_stages(model, last) is model
    stages = [variable.path[:5] for variable in model.trainable_variables]
    assert list(dict.fromkeys(stages)) == [*trained, "fc/ke", "fc/bi"]
    before = {variable.path: variable.numpy() for variable in model.variables}
    model(np.ones((2, 8, 8, 3), np.float32), training=True)
    moved = {v.path[:5] for v in model.variables if np.any(v.numpy() != before[v.path])}
    assert moved == set(trained)


def test_a_stage_that_is_not_there_is_named():
    message = "`freeze` must be one of 'conv1', 'conv2', 'conv3'. Received: freeze='conv4'"
    with pytest.raises(ValueError, match=message):
        layer_tree.freeze_stages(network(), "conv4")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "`model` must be a Keras model. Received: None"),
        (keras.layers.BatchNormalization(), "`model` must be a Keras model"),
        (keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]), "which holds none of them"),
    ],
)
def test_nothing_to_freeze_is_an_error(model, message):
    with pytest.raises(ValueError, match=message):
        keras_resnet.freeze_batch_norm(model)


def test_batch_norms_freeze_inside_of_another_model():
    backbone = keras_resnet.CifarResNet(8, include_top=False, input_shape=(8, 8, 3), pooling="avg")
    model = keras.Sequential([backbone, keras.layers.Dense(2)])
    keras_resnet.freeze_batch_norm(model)
    assert {variable.name for variable in model.trainable_variables} == {"kernel", "bias"}


def test_networks_with_zero_last_gammas_learn_in_every_block(rng):
    for make in (keras_resnet.CifarResNet, keras_resnet.CifarPlainNet):
        model = make(8, input_shape=(8, 8, 3))
        zero_last_gammas(model)
        images = rng.normal(size=(4, 8, 8, 3)).astype(np.float32)
        with tf.GradientTape() as tape:
            answers = model(images, training=True)
            labels = np.array([1, 2, 3, 4])
            loss = keras.losses.sparse_categorical_crossentropy(labels, answers)
        variables = model.trainable_variables
        gradients = dict(
            zip((v.path for v in variables), tape.gradient(loss, variables), strict=True)
        )
        for place in ("conv2_1", "conv3_1", "conv4_1"):
            assert np.abs(gradients[f"{place}/bn2/gamma"]).max() > 0


@pytest.mark.parametrize("block", ["outer_addition", "squared_shortcut"])
def test_blocks_that_would_not_be_identities_are_refused(block):
    with pytest.raises(ValueError, match="`zero_last_gamma` must be False"):
        zero_last_gammas(keras_resnet.CifarResNet(8, block=block))
    with pytest.raises(ValueError, match=f"Received: blocks of type .*{block[:5].title()}"):
        zero_last_gammas(network(block, stacked=True))


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("block", ["basic", "bottleneck", "inverted_bottleneck"])
def test_blocks_with_zero_last_gammas_are_identities(rng, stacked, block):
    model = network(block, (2, 2), stacked=stacked)
    zero_last_gammas(model)
    outputs = [model.get_layer("conv1_relu").output, model.get_layer("avg_pool").input]
    images = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    stem, last = keras.Model(model.input, outputs)(images)
    # Option A subsamples and pads with zeros.
    np.testing.assert_array_equal(last[..., :2], stem[:, ::2, ::2])
    assert not np.any(last[..., 2:])
    # The last ones alone: with another one of a bottleneck at 0 it would be an identity, too.
    zeros = [v.path for v in model.variables if v.name.endswith("gamma") and not np.any(v)]
    assert len(zeros) == 4
    assert all(f"bn{2 if block == 'basic' else 3}" in path for path in zeros)


@pytest.mark.parametrize("stacked", [False, True])
def test_plain_blocks_keep_their_gammas(stacked):
    model = network(shortcut=None, stacked=stacked)
    zero_last_gammas(model)
    assert all(np.all(v.numpy() == 1) for v in model.variables if v.name.endswith("gamma"))
