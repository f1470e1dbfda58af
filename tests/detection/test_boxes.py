import math

import numpy as np
import tensorflow as tf
from some_boxes import pixels_of, random_boxes, shared

from keras_resnet.detection import boxes


def test_intersection_over_union_counts_pixels(rng):
    first, second = random_boxes(rng, 2, 30), random_boxes(rng, 2, 20)
    found = boxes.intersection_over_union(tf.constant(first), tf.constant(second)).numpy()
    assert found.shape == (2, 30, 20)
    for picture in range(2):
        for i, box in enumerate(first[picture]):
            for j, other in enumerate(second[picture]):
                np.testing.assert_allclose(found[picture, i, j], shared(box, other), rtol=1e-6)


def test_an_inverted_box_covers_nothing():
    inverted = tf.constant([[10.0, 10.0, 5.0, 20.0], [10.0, 20.0, 20.0, 5.0]])
    np.testing.assert_array_equal(boxes.area(inverted), [0, 0])
    whole = tf.constant([[0.0, 0.0, 30.0, 30.0]])
    np.testing.assert_array_equal(boxes.intersection_over_union(inverted, whole), [[0], [0]])


def test_clipped_boxes_are_within_their_own_picture():
    outside = tf.constant([[-5.0, -6.0, 50.0, 60.0], [3.0, 4.0, 5.0, 6.0]])
    found = boxes.clip(tf.stack([outside, outside]), tf.constant([[10, 20], [40, 30]]))
    expected = [[[0, 0, 20, 10], [3, 4, 5, 6]], [[0, 0, 30, 40], [3, 4, 5, 6]]]
    np.testing.assert_array_equal(found, expected)
    beyond = boxes.clip(tf.constant([[25.0, 12.0, 30.0, 15.0]]), tf.constant([10, 20]))
    np.testing.assert_array_equal(beyond, [[20, 10, 20, 10]])


def test_mirrored_boxes_cover_the_same_of_the_mirrored_picture(rng):
    original = random_boxes(rng, 30)
    mirrored = boxes.mirror(tf.constant(original), tf.constant(20)).numpy()
    for box, of_mirrored in zip(original, mirrored, strict=True):
        np.testing.assert_array_equal(pixels_of(box)[:, ::-1], pixels_of(of_mirrored))


def test_codes_are_those_of_the_paper_and_lead_back(rng):
    # Centers and sides, as in appendix C of R-CNN.
    x, y, w, h = rng.uniform([5, 5, 3, 3], [50, 50, 30, 30], (40, 4)).T
    anchor_x, anchor_y, anchor_w, anchor_h = rng.uniform([5, 5, 3, 3], [50, 50, 30, 30], (40, 4)).T
    of_box = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    of_anchor = np.stack(
        [
            *(anchor_x - anchor_w / 2, anchor_y - anchor_h / 2),
            *(anchor_x + anchor_w / 2, anchor_y + anchor_h / 2),
        ],
        axis=1,
    )
    codes = boxes.encode(tf.constant(of_box), tf.constant(of_anchor), (10, 10, 5, 5))
    expected = [
        *(10 * (x - anchor_x) / anchor_w, 10 * (y - anchor_y) / anchor_h),
        *(5 * np.log(w / anchor_w), 5 * np.log(h / anchor_h)),
    ]
    np.testing.assert_allclose(codes, np.stack(expected, axis=1), rtol=1e-9)
    again = boxes.decode(codes, tf.constant(of_anchor), (10, 10, 5, 5))
    np.testing.assert_allclose(again, of_box, rtol=1e-9)


def test_no_code_makes_a_box_that_is_not_finite():
    anchor = tf.constant([[0.0, 0.0, 16.0, 16.0]])
    grown = boxes.decode(tf.constant([[0.0, 0.0, 1e6, 1e6]]), anchor)
    np.testing.assert_allclose(grown, [[-492, -492, 508, 508]], rtol=1e-4)
    flat = tf.constant([[3.0, 3.0, 3.0, 9.0]])
    with tf.GradientTape() as tape:
        tape.watch(flat)
        code = boxes.encode(flat, anchor)
    assert np.isfinite(code).all() and np.isfinite(tape.gradient(code, flat)).all()
    assert math.isclose(code[0, 2], math.log(1e-3 / 16), rel_tol=1e-5)
