import numpy as np
import pytest
from letters import evaluated, network

from keras_resnet import datasets
from keras_resnet.serving.optimization import OPTIMIZATIONS, optimize


@pytest.fixture(scope="module")
def shapes():
    """Pictures of shapes, and a network that was not trained on them."""
    source = datasets.load("shapes", "validation")
    return network(classes=8, class_names=source.class_names), source


@pytest.mark.parametrize("precision", OPTIMIZATIONS)
def test_the_difference_is_that_of_all_answers(shapes, precision):
    model, source = shapes
    optimized = optimize(model, precision, source, "shapes", max_difference=1.0)
    pictures = source.images.numpy().tolist()
    theirs, ours = evaluated(model, pictures), evaluated(optimized.network, pictures)
    assert optimized.images == len(source)
    assert optimized.largest == pytest.approx(np.abs(ours - theirs).max(), abs=1e-5)
    agreement = np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1))
    assert optimized.agreement == pytest.approx(agreement, abs=0.01)
    _, bound = OPTIMIZATIONS[precision]
    assert 0 < optimized.largest < bound


def test_bfloat16_rounds_more_than_float32(shapes):
    largest = {
        precision: optimize(*shapes_of(shapes, precision)).largest for precision in OPTIMIZATIONS
    }
    assert largest["bfloat16"] > 100 * largest["float32"]


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
    with pytest.raises(ValueError, match="differs by nan"):
        optimize(broken, "float32", source, "shapes", max_difference=1.0)


@pytest.mark.parametrize(("name", "value"), [("optimize", "int8"), ("max_difference", -1.0)])
def test_bad_values_are_named(shapes, name, value):
    precision = value if name == "optimize" else "float32"
    bound = value if name == "max_difference" else None
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        optimize(*shapes_of(shapes, precision), max_difference=bound)
