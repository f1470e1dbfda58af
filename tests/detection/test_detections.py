import numpy as np
import tensorflow as tf

from keras_resnet.detection.detections import DETECTIONS, detections

FIRST, NEAR, FAR = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 8.0], [50.0, 50.0, 60.0, 60.0]
PROBABILITIES = [[0.9, 0.04], [0.6, 0.3], [0.05, 0.8]]


def found(probabilities=PROBABILITIES, **options):
    probabilities = tf.constant(probabilities, tf.float32)
    boxes = tf.repeat(tf.constant([FIRST, NEAR, FAR])[:, tf.newaxis], probabilities.shape[1], 1)
    boxes, scores, classes, count = detections(probabilities[tf.newaxis], boxes[None], **options)
    assert boxes.shape == (1, DETECTIONS, 4)
    number = int(count[0])
    assert not scores[0, number:].numpy().any()
    rows = zip(classes[0].numpy(), scores[0].numpy(), boxes[0].numpy(), strict=True)
    return [(int(c), round(float(s), 6), box.tolist()) for c, s, box in list(rows)[:number]]


def test_each_class_is_suppressed_for_itself():
    assert found() == [(0, 0.9, FIRST), (1, 0.8, FAR), (1, 0.3, NEAR), (0, 0.05, FAR)]


def test_boxes_vote():
    (first, *others) = found(voting=True)
    # FIRST and NEAR share 0.8.
    expected = np.average([FIRST, NEAR], axis=0, weights=[0.9, 0.6])
    np.testing.assert_allclose(first[2], expected, rtol=1e-6)
    assert [other[2] for other in others][0] == FAR


def test_of_nothing_likely_nothing_is_found():
    assert found([[0.01, 0.02]] * 3) == []


def test_the_best_of_many_are_kept():
    places = 20.0 * tf.range(150, dtype=tf.float32)
    boxes = tf.stack([places, 0 * places, places + 10, 0 * places + 10], axis=-1)
    scores = np.random.default_rng(0).permutation(150).astype(np.float32) / 200 + 0.1
    probabilities = tf.constant(scores)[tf.newaxis, :, tf.newaxis]
    _, kept, _, count = detections(probabilities, boxes[tf.newaxis, :, tf.newaxis])
    assert count[0] == DETECTIONS == 100
    np.testing.assert_array_equal(kept[0], np.sort(scores)[::-1][:100])
