import numpy as np
import pytest
import tensorflow as tf
from some_boxes import random_boxes, shared

from keras_resnet.detection.suppression import suppressed, usable


def best_first(boxes, scores, overlap, number):
    """Places of what greedy suppression leaves."""
    kept = []
    for place in np.argsort(-scores, kind="stable"):
        if np.isinf(scores[place]):
            continue
        if all(shared(boxes[place], boxes[other]) < overlap for other in kept):
            kept.append(place)
    return kept[:number]


@pytest.mark.parametrize("number", [10, 200])
def test_what_lies_on_a_better_box_is_dropped(rng, number):
    boxes = random_boxes(rng, 2, 150)
    boxes[..., 2:] += 1  # All have an area.
    boxes = np.minimum(boxes, 20)
    boxes[..., :2] = np.minimum(boxes[..., :2], boxes[..., 2:] - 1)
    scores = rng.permutation(300).reshape(2, 150).astype(np.float32)
    scores[0, :20] = -np.inf
    places, counts = suppressed(tf.constant(boxes), tf.constant(scores), 0.5, number)
    assert places.shape == (2, number)
    for picture in range(2):
        expected = best_first(boxes[picture], scores[picture], 0.5, number)
        assert counts[picture] == len(expected) > 9
        assert places[picture, : len(expected)].numpy().tolist() == expected


def test_of_nothing_nothing_is_left():
    scores = tf.fill([1, 5], -np.inf)
    _, counts = suppressed(tf.zeros([1, 5, 4]), scores, 0.5, 3)
    assert counts.numpy().tolist() == [0]


def test_boxes_of_use_have_height_and_width():
    boxes = [[0, 0, 1, 1], [0, 0, 0.9, 5], [0, 0, 5, 0.9], [5, 5, 1, 1]]
    assert usable(tf.constant(boxes)).numpy().tolist() == [True, False, False, False]
