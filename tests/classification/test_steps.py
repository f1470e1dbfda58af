import numpy as np
import pytest

from keras_resnet import constructors
from keras_resnet.classification.steps import answers, training_values
from keras_resnet.networks.resnet import logits_model


@pytest.fixture(scope="module")
def model():
    model = constructors.CifarResNet(8, input_shape=(8, 8, 3), dtype="float64")
    kernel = np.random.default_rng(0).normal(size=(64, 10))
    model.get_layer("fc").kernel.assign(kernel)
    return model


def log_probabilities(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_step_sees_the_loss_of_the_formula_and_right_answers(rng, model, smoothing):
    images, labels = rng.normal(size=(6, 8, 8, 3)), np.array([1, 2, 3, 4, 5, 6])
    logits = logits_model(model)(images, training=True).numpy()
    labels[:2] = logits[:2].argmax(axis=1)
    targets = (1 - smoothing) * np.eye(10)[labels] + smoothing / 10
    values = training_values(model, smoothing)((images, labels))
    expected = -(targets * log_probabilities(logits)).sum(axis=1)
    np.testing.assert_allclose(values["loss"], expected, rtol=1e-6)
    np.testing.assert_array_equal(values["top1"], logits.argmax(axis=1) == labels)
    assert values["top1"][:2].numpy().tolist() == [1, 1]


def test_weights_of_classes_multiply_the_losses(rng, model):
    batch = rng.normal(size=(6, 8, 8, 3)), np.array([0, 0, 3, 9, 3, 1])
    weights = rng.uniform(0.5, 2, 10)
    plain, weighted = (training_values(model, 0.1, each)(batch) for each in (None, weights))
    np.testing.assert_allclose(weighted["loss"], plain["loss"] * weights[batch[1]], rtol=1e-12)
    np.testing.assert_array_equal(weighted["top1"], plain["top1"])


def test_an_answer_is_what_the_network_says_at_rest(rng, model):
    images, labels = rng.normal(size=(9, 8, 8, 3)), rng.integers(0, 10, 9)
    logits = logits_model(model)(images, training=False).numpy()
    ranks = (-logits).argsort(axis=1)
    found = answers(model)((images, labels, np.ones(9)))
    np.testing.assert_allclose(
        found["loss"], -log_probabilities(logits)[np.arange(9), labels], rtol=1e-6
    )
    np.testing.assert_array_equal(found["top1"], ranks[:, 0] == labels)
    np.testing.assert_array_equal(found["top5"], (ranks[:, :5] == labels[:, None]).any(axis=1))
