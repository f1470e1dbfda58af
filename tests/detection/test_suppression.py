import numpy as np
import pytest
import tensorflow as tf
from some_boxes import random_boxes, shared

from keras_resnet.detection.boxes import area
from keras_resnet.detection.suppression import _at_once, _row_by_row, suppressed, usable


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


def test_row_by_row_and_at_once_the_same_is_left(rng):
    """Also of boxes that share just as much as is allowed, of equal scores, and of no area."""
    corners = rng.integers(0, 12, (2, 700, 2))
    boxes = np.concatenate([corners, corners + rng.integers(0, 9, corners.shape)], axis=-1)
    boxes = tf.constant(boxes, tf.float32)
    scores = tf.constant(rng.integers(0, 9, (2, 700)), tf.float32)
    scores = tf.where(area(boxes) > 0, scores, -np.inf)
    of_rows, counts = _row_by_row(boxes, scores, 0.5, 100)
    at_once, others = _at_once(boxes, scores, 0.5, 100)
    assert counts.numpy().tolist() == others.numpy().tolist() and min(counts) > 20
    is_one = tf.range(100) < counts[:, tf.newaxis]
    np.testing.assert_array_equal(of_rows[is_one], at_once[is_one])


def test_a_box_without_area_is_not_taken():
    boxes = tf.constant([[[0, 0, 0, 9], [9, 9, 5, 5], [20, 0, 29, 9]]], tf.float32)
    places, counts = suppressed(boxes, tf.constant([[0.9, 0.8, 0.7]]), 0.5, 3)
    assert (places[0, 0], counts[0]) == (2, 1)


def test_of_nothing_nothing_is_left():
    scores = tf.fill([1, 5], -np.inf)
    _, counts = suppressed(tf.zeros([1, 5, 4]), scores, 0.5, 3)
    assert counts.numpy().tolist() == [0]


def test_boxes_of_use_have_height_and_width():
    boxes = [[0, 0, 1, 1], [0, 0, 0.9, 5], [0, 0, 5, 0.9], [5, 5, 1, 1]]
    assert usable(tf.constant(boxes)).numpy().tolist() == [True, False, False, False]
