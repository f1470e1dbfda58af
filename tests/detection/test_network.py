import keras
import numpy as np
import pytest
import tensorflow as tf
from detectors import PREPROCESSING, detector, network

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.networks.layer_tree import batch_norms


def learned(model):
    """Number of values that training may change, without the statistics."""
    variables = [v for v in model.variables if not v.name.startswith("moving")]
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize(
    ("construct", "trunk", "layers"),
    [(keras_resnet.ResNet50, 8_543_296, 40), (keras_resnet.ResNet101, 27_535_424, 91)],
)
def test_the_parts_have_the_parameters_and_layers_of_the_paper(construct, trunk, layers):
    """Appendix A: 91 layers are shared."""
    model = FasterRCNN(construct(include_top=False), 20)
    assert learned(model.trunk) == trunk
    assert learned(model.head) == 14_964_736
    kernels = [v for v in model.trunk.variables if v.name == "kernel" and "shortcut" not in v.path]
    assert len(kernels) == layers
    assert model.stride == 16


def test_the_weights_are_those_of_the_network(rng):
    classifier = network(input_shape=(64, 64, 3))
    for variable in classifier.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model = FasterRCNN(classifier, 3, region_size=4)
    images = rng.normal(size=(2, 64, 64, 3)).astype(np.float32)
    whole = keras.Model(classifier.input, classifier.get_layer("conv5_1").output)
    np.testing.assert_allclose(model.head(model.trunk(images)), whole(images), rtol=1e-5)


def test_batch_norms_are_frozen_and_all_else_is_not():
    model = detector()
    norms = batch_norms(model.trunk) + batch_norms(model.head)
    assert norms and not any(norm.trainable for norm in norms)
    of_norms = {id(v) for norm in norms for v in norm.variables}
    assert {id(v) for v in model.trainable_variables} == {
        id(v) for v in model.variables if id(v) not in of_norms
    }


def test_coarse_maps_do_not_make_what_is_said_coarse(rng):
    """Of few numbers bfloat16 happens to have all digits."""
    model = detector("mixed_bfloat16")
    maps = model.trunk(rng.normal(0, 50, (1, 64, 96, 3)).astype(np.float32))
    regions = tf.constant(rng.uniform([0, 0, 40, 40], [30, 30, 90, 60], (1, 20, 4)), tf.float32)
    assert maps.dtype == tf.bfloat16
    for values in (*model.propose(maps), *model.look(maps, regions)):
        assert values.dtype == tf.float32
        assert np.mean(values == tf.cast(tf.cast(values, tf.bfloat16), tf.float32)) < 0.1


def test_it_comes_back_from_its_file(tmp_path):
    model = detector(class_names=("a", "b", "c"), pooling="max", anchor_ratios=(1.0, 3.0))
    model.rpn_conv.trainable = False
    model.save(tmp_path / "detector.keras")
    again = keras.saving.load_model(tmp_path / "detector.keras")
    assert again.get_config() == model.get_config()
    assert again.class_names == ("a", "b", "c") and again.preprocessing == PREPROCESSING
    for variable, other in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(variable, other)
    assert len(again.trainable_variables) == len(model.trainable_variables)
    boxes = tf.constant([[[0.0, 0.0, 40.0, 30.0]]])
    maps = model.trunk(tf.ones([1, 64, 96, 3]))
    for of_model, of_other in zip(model.look(maps, boxes), again.look(maps, boxes), strict=True):
        np.testing.assert_array_equal(of_model, of_other)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"pooling": "mean"}, "pooling"),
        ({"region_size": 0}, "region_size"),
        ({"rpn_channels": 1.5}, "rpn_channels"),
        ({"canvas": (64, 10**9)}, "longer"),
        ({"region_size": 10**6}, "region_size"),
        ({"proposals": 10**12}, "proposals"),
        ({"anchor_sizes": ()}, "anchor_sizes"),
        ({"anchor_sizes": ("a",)}, "anchor_sizes"),
        ({"anchor_sizes": (float("nan"),)}, "anchor_sizes"),
        ({"anchor_ratios": (1.0, 0)}, "anchor_ratios"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(UserError, match=f"`{name}`"):
        detector(**options)
