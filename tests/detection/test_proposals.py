import numpy as np
import tensorflow as tf

from keras_resnet.detection.boxes import encode
from keras_resnet.detection.proposals import ProposalOptions, proposals

ANCHORS = tf.constant([[0.0, 0.0, 16.0, 16.0]] * 5)
# One beside the picture, one of no height, two that are nearly the same, one across the edge.
REGIONS = [
    *([30.0, 0.0, 40.0, 10.0], [2.0, 5.0, 12.0, 5.1], [4.0, 4.0, 14.0, 14.0]),
    *([4.0, 4.0, 14.0, 13.5], [-6.0, 2.0, 10.0, 30.0]),
]
OPTIONS = ProposalOptions(before=5, after=4)


def proposed(scores, options=OPTIONS):
    codes = encode(tf.constant([REGIONS]), ANCHORS)
    regions, is_one = proposals(
        tf.constant([scores]), codes, ANCHORS, tf.constant([[20, 20]]), options
    )
    assert regions.shape == (1, options.after, 4)
    return regions[0].numpy(), is_one[0].numpy().tolist()


def test_the_best_are_left_within_the_picture():
    regions, is_one = proposed([9.0, 8.0, 1.0, 2.0, -3.0])
    assert is_one == [True, True, False, False]
    expected = [REGIONS[3], [0, 2, 10, 20], [0] * 4, [0] * 4]
    np.testing.assert_allclose(regions, expected, atol=1e-4)


def test_few_go_into_suppression():
    regions, is_one = proposed([9.0, 8.0, 1.0, 2.0, 3.0], ProposalOptions(before=1, after=4))
    assert is_one == [True, False, False, False]
    np.testing.assert_allclose(regions[0], [0, 2, 10, 20], atol=1e-4)


def test_there_may_be_none():
    beside = tf.constant([[[30.0, 0.0, 40.0, 10.0]] * 5])
    _, is_one = proposals(
        tf.zeros([1, 5]), encode(beside, ANCHORS), ANCHORS, tf.constant([[20, 20]]), OPTIONS
    )
    assert not is_one.numpy().any()
