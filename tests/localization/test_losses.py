import numpy as np
import pytest
import tensorflow as tf
from detectors import batch, of_any_number
from localizers import localizer

from keras_resnet.detection.losses import Batch
from keras_resnet.localization.losses import training_values


@pytest.fixture(scope="module")
def model():
    return localizer(canvas=(96, 96))


@pytest.fixture(scope="module")
def values(model):
    return of_any_number(training_values(model, 8), of_one_class(np.random.default_rng(0)))


def of_one_class(rng, labels=(2, 0)):
    found = batch(rng)
    return found._replace(labels=tf.repeat(tf.constant(labels, tf.int64)[:, tf.newaxis], 2, axis=1))


def test_the_loss_is_the_sum_of_three_and_of_each_picture_alone(values, rng):
    both = of_one_class(rng)
    found = values(both)
    parts = ("class_loss", "rpn_score_loss", "rpn_box_loss")
    assert set(found) == {"loss", *parts}
    np.testing.assert_allclose(found["loss"], sum(found[name] for name in parts), rtol=1e-6)
    assert all(found[name].numpy().any() for name in parts)
    for place in range(2):
        alone = values(Batch(*(part[place : place + 1] for part in both)))
        for name, losses in alone.items():
            np.testing.assert_allclose(losses[0], found[name][place], rtol=1e-4, err_msg=name)


def test_the_class_is_told_by_a_softmax_over_all(model, values, rng):
    both = of_one_class(rng)
    logits = model.classify(model.trunk(both.inputs), both.shapes).numpy().astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(shares[[0, 1], [2, 0]])
    np.testing.assert_allclose(values(both)["class_loss"], expected, rtol=1e-4)


def test_boxes_are_learned_by_the_outputs_of_the_class_alone(model, rng):
    with tf.GradientTape() as tape:
        found = training_values(model, 8)(of_one_class(rng, (2, 2)))
        loss = tf.reduce_sum(found["rpn_score_loss"] + found["rpn_box_loss"])
    kernels = [model.rpn_scores.kernel, model.rpn_codes.kernel]
    for gradient in tape.gradient(loss, [kernel.value for kernel in kernels]):
        of_classes = np.abs(gradient.numpy().reshape(8, 3, -1)).sum(axis=(0, 2)) > 0
        assert of_classes.tolist() == [False, False, True]


@pytest.mark.parametrize("number", [8, 12])
def test_so_many_anchors_are_learned_from(monkeypatch, rng, number):
    """Those whose scores have a gradient."""
    model = localizer(canvas=(96, 96))
    scores = []
    look = model.look

    def watched(*arguments):
        scores.append(look(*arguments)[0])
        return scores[-1], look(*arguments)[1]

    monkeypatch.setattr(model, "look", watched)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(training_values(model, number)(of_one_class(rng))["rpn_score_loss"])
    gradient = tape.gradient(loss, scores[0]).numpy()
    assert np.count_nonzero(gradient, axis=(1, 2)).tolist() == [number, number]
    # Of objects scores are to rise; these are half of them at most.
    risen = (gradient < 0).sum(axis=(1, 2))
    assert ((risen >= 1) & (risen <= number // 2)).all()
