import keras
import numpy as np
import pytest
import tensorflow as tf
from formulas import convolve, normalize, randomize

import keras_resnet
from keras_resnet.networks import layers, variants
from keras_resnet.networks.layer_tree import layers_by_path

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def residual(block, x, activate):
    """F(x) by its definition."""
    for position, (conv, norm) in enumerate(zip(block.convolutions, block.norms, strict=True)):
        x = activate(x) if position else x
        x = normalize(convolve(x, conv.kernel.numpy(), conv.strides[0]), norm)
    return x


def shortcut(block, x):
    if block.shortcut_layer is None:
        return x
    projection = block.shortcut_layer
    strides = projection.conv.strides[0]
    return normalize(convolve(x, projection.conv.kernel.numpy(), strides), projection.bn)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(
    ("make", "merge"),
    [
        (layers.BasicBlock, lambda f, x, activate: activate(f + x)),
        (variants.SingleLayerBlock, lambda f, x, activate: activate(f + x)),
        (variants.InvertedBottleneckBlock, lambda f, x, activate: activate(f + x)),
        (variants.OuterAdditionBlock, lambda f, x, activate: activate(f) + x),
        (variants.SquaredShortcutBlock, lambda f, x, activate: activate(f + x**2)),
    ],
)
def test_variants_compute_their_formulas(rng, make, merge, strides, activation):
    x = rng.normal(size=(2, 6, 6, 4)).astype(np.float32)
    block = make(4, strides=strides, activation=activation)
    block(x)
    randomize(block, rng)
    activate = ACTIVATIONS[activation]
    expected = merge(residual(block, x, activate), shortcut(block, x), activate)
    np.testing.assert_allclose(block(x), expected, rtol=1e-4, atol=1e-5)


def test_the_inverted_bottleneck_is_wide_in_the_middle():
    block = variants.InvertedBottleneckBlock(8)
    block.build((None, 4, 4, 8))
    shapes = [conv.kernel.shape for conv in block.convolutions]
    assert shapes == [(1, 1, 8, 16), (3, 3, 16, 16), (1, 1, 16, 8)]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_graphs_compute_every_activation_after_a_normalization(rng, activation):
    # A graph fuses what stands in a row, in training and in inference.
    model = keras_resnet.ResNet(
        "cifar", "basic", (1,), (4,), input_shape=(8, 8, 3), activation=activation
    )
    images = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    for training in (False, True):
        answer = tf.function(lambda x, training=training: model(x, training=training))
        np.testing.assert_allclose(
            answer(images), model(images, training=training), rtol=1e-4, atol=1e-6
        )


def test_networks_of_single_layers_are_as_deep_as_plain_ones():
    """A shortcut around each 3x3 layer, and nothing else than the plain network has."""
    for plain, single in (
        (keras_resnet.CifarPlainNet(14), keras_resnet.CifarResNet(14, block="single_layer")),
        (
            keras_resnet.PlainNet18(classes=10),
            keras_resnet.ResNet18(classes=10, block="single_layer", shortcut="A"),
        ),
    ):
        kernels = [
            [layer.kernel.shape for layer in layers_by_path(model).values() if is_kernel_of(layer)]
            for model in (plain, single)
        ]
        assert kernels[0] == kernels[1]
        # The first layer of a stage halves the image.
        assert single.get_layer("conv3_1").strides == 2
        assert single.count_params() == plain.count_params()


def is_kernel_of(layer):
    return isinstance(layer, layers.Convolution)


@pytest.mark.parametrize(
    "block", ["single_layer", "inverted_bottleneck", "outer_addition", "squared_shortcut"]
)
def test_networks_of_variants_come_back_from_files(rng, block, tmp_path):
    model = keras_resnet.ResNet(
        "cifar", block, (2, 1), (4, 8), activation="leaky_relu", input_shape=(16, 16, 3), classes=5
    )
    images = rng.normal(size=(2, 16, 16, 3)).astype(np.float32)
    assert model.get_layer("conv2_2").output.shape[1:] == (16, 16, 4)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))
    assert type(loaded.get_layer("conv3_1")).__name__.startswith(block[:5].title())


def test_what_is_no_variant_is_refused():
    with pytest.raises(ValueError, match="`activation` must be one of"):
        keras_resnet.ResNet18(activation="elu")
    with pytest.raises(ValueError, match="`block` must be one of 'bottleneck'"):
        keras_resnet.ResNet50(block="basic")
    with pytest.raises(ValueError, match="`block` must be one of 'basic'"):
        keras_resnet.CifarResNet(8, block="bottleneck")
    with pytest.raises(ValueError, match="`stem` must not be given to the CIFAR networks"):
        keras_resnet.CifarResNet(8, stem="imagenet")
    with pytest.raises(ValueError, match="`stem` must be one of"):
        keras_resnet.ResNet18(stem="patches")
