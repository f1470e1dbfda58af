import numpy as np
import pytest
import tensorflow as tf
from detectors import batch, detector, of_any_number

from keras_resnet.detection.anchors import anchors
from keras_resnet.detection.losses import Batch, SamplingOptions, training_values
from keras_resnet.detection.proposals import ProposalOptions
from keras_resnet.detection.sampling import assign
from keras_resnet.networks.layer_tree import batch_norms

OPTIONS = SamplingOptions(32, 8, ProposalOptions(200, 40))


@pytest.fixture(scope="module")
def model():
    return detector(canvas=(96, 96))


@pytest.fixture(scope="module")
def values(model):
    like = batch(np.random.default_rng(0))
    return of_any_number(training_values(model, OPTIONS), like)


def test_the_loss_of_a_picture_does_not_depend_on_the_others(values, rng):
    both = batch(rng)
    found = values(both)
    for place in range(2):
        alone = values(Batch(*(part[place : place + 1] for part in both)))
        for name, losses in alone.items():
            np.testing.assert_allclose(losses[0], found[name][place], rtol=1e-4, err_msg=name)


def test_the_loss_is_the_sum_of_four(values, rng):
    found = {name: losses.numpy() for name, losses in values(batch(rng)).items()}
    parts = ["rpn_score_loss", "rpn_box_loss", "score_loss", "box_loss"]
    assert set(found) == {"loss", *parts}
    np.testing.assert_allclose(found["loss"], sum(found[name] for name in parts), rtol=1e-6)
    assert all((found[name] > 0).all() for name in parts)


def test_without_objects_there_is_nothing_to_say_of_boxes(model, values, rng):
    empty = batch(rng, objects=(0, 0))
    with tf.GradientTape() as tape:
        found = values(empty)
        loss = tf.reduce_sum(found["loss"])
    assert not found["rpn_box_loss"].numpy().any() and not found["box_loss"].numpy().any()
    assert (found["rpn_score_loss"] > 0).numpy().all() and (found["score_loss"] > 0).numpy().all()
    for gradient in tape.gradient(loss, model.trainable_variables):
        assert np.isfinite(gradient).all()


def test_normalizations_that_are_not_frozen_take_the_moments_of_what_they_see(rng):
    model = detector(canvas=(96, 96))
    norms = batch_norms(model)
    for norm in norms:
        norm.trainable = True
    training_values(model, OPTIONS)(batch(rng))
    assert [bool(norm.moving_mean.numpy().any()) for norm in norms] == [True] * len(norms)


def test_the_losses_of_proposals_are_those_of_the_paper(model, rng):
    """With as many in the sample as there are, in NumPy."""
    one = batch(rng, shapes=((96, 96),), objects=(2,))
    maps = model.trunk(one.inputs)
    places = anchors(tf.constant([6, 6]), 16, model.anchor_shapes)
    options = SamplingOptions(len(places), 8, ProposalOptions(200, 40))
    found = training_values(model, options)(one)
    scores, codes = (each[0].numpy() for each in model.propose(maps))
    assigned = assign(
        places, one.boxes[0], one.counts[0], foreground=0.7, background=0.3, forced=True
    ).numpy()
    within = ((places >= 0) & (places <= 96)).numpy().all(axis=1)
    positive, negative = within & (assigned >= 0), within & (assigned == -1)
    assert 0 < positive.sum() <= len(places) // 2
    losses = np.where(positive, np.log1p(np.exp(-scores)), np.log1p(np.exp(scores)))
    number = (positive | negative).sum()
    expected = losses[positive | negative].sum() / number
    np.testing.assert_allclose(found["rpn_score_loss"], [expected], rtol=1e-4)
    total = 0
    for place in np.flatnonzero(positive):
        left, top, right, bottom = one.boxes[0, assigned[place]].numpy()
        x, y, x2, y2 = places[place].numpy()
        width, height = x2 - x, y2 - y
        target = [
            *(((left + right) - (x + x2)) / 2 / width, ((top + bottom) - (y + y2)) / 2 / height),
            *(np.log((right - left) / width), np.log((bottom - top) / height)),
        ]
        size = np.abs(codes[place] - target)
        total += np.where(size < 1 / 9, 4.5 * size**2, size - 1 / 18).sum()
    np.testing.assert_allclose(found["rpn_box_loss"], [total / number], rtol=1e-4)


def test_class_0_is_background(rng):
    """A detector that calls all regions of the last class is right where that is the label."""
    model = detector(canvas=(96, 96))
    model.class_scores.kernel.assign(0 * model.class_scores.kernel)
    model.class_scores.bias.assign([0, 0, 0, 5])
    function = training_values(model, OPTIONS)
    both = batch(rng)
    first, second, last = (
        function(both._replace(labels=tf.fill([2, 2], tf.constant(label, tf.int64))))["score_loss"]
        for label in range(3)
    )
    np.testing.assert_allclose(first, second, rtol=1e-5)
    assert (last < second - 0.1).numpy().all()
