import numpy as np
import pytest
import tensorflow as tf
from localizers import localizer

from keras_resnet.detection.anchors import anchors
from keras_resnet.images.canvas import Pictures
from keras_resnet.localization.examples import Judged
from keras_resnet.localization.inference import finder, judge

SHAPES = np.array([[64, 96], [96, 64], [40, 96], [50, 64]], np.int32)


@pytest.fixture(scope="module")
def model():
    return localizer()


def judged(rng, labels=(0, 1, 2, 0)):
    inputs = np.zeros((4, 96, 96, 3), np.float32)
    for place, (height, width) in enumerate(SHAPES):
        inputs[place, :height, :width] = rng.normal(0, 50, (height, width, 3))
    return Judged(
        tf.constant(inputs), tf.constant(SHAPES), tf.constant(2 * SHAPES), tf.constant(labels)
    )


def test_the_box_of_a_class_is_that_of_its_surest_anchor(model, rng):
    """By loops over anchors, on the canvas of each picture alone."""
    batch = judged(rng)
    found = {name: values.numpy() for name, values in judge(model)(batch).items()}
    for place, (height, width) in enumerate(SHAPES):
        stands = height > width
        part = batch.inputs[place : place + 1, : 96 if stands else 64, : 64 if stands else 96]
        maps = model.trunk(part)
        logits = model.classify(maps, SHAPES[place : place + 1]).numpy()[0].astype(float)
        shares = np.exp(logits) / np.exp(logits).sum()
        order = np.argsort(-shares)
        assert found["classes"][place].tolist() == order.tolist()
        np.testing.assert_allclose(found["scores"][place], shares[order], rtol=1e-4, atol=1e-9)
        scores, codes = (values.numpy() for values in model.look(maps, tf.constant([[0, 1, 2]])))
        boxes = anchors(tf.shape(maps)[1:3], 16, model.anchor_shapes).numpy()
        best = {
            label: best_box(scores[0, label], codes[0, label], boxes, height, width)
            for label in range(3)
        }
        for number, label in enumerate(order):
            np.testing.assert_allclose(found["boxes"][place, number], 2 * best[label], atol=0.02)
        label = int(batch.labels[place])
        np.testing.assert_allclose(found["true_box"][place], 2 * best[label], atol=0.02)


def best_box(scores, codes, boxes, height, width):
    """Of the anchors' boxes that of the highest score, if a pixel of it is in the picture."""
    best, of_best = None, -np.inf
    for score, code, (left, top, right, bottom) in zip(scores, codes, boxes, strict=True):
        sides = np.array([right - left, bottom - top])
        center = np.array([left + right, top + bottom]) / 2 + code[:2] * sides
        half = sides * np.exp(code[2:]) / 2
        edges = np.concatenate([center - half, center + half])
        edges = np.clip(edges, 0, [width, height, width, height])
        if score > of_best and (edges[2:] - edges[:2]).min() >= 1:
            best, of_best = edges, score
    return best


def test_of_pictures_that_nobody_knows_the_answer_is_the_same(model, rng):
    batch = judged(rng)
    expected, found = judge(model)(batch), finder(model)(Pictures(*batch[:3]))
    assert found["count"].numpy().tolist() == [3] * 4
    for name in ("classes", "scores", "boxes"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert set(found) == {"classes", "scores", "boxes", "count"}
