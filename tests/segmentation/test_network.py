import keras
import numpy as np
import pytest
import tensorflow as tf
from segmenters import NAMES, network, segmenter

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.segmentation.files import load_segmenter
from keras_resnet.segmentation.heads import fcn_head
from keras_resnet.segmentation.network import FCN, DeepLabV3


def test_parameters_are_those_of_torchvision():
    """Of ResNet-50, whose FCN has all but the head of DeepLabV3, and one of its own."""
    backbone = keras_resnet.ResNet50(include_top=False, input_shape=(None, None, 3))
    deeplab = DeepLabV3(backbone, 21)
    number, of_head = (
        sum(np.prod(v.shape) for v in model.trainable_variables)
        for model in (deeplab, deeplab.head)
    )
    assert number == 42_004_074
    head = fcn_head(2048, 21, "head", dtype=backbone.dtype_policy, synchronized=False)
    of_fcn = sum(np.prod(v.shape) for v in head.trainable_variables)
    assert number - of_head + of_fcn == 35_322_218


@pytest.mark.parametrize("size", [(64, 96), (65, 99), (8, 8)])
@pytest.mark.parametrize("options", [{}, {"rates": (2, 4)}, {"skip": True, "auxiliary": False}])
def test_each_pixel_has_scores(rng, size, options):
    model = segmenter(**options)
    images = rng.normal(0, 50, (2, *size, 3)).astype(np.float32)
    logits = model(images)
    assert logits.shape == (2, *size, 3) and logits.dtype == tf.float32
    assert np.ptp(logits) > 0
    maps, of_inner = model.maps(images)
    stride = 4 if options.get("skip") else 8
    assert model.place == stride
    assert maps.shape[1:3] == tuple(-(-side // stride) for side in size)
    assert (of_inner is None) == ("auxiliary" in options)


def test_what_is_beside_a_picture_counts_for_no_mean(rng):
    """Of DeepLabV3, whose places see the mean of all: of those of the picture alone."""
    model = segmenter(rates=(2,))
    image = rng.normal(0, 50, (1, 32, 40, 3)).astype(np.float32)
    padded = np.pad(image, [[0, 0], [0, 32], [0, 24], [0, 0]])
    alone = model.head.get_layer("mean")
    maps = rng.normal(size=(1, 6, 7, 12)).astype(np.float32)
    is_seen = np.zeros((1, 6, 7, 1), np.float32)
    is_seen[:, :4, :5] = 1
    np.testing.assert_allclose(
        alone(maps, is_seen)[0, 0, 0], maps[0, :4, :5].mean(axis=(0, 1)), rtol=1e-5
    )
    shapes = tf.constant([[32, 40]])
    first, _ = model.maps(padded, shapes)
    other, _ = model.maps(np.pad(image, [[0, 0], [0, 32], [0, 24], [0, 0]]), None)
    assert np.abs(first - other).max() > 1e-4
    np.testing.assert_array_equal(model.ends(shapes, tf.constant([8, 8]), [64, 64]), [[4, 5]])


def test_files_and_configurations_give_it_back(tmp_path, rng):
    model = segmenter(rates=(2, 3), skip=True)
    model.trunk.get_layer("conv1").trainable = False
    images = rng.normal(0, 50, (1, 40, 48, 3)).astype(np.float32)
    model.save(tmp_path / "x.keras")
    for other in (
        keras.saving.load_model(tmp_path / "x.keras"),
        load_segmenter(tmp_path / "x.keras"),
    ):
        np.testing.assert_array_equal(other(images), model(images))
        assert other.class_names == NAMES and other.canvas == model.canvas
        assert other.preprocessing == model.preprocessing
        assert not other.trunk.get_layer("conv1").trainable
        assert len(other.trainable_variables) == len(model.trainable_variables)


def test_normalizations_learn():
    assert all(norm.trainable for norm in batch_norms(segmenter()))


def test_mixed_precision_has_scores_of_float32(rng):
    model = segmenter(dtype="mixed_bfloat16", rates=(2,))
    images = rng.normal(0, 50, (1, 32, 32, 3)).astype(np.float32)
    assert model.maps(images)[0].dtype == tf.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "`classes` must be an integer of at least 2"),
        ({"classes": 256}, "classes=256"),
        ({"rates": (0,)}, "rates=0"),
        ({"canvas": 64}, "`canvas` must be two numbers of pixels"),
        ({"canvas": (64, 32)}, "`longer`"),
        ({"output_stride": 5}, "`output_stride` must be one of"),
        ({"class_names": ["a"]}, "`class_names` must be of 3 classes. Received: 1"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(UserError, match=message):
        FCN(network(), **{"classes": 3, **options})


def test_what_is_no_network_is_named():
    with pytest.raises(UserError, match="`network` must be a keras_resnet.ResNet"):
        FCN(keras.Sequential(), 3)
    with pytest.raises(UserError, match="two stages or more"):
        FCN(keras_resnet.ResNet("cifar", "basic", (1,), (4,), input_shape=(8, 8, 3)), 3)
