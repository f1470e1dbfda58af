import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from letters import with_statistics

import keras_resnet
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.feature_pyramid import FeaturePyramid, feature_pyramid
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.serving.folding import fold_batch_norm


def network(stem="imagenet", block="basic", **arguments):
    """A small network of four stages, with weights as if it were trained."""
    settings = {"filters": (4, 8, 8, 12), "input_shape": (64, 64, 3), "classes": 5}
    model = keras_resnet.ResNet(stem, block, (2, 1, 1, 2), **{**settings, **arguments})
    return with_statistics(model)


def pictures(height, width, dtype="float32"):
    return np.random.default_rng(1).normal(size=(2, height, width, 3)).astype(dtype)


NETWORKS = {
    "basic": lambda **arguments: network(shortcut="A", **arguments),
    "v1": lambda **arguments: network(block="bottleneck", **arguments),
    "v1.5": lambda **arguments: network(
        block="bottleneck", bottleneck_stride="3x3", include_top=False, pooling="max", **arguments
    ),
    "plain": lambda **arguments: network(shortcut=None, **arguments),
    "cifar": lambda **arguments: network("cifar", block="inverted_bottleneck", **arguments),
    "stacked": lambda **arguments: network(stacked=True, **arguments),
}


@functools.cache
def built(name):
    """One of these networks, which is not to be changed."""
    return NETWORKS[name]()


@functools.cache
def pyramid_of(name):
    return feature_pyramid(built(name))


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_those_of_the_model(name):
    model = built(name)
    # Two blocks, one, one, two; of the stacked ones the second is a stack of one.
    last = {"conv2_x": "2", "conv3_x": "1", "conv4_x": "1", "conv5_x": "2"}
    suffix = "-2" if name == "stacked" else ""
    layers = {
        stage: stage[:-1] + end + (suffix if end == "2" else "") for stage, end in last.items()
    }
    outputs = {stage: model.get_layer(layer).output for stage, layer in layers.items()}
    expected = keras.Model(model.input, outputs)(pictures(64, 64), training=False)
    pyramid = pyramid_of(name)
    maps = pyramid(pictures(64, 64))
    assert list(maps) == list(layers)
    for stage, values in maps.items():
        np.testing.assert_allclose(values, expected[stage], atol=1e-5, rtol=1e-5)
    assert pyramid.name == f"{model.name}_pyramid"


