import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.parts import batch_norms, weights_of_layers, zero_last_gammas


@pytest.mark.parametrize("stacked", [False, True])
def test_all_normalizations_are_found(stacked):
    model = keras_resnet.CifarResNet(20, shortcut="B", stacked=stacked)
    # conv1, two in each block (or of each stack's), two projections.
    blocks = 3 + 3 if stacked else 9
    assert len(batch_norms(model)) == 1 + 2 * blocks + 2


def test_weights_have_the_names_of_blocks_also_in_stacks():
    unrolled, stacked = (keras_resnet.CifarResNet(20, stacked=stacked) for stacked in (False, True))
    expected, found = weights_of_layers(unrolled), weights_of_layers(stacked)
    assert [name for name in expected if name in found] == list(expected)
    for name, weights in expected.items():
        assert [weight.shape for weight in weights] == [weight.shape for weight in found[name]]


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


@pytest.mark.parametrize("stacked", [False, True])
def test_blocks_with_zero_last_gammas_are_identities(rng, stacked):
    model = keras_resnet.CifarResNet(20, stacked=stacked)
    zero_last_gammas(model)
    outputs = [model.get_layer("conv1_relu").output, model.get_layer("avg_pool").input]
    images = rng.normal(size=(2, 32, 32, 3)).astype(np.float32)
    stem, last = keras.Model(model.input, outputs)(images)
    # Option A subsamples twice and pads with zeros.
    np.testing.assert_array_equal(last[..., :16], stem[:, ::4, ::4])
    assert not np.any(last[..., 16:])
