import numpy as np
import pytest
import tensorflow as tf
from detectors import detector, of_any_number

from keras_resnet.detection.inference import Pictures, finder
from keras_resnet.detection.proposals import ProposalOptions

SHAPES = [[64, 80], [96, 60], [40, 96]]


@pytest.fixture
def pictures(rng):
    inputs = np.zeros((3, 96, 96, 3), np.float32)
    for each, (height, width) in zip(inputs, SHAPES, strict=True):
        each[:height, :width] = rng.normal(0, 50, (height, width, 3))
    return Pictures(tf.constant(inputs), tf.constant(SHAPES), tf.constant(SHAPES) * [3, 2])


@pytest.fixture(scope="module")
def find():
    like = Pictures(tf.zeros([1, 96, 96, 3]), *[tf.zeros([1, 2], tf.int32)] * 2)
    return of_any_number(finder(detector(), options=ProposalOptions(100, 20)), like)


def test_a_picture_alone_and_beside_others_has_the_same_boxes(find, pictures):
    together = {name: values.numpy() for name, values in find(pictures).items()}
    assert (together["count"] > 2).all()
    for place in range(3):
        alone = find(Pictures(*(part[place : place + 1] for part in pictures)))
        assert alone["count"][0] == together["count"][place]
        # Their logits, of random weights, are of some tens.
        np.testing.assert_allclose(alone["scores"][0], together["scores"][place], atol=1e-4)
        np.testing.assert_allclose(alone["boxes"][0], together["boxes"][place], atol=1e-3)
        np.testing.assert_array_equal(alone["classes"][0], together["classes"][place])


def test_boxes_are_in_pixels_of_the_picture_itself(find, pictures):
    found = find(pictures)
    small = find(pictures._replace(own_shapes=pictures.shapes))
    np.testing.assert_allclose(found["boxes"], small["boxes"] * [2.0, 3.0, 2.0, 3.0], rtol=1e-6)
    for boxes, (height, width) in zip(small["boxes"].numpy(), SHAPES, strict=True):
        assert boxes.min() >= 0 and (boxes <= [width, height, width, height]).all()
    scores = found["scores"].numpy()
    assert (np.diff(scores) <= 0).all()
    assert set(found["classes"].numpy().ravel()) <= {0, 1, 2}
