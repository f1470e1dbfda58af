import fractions

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.classification.evaluation import evaluate, evaluation, fitted
from keras_resnet.data.sources import MemorySource
from keras_resnet.distribution.strategy import make_strategy
from keras_resnet.distribution.workers import Workers
from keras_resnet.images.preprocessing import Preprocessing

SPEC = Preprocessing(size=8, resize=8, mean=(120.0, 121.0, 122.0), deviation=(50.0, 50.0, 50.0))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (37, 8, 8, 3), np.uint8), rng.integers(0, 7, 37)


@pytest.fixture(scope="module")
def source(data):
    return MemorySource(*data, tuple("abcdefg"))


@pytest.fixture(scope="module")
def model():
    """A network that is not to be changed."""
    return network()


@pytest.fixture(scope="module")
def expected(model, source):
    """Its metrics."""
    return by_numpy(model, source)


def network(**options):
    keras.utils.set_random_seed(0)
    model = keras_resnet.CifarResNet(
        8, input_shape=(8, 8, 3), classes=7, preprocessing=SPEC, **options
    )
    # Far from uniform, so that the metrics have something to tell apart.
    model.get_layer("fc").kernel.assign(10 * model.get_layer("fc").kernel.numpy())
    return model


def by_numpy(model, source):
    images = (source.images.numpy().astype(np.float32) - SPEC.mean) / SPEC.deviation
    probabilities = model.predict(images, verbose=0).astype(np.float64)
    labels = source.labels.numpy()
    ranks = (-probabilities).argsort(axis=1)
    return {
        "top1": np.mean(ranks[:, 0] == labels),
        "top5": np.mean([label in rank[:5] for rank, label in zip(ranks, labels, strict=True)]),
        "loss": -np.log(probabilities[np.arange(37), labels]).mean(),
        "images": 37,
    }


@pytest.mark.parametrize("batch_size", [1, 16, 37, 100])
def test_metrics_are_those_of_numpy_for_any_batch_size(model, source, expected, batch_size):
    assert evaluate(model, source, batch_size) == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def mirrored():
    """The same network on two replicas, and their workers."""
    strategy = make_strategy(2)
    with strategy.scope():
        return network(), Workers(strategy)


@pytest.mark.parametrize("batch_size", [1, 16, 37])
def test_metrics_are_the_same_on_two_replicas(mirrored, source, expected, batch_size):
    model, workers = mirrored
    assert evaluate(model, source, batch_size, workers) == pytest.approx(expected, rel=1e-4)


def test_the_loss_is_the_same_to_the_last_bit_however_it_was_summed():
    rng = np.random.default_rng(0)
    losses = rng.exponential(size=5000).astype(np.float32).astype(np.float64)
    losses *= 10.0 ** rng.integers(-6, 2, 5000)
    hits = losses < 1
    found = {
        evaluation({"loss": losses[order], "top1": hits[order], "top5": hits[order]})["loss"]
        for order in (rng.permutation(5000) for _ in range(20))
    }
    exact = sum(map(fractions.Fraction, losses.tolist())) / 5000
    assert found == {float(exact)}


@pytest.mark.parametrize(("classes", "has_top5"), [(3, False), (5, False), (6, True)])
def test_of_five_classes_and_fewer_there_is_no_top5(data, classes, has_top5):
    images, labels = data
    source = MemorySource(images, labels % classes, tuple("abcdef"[:classes]))
    model = keras_resnet.CifarResNet(8, input_shape=(8, 8, 3), classes=classes, preprocessing=SPEC)
    result = evaluate(model, source, 37)
    assert ("top5" in result, result["images"]) == (has_top5, 37)


def test_a_network_that_ends_in_logits_has_the_same_metrics(model, source):
    logits = network(classifier_activation=None)
    expected = evaluate(model, source, 16)
    assert evaluate(logits, source, 16) == pytest.approx(expected, rel=1e-6)


def test_what_does_not_fit_is_refused(model, data, source):
    images, labels = data
    eight = MemorySource(images, labels, tuple("abcdefgh"))
    with pytest.raises(ValueError, match="7 classes and the data set 8"):
        evaluate(model, eight, 16)
    other = MemorySource(images, labels, tuple("abcdefh"))
    with pytest.raises(ValueError, match="different names, 'g' and 'h'"):
        evaluate(network(class_names=tuple("abcdefg")), other, 16)
    gray = MemorySource(images[..., :1], labels, source.class_names)
    with pytest.raises(ValueError, match="images of 3 channels and the data set has 1"):
        evaluate(model, gray, 16)
    bare = keras_resnet.CifarResNet(8, classes=7)
    bare.preprocessing = None
    with pytest.raises(ValueError, match="no `preprocessing`"):
        evaluate(bare, source, 16)
    headless = keras_resnet.CifarResNet(8, include_top=False, classes=7, preprocessing=SPEC)
    with pytest.raises(ValueError, match="no classifier"):
        evaluate(headless, source, 16)


def test_a_network_that_does_not_answer_has_no_figures(source):
    diverged = network()
    diverged.get_layer("fc").bias.assign([np.nan] * 7)
    with pytest.raises(ValueError, match="must be finite.* 37 of 37 rows .* row 0"):
        evaluate(diverged, source, np.int64(16))
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1"):
        evaluate(diverged, source, 0)


def test_classes_that_are_ordered_by_another_spelling_are_brought_into_the_networks_order(data):
    """As macOS spells them the first is smaller than "b", as Linux does, larger."""
    images, labels = data
    names = ("A\u0308pfel", *"bcdefg")
    model = network(class_names=names)
    source = MemorySource(images, labels, names)
    expected = evaluate(model, source, 16)
    # The first class is the last.
    moved = MemorySource(images, (labels - 1) % 7, (*"bcdefg", "\u00c4pfel"))
    assert evaluate(model, moved, 16) == expected
    reordered = fitted(model, moved)
    assert reordered.class_names == names
    assert reordered.fingerprint() != moved.fingerprint()
    assert reordered.describe(3) == moved.describe(3)


def test_two_classes_of_one_name_are_in_no_other_order(data):
    """As the cranes of ImageNet: which is which the name does not say."""
    images, labels = data
    model = network(class_names=("crane", *"bcdef", "crane"))
    assert fitted(model, MemorySource(images, labels, model.class_names)).describe(0)
    moved = MemorySource(images, labels, ("b", "crane", *"cdef", "crane"))
    with pytest.raises(ValueError, match="different names, 'crane' and 'b'"):
        fitted(model, moved)
