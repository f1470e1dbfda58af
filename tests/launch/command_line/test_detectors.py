import pytest
from detectors import detector

from command_line import detectors
from keras_resnet.checks import UserError
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.annotated_sets import AnnotatedSplit
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource, SubsetSource


@pytest.fixture
def source(rng):
    pixels = rng.integers(0, 256, (3, 8, 8, 3), dtype="uint8")
    table = ObjectTable.of([rng.uniform(size=(0, 4))] * 3, [rng.integers(0, 1, 0)] * 3)
    return AnnotatedSource(MemorySource(pixels, [0] * 3), table, ("cat", "dog"))


def test_the_protocol_is_said_in_words():
    said = detectors._protocol((400, 600), True, True, batch_size=4)
    assert said == "scales 400, 600, refined, voting"
    assert detectors._protocol((), False, False) == "one scale"


def test_ids_are_those_of_the_data_set(source):
    split = AnnotatedSplit(source, image_ids=(7, 9, 30), class_ids=(18, 3))
    model = detector(class_names=["dog", "bird", "cat"])
    pictures, classes = detectors._ids(model, split, SubsetSource(source, [2, 0]))
    assert pictures == [30, 7]
    # What the data set does not know has a number of its own.
    assert (classes[0], classes[2]) == (3, 18) and classes[1] not in (3, 18)
    alike = AnnotatedSplit(source, image_ids=("a", "b", "a"))
    with pytest.raises(UserError, match="an id of its own for each picture"):
        detectors._ids(model, alike, source)
    with pytest.raises(UserError, match="--results is for data sets that have ids"):
        detectors._ids(model, AnnotatedSplit(source), source)
