import pytest
from detectors import detector
from letters import network

from keras_resnet.checks import UserError
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import servable


def test_labels_of_imagenet_are_words():
    synsets = ("n01440764", "n02123045", "n02504458", "d", "e", "f", "g")
    expected = ("tench", "tabby", "African elephant", "d", "e", "f", "g")
    assert servable(network(class_names=synsets), 5, Limits()).class_names == expected


def test_a_detector_is_served_with_all_that_it_has():
    model = detector()
    served = servable(model, 5, Limits())
    assert served.class_names == ("0", "1", "2")
    assert set(served.functions) == {"serving_default", "images"}
    assert {id(v) for v in served.variables} == {id(v.value) for v in model.variables}
    # The longer side of its batches is that of a photograph: fewer fit.
    assert (served.height, served.batch_sizes) == (64, (1, 2, 4))


@pytest.mark.parametrize("make", [network, detector])
def test_what_does_not_know_its_preprocessing_is_refused(make):
    model = make()
    model.preprocessing = None
    with pytest.raises(UserError, match="has no `preprocessing`, so it cannot be served"):
        servable(model, 5, Limits())