@pytest.mark.parametrize("name", ["basic", "cifar"])
def test_pictures_of_any_size_give_maps_of_their_size_by_the_strides(name):
    pyramid = pyramid_of(name)
    first = {"basic": 4, "cifar": 1}[name]
    assert pyramid.strides == {f"conv{2 + k}_x": first * 2**k for k in range(4)}
    assert list(pyramid.pyramid_outputs) == [f"P{first // 2 + k}" for k in range(4)]
    for stage, values in pyramid(pictures(37, 70)).items():
        stride = pyramid.strides[stage]
        assert values.shape[1:3] == (-(-37 // stride), -(-70 // stride))


@pytest.mark.parametrize("name", NETWORKS)
def test_dilated_stages_give_the_same_at_the_pixels_of_the_undilated(name):
    size = (37, 70)
    expected = pyramid_of(name)(pictures(*size))
    strides = list(pyramid_of(name).strides.values())
    for output_stride in strides[::2]:
        pyramid = feature_pyramid(built(name), output_stride)
        assert list(pyramid.strides.values()) == [min(s, output_stride) for s in strides]
        for (stage, values), stride in zip(pyramid(pictures(*size)).items(), strides, strict=True):
            step = stride // pyramid.strides[stage]
            assert values.shape[1] == -(-size[0] // pyramid.strides[stage])
            theirs = expected[stage].numpy()
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(values[:, ::step, ::step], theirs, atol=1e-5 * scale)


def test_dilated_maps_go_by_their_stride_at_keras_hub():
    pyramid = feature_pyramid(built("basic"), output_stride=8)
    assert list(pyramid.pyramid_outputs) == ["P2", "P3"]
    assert pyramid.pyramid_outputs["P3"] is pyramid.output["conv5_x"]
    # A dilated network's own stride is the default, and can be undone.
    dilated = network(output_stride=8)
    assert feature_pyramid(dilated).strides["conv5_x"] == 8
    assert feature_pyramid(dilated, 32).strides["conv5_x"] == 32


def test_gray_networks_have_gray_pyramids():
    pyramid = feature_pyramid(network(input_shape=(None, 64, 1)))
    assert pyramid.input_shape == (None, None, None, 1)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("basic", "float64"),
        ("v1.5", "mixed_bfloat16"),
        ("stacked", "float32"),
        pytest.param("basic", "float32", marks=pytest.mark.faults),
    ],
)
def test_all_but_the_normalizations_is_trained(name, dtype):
    pyramid = feature_pyramid(NETWORKS[name](dtype=dtype), output_stride=8)
    before = [variable.numpy() for variable in pyramid.variables]

    @tf.function
    def train(images):
        with tf.GradientTape() as tape:
            maps = pyramid(images, training=True)
            loss = tf.add_n([tf.reduce_sum(tf.cast(m, tf.float64) ** 2) for m in maps.values()])
        return maps, tape.gradient(loss, [v.value for v in pyramid.trainable_variables])

    images = pictures(40, 33)
    maps, gradients = train(images)
    assert all(variable.name.endswith("kernel") for variable in pyramid.trainable_variables)
    for gradient in gradients:
        gradient = tf.cast(gradient, tf.float64)
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    for ours, theirs in zip(before, pyramid.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    inference = tf.function(pyramid)(images, training=False)
    tolerance = {"float32": 1e-5, "float64": 1e-12, "mixed_bfloat16": 0.05}[dtype]
    for stage, values in maps.items():
        difference = tf.reduce_max(tf.abs(values - inference[stage]))
        assert difference <= tolerance * tf.reduce_max(tf.abs(values))


def test_the_model_is_left_as_it_is():
    model = network()
    model.get_layer("conv2_1").convolutions[0].trainable = False
    config, weights = model.get_config(), model.get_weights()
    pyramid = feature_pyramid(model)
    for variable in pyramid.variables:
        variable.assign(variable + 1)
    assert model.get_config() == config
    assert all(norm.trainable for norm in batch_norms(model))
    for ours, theirs in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # What the model had frozen is to be trained.
    assert len(pyramid.trainable_variables) == 1 + 2 * 6 + 3


@pytest.mark.parametrize("name", ["v1", "stacked"])
def test_a_keras_file_keeps_everything(name, tmp_path):
    preprocessing = Preprocessing(64, 72, (1.5, 2.5, 3.25), (2.0, 3.0, 4.0))
    pyramid = feature_pyramid(NETWORKS[name](preprocessing=preprocessing), output_stride=16)
    pyramid.save(tmp_path / "pyramid.keras")
    loaded = keras.saving.load_model(tmp_path / "pyramid.keras")
    assert isinstance(loaded, FeaturePyramid)
    assert loaded.preprocessing == preprocessing
    assert loaded.get_config() == pyramid.get_config()
    trainable = [variable.path for variable in pyramid.trainable_variables]
    assert [variable.path for variable in loaded.trainable_variables] == trainable
    expected = pyramid(pictures(40, 33))
    for stage, values in loaded(pictures(40, 33), training=True).items():
        np.testing.assert_array_equal(values, expected[stage])


def test_a_layer_config_keeps_everything_but_the_weights():
    pyramid = feature_pyramid(built("basic"), output_stride=8)
    copy = keras.layers.deserialize(keras.layers.serialize(pyramid))
    assert copy.get_config() == pyramid.get_config() and copy.strides == pyramid.strides
    assert [v.shape for v in copy.variables] == [v.shape for v in pyramid.variables]


def test_a_folded_network_gives_the_maps_of_the_one_it_is_made_of():
    model = built("basic")
    expected = feature_pyramid(model, 16)(pictures(40, 33))
    for stage, values in feature_pyramid(fold_batch_norm(model), 16)(pictures(40, 33)).items():
        scale = np.abs(expected[stage]).max()
        np.testing.assert_allclose(values, expected[stage], atol=1e-5 * scale)


@pytest.mark.parametrize("model", [None, keras.Sequential([keras.Input([4])])])
def test_other_models_are_refused(model):
    with pytest.raises(ValueError, match=r"`model` must be a keras_resnet.ResNet. Received: "):
        feature_pyramid(model)


@pytest.mark.parametrize("output_stride", [0, 2, 64, "16"])
def test_other_strides_are_refused(output_stride):
    message = f"`output_stride` must be one of .*32. Received: output_stride={output_stride!r}"
    with pytest.raises(ValueError, match=message):
        feature_pyramid(built("basic"), output_stride)
