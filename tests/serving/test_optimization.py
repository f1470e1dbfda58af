import numpy as np
import pytest
from letters import evaluated, network

from keras_resnet.classification import protocols
from keras_resnet.data import datasets
from keras_resnet.data.sources import MemorySource
from keras_resnet.serving.optimization import optimize
from keras_resnet.serving.options import OPTIMIZATIONS


@pytest.fixture(scope="module")
def shapes():
    """Pictures of shapes, and a network that was not trained on them."""
    every = datasets.load("shapes", "validation")
    source = MemorySource(every.images[::10], every.labels[::10], every.class_names)
    assert len(source) == 40
    return network(classes=8, class_names=source.class_names), source


@pytest.fixture(scope="module")
def optimized(shapes):
    """What becomes of that network, by precision."""
    model, source = shapes
    return {
        precision: optimize(model, precision, source, "shapes, some", bound)
        for precision, bound in {"float32": None, "bfloat16": 1.0}.items()
    }


@pytest.mark.parametrize("precision", OPTIMIZATIONS)
def test_the_difference_is_that_of_all_answers(shapes, optimized, precision):
    model, source = shapes
    found = optimized[precision]
    pictures = source.images.numpy().tolist()
    theirs, ours = evaluated(model, pictures), evaluated(found.network, pictures)
    assert (found.images, found.precision, found.dataset) == (40, precision, "shapes, some")
    assert found.largest == pytest.approx(np.abs(ours - theirs).max(), abs=1e-5)
    agreement = np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1))
    assert found.agreement == pytest.approx(agreement, abs=0.01)
    _, bound = OPTIMIZATIONS[precision]
    assert 0 < found.largest < bound


def test_bfloat16_rounds_more_than_float32(optimized):
    assert optimized["bfloat16"].largest > 100 * optimized["float32"].largest
    for precision, dtype in (("float32", "float32"), ("bfloat16", "bfloat16")):
        assert optimized[precision].network.get_layer("conv1").compute_dtype == dtype
        assert optimized[precision].network.get_config()["folded"]


def test_agreement_is_a_share_and_differences_have_no_sign(monkeypatch, shapes):
    """Of answers that are known: the last of four has another best class, and lost the most."""
    theirs = np.float32([[0.5, 0.5, 0], [1, 0, 0], [0.25, 0, 0.75], [0.75, 0.125, 0.125]])
    ours = np.float32([[0.75, 0.25, 0], [1, 0, 0], [0.125, 0, 0.875], [0.25, 0.375, 0.375]])
    answers = iter([(theirs, None), (ours, None)])
    monkeypatch.setattr(protocols, "answers", lambda *_: next(answers))
    found = optimize(*shapes_of(shapes, "float32"), max_difference=0.5)
    assert (found.images, found.largest, found.agreement) == (4, 0.5, 0.75)
    assert (
        "On all 4 images of shapes its probabilities differ from the trained network's by at most "
        "0.5, and the most probable class is the same for 75.00%."
    ) in found.describe()
    answers = iter([(theirs, None), (ours, None)])
    with pytest.raises(ValueError, match=r"differs by 0.5 in .*, more than 0.499.*75.00% of 4 im"):
        optimize(*shapes_of(shapes, "float32"), max_difference=0.499)


def shapes_of(shapes, precision):
    model, source = shapes
    return model, precision, source, "shapes"


def test_a_larger_difference_is_refused(shapes):
    with pytest.raises(ValueError, match=r"differs by .* more than 1e-05 .*--max_difference"):
        optimize(*shapes_of(shapes, "bfloat16"), max_difference=1e-5)


def test_no_numbers_are_refused(shapes):
    model, source = shapes
    broken = network(classes=8, class_names=source.class_names)
    broken.get_layer("fc").bias.assign([np.nan] * 8)
    with pytest.raises(ValueError, match="probabilities must be finite"):
        optimize(broken, "float32", source, "shapes", max_difference=1.0)


@pytest.mark.parametrize(("name", "value"), [("optimize", "int8"), ("max_difference", -1.0)])
def test_bad_values_are_named(shapes, name, value):
    precision = value if name == "optimize" else "float32"
    bound = value if name == "max_difference" else None
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        optimize(*shapes_of(shapes, precision), max_difference=bound)
