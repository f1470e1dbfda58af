import keras
import numpy as np
import pytest
import tensorflow as tf
from detectors import PREPROCESSING, network
from localizers import localizer

import keras_resnet
from keras_resnet.checks import UserError
from keras_resnet.localization.network import Localizer
from keras_resnet.networks.layer_tree import batch_norms


def test_it_classifies_as_the_network_does(rng):
    classifier = network(input_shape=(64, 64, 3), classes=3, classifier_activation=None)
    for variable in classifier.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model = Localizer(classifier, 3)
    head = classifier.get_layer("fc")
    model.class_scores.set_weights(head.get_weights())
    images = rng.normal(size=(2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(model(images), classifier(images), rtol=1e-4)


def test_what_lies_beside_a_picture_does_not_count(rng):
    model = localizer()
    maps = rng.normal(size=(2, 4, 6, 8)).astype(np.float32)
    shapes = tf.constant([[33, 70], [64, 96]])
    last = model.head(maps).numpy()
    # Of a stride of 32: two rows of two, and three columns.
    means = [last[0, :2, :3].mean(axis=(0, 1)), last[1].mean(axis=(0, 1))]
    expected = np.stack(means) @ model.class_scores.kernel.numpy()
    np.testing.assert_allclose(model.classify(maps, shapes), expected, rtol=1e-4, atol=1e-5)
    narrow = model.classify(maps, tf.constant([[32, 32], [64, 96]]))
    alone = last[0, 0, 0] @ model.class_scores.kernel.numpy()
    np.testing.assert_allclose(narrow[0], alone, rtol=1e-4, atol=1e-5)


def test_each_class_has_a_score_and_a_code_for_each_anchor(rng):
    model = localizer("mixed_bfloat16")
    maps = model.trunk(rng.normal(0, 50, (2, 64, 96, 3)).astype(np.float32))
    scores, codes = model.look(maps, tf.constant([[0, 2], [1, 1]]))
    assert scores.shape == (2, 2, 4 * 6 * 6) and codes.shape == (2, 2, 4 * 6 * 6, 4)
    # Of few numbers bfloat16 happens to have all digits.
    for values in (scores, codes, model.classify(maps)):
        assert values.dtype == tf.float32
    assert np.mean(codes == tf.cast(tf.cast(codes, tf.bfloat16), tf.float32)) < 0.1
    assert np.abs(scores[0, 0] - scores[0, 1]).max() > 1e-3
    np.testing.assert_array_equal(scores[1, 0], scores[1, 1])


def test_the_paper_has_the_parameters_of_its_parts():
    """1,000 classes of 9 anchors, each with a score and four numbers."""
    model = Localizer(keras_resnet.ResNet101(include_top=False), 1000)
    assert model.stride == 16 and len(model.anchor_shapes) == 9
    assert model.rpn_scores.kernel.shape == (512, 9_000)
    assert model.rpn_codes.kernel.shape == (512, 36_000)
    assert model.class_scores.kernel.shape == (2048, 1000)
    norms = batch_norms(model.trunk) + batch_norms(model.head)
    assert norms and not any(norm.trainable for norm in norms)


def test_it_comes_back_from_its_file(tmp_path):
    model = localizer(anchor_ratios=(1.0, 3.0))
    model.rpn_conv.trainable = False
    model.save(tmp_path / "localizer.keras")
    again = keras.saving.load_model(tmp_path / "localizer.keras")
    assert again.get_config() == model.get_config()
    assert again.class_names == model.class_names and again.preprocessing == PREPROCESSING
    for variable, other in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(variable, other)
    assert len(again.trainable_variables) == len(model.trainable_variables)
    assert model.variables_by_name().keys() == again.variables_by_name().keys()
    assert len(model.variables_by_name()) == len(model.variables)


def test_the_rows_of_a_class_are_its_outputs():
    model = localizer()
    rows = model.rows_of_classes([2, 0])
    assert rows["class_scores"] == [2, 0]
    assert rows["rpn_scores"] == [*range(12, 18), *range(6)]
    assert rows["rpn_codes"] == [*range(48, 72), *range(24)]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"rpn_channels": 0}, "rpn_channels"),
        ({"rpn_channels": 10**6}, "rpn_channels"),
        ({"anchor_sizes": ()}, "anchor_sizes"),
        ({"anchor_ratios": (1.0, 0)}, "anchor_ratios"),
    ],
)
def test_bad_arguments_are_named(options, name):
    with pytest.raises(UserError, match=f"`{name}`"):
        localizer(**options)
