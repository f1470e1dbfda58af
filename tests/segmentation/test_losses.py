import numpy as np
import pytest
import tensorflow as tf
from segmenters import segmenter

from keras_resnet.segmentation.losses import LOSSES, Batch, training_values


def batch(rng, number=2):
    inputs = rng.normal(0, 50, (number, 32, 48, 3)).astype(np.float32)
    ids = rng.choice([0, 1, 2, 255], (number, 32, 48)).astype(np.uint8)
    return inputs, ids


def expected(logits, ids):
    """Mean cross entropy and share of errors over the pixels that are of a class."""
    counts = ids != 255
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    of_true = np.take_along_axis(probabilities, np.where(counts, ids, 0)[..., None], -1)[..., 0]
    errors = logits.argmax(axis=-1) != ids
    return -np.log(of_true[counts]).mean(), errors[counts].mean()


def test_losses_are_means_over_pixels_that_are_of_a_class(rng):
    model = segmenter(dtype="float64")
    inputs, ids = batch(rng)
    found = training_values(model)(Batch(tf.constant(inputs, tf.float64), tf.constant(ids)))
    assert tuple(found) == LOSSES
    scores, of_inner = model.maps(tf.constant(inputs, tf.float64), training=True)
    for place in range(2):
        parts = []
        for maps in (scores, of_inner):
            logits = tf.image.resize(maps[place], (32, 48)).numpy().astype(float)
            parts.append(expected(logits, ids[place]))
        (score, error), (auxiliary, _) = parts
        np.testing.assert_allclose(found["score_loss"][place], score, rtol=1e-5)
        np.testing.assert_allclose(found["auxiliary_loss"][place], auxiliary, rtol=1e-5)
        np.testing.assert_allclose(found["loss"][place], score + auxiliary / 2, rtol=1e-5)
        np.testing.assert_allclose(found["pixel_error"][place], error, atol=2e-3)


@pytest.mark.parametrize("options", [{}, {"auxiliary": False}])
def test_a_picture_without_classes_teaches_nothing(rng, options):
    model = segmenter(**options)
    inputs, ids = batch(rng)
    ids[0] = 255
    with tf.GradientTape() as tape:
        found = training_values(model)(Batch(tf.constant(inputs), tf.constant(ids)))
        loss = tf.reduce_sum(found["loss"][:1])
    assert loss == 0
    gradients = tape.gradient(loss, model.trainable_variables, unconnected_gradients="zero")
    assert all(not np.asarray(each).any() for each in gradients)
    assert all(np.isfinite(values).all() for values in found.values())
