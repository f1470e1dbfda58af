import numpy as np
import tensorflow as tf

from keras_resnet.detection.refinement import voted


def test_boxes_that_agree_vote_with_their_scores():
    kept = [[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]]
    boxes = [
        *([0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0], [0.0, 0.0, 10.0, 4.9]),
        *([52.0, 50.0, 60.0, 60.0], [0.0, 0.0, 12.0, 10.0]),
    ]
    scores = [0.9, 0.3, 0.8, 0.4, 0.6]
    found = voted(tf.constant(kept), tf.constant(boxes), tf.constant(scores))
    # The second one is half of the first, the third less.
    of_first = np.array([boxes[0], boxes[1], boxes[4]])
    expected = [np.average(of_first, axis=0, weights=[0.9, 0.3, 0.6]), boxes[3]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_without_votes_a_box_stays():
    kept = tf.constant([[0.0, 0.0, 10.0, 10.0]])
    np.testing.assert_array_equal(voted(kept, kept + 100, tf.constant([1.0])), kept)
