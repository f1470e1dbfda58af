import math

import numpy as np
import pytest
from detectors import detector

from keras_resnet.checks import UserError
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource
from keras_resnet.detection.evaluation import evaluation, fitted_objects, lines, of_classes

# Of two pictures; what is right of the first class lies 6 of 10 on its object.
GATHERED = {
    "boxes": [np.array([[0, 0, 10, 6.0], [50, 50, 60, 60]]), np.empty((0, 4))],
    "scores": [np.array([0.9, 0.8]), np.empty(0)],
    "classes": [np.array([0, 2]), np.empty(0, int)],
}
TABLE = ObjectTable.of(
    [np.array([[0, 0, 10, 10.0]]), np.array([[50, 50, 60, 60.0]])],
    [np.array([0]), np.array([2])],
)


def test_classes_count_alike_where_they_have_objects():
    # The first is found, the third in another picture; of the second there are none.
    assert evaluation(GATHERED, TABLE, 3) == {"map50": 0.5, "map75": 0.0}


def test_pictures_are_in_order():
    swapped = {name: rows[::-1] for name, rows in GATHERED.items()}
    assert evaluation(swapped, TABLE, 3)["map50"] == 0.5
    there = TABLE.part(np.array([0, 0]))
    assert evaluation(GATHERED, there, 3)["map50"] == 0.5


def test_of_nothing_there_is_no_figure():
    nothing = ObjectTable.of([np.empty((0, 4))] * 2, [np.empty(0, int)] * 2)
    assert all(map(math.isnan, evaluation(GATHERED, nothing, 3).values()))


def test_each_class_has_its_figures():
    found = of_classes(GATHERED, TABLE, 3)
    np.testing.assert_array_equal(found.ap50, [1, math.nan, 0])
    np.testing.assert_array_equal(found.ap75, [0, math.nan, 0])
    np.testing.assert_array_equal(found.eleven_points, [1, math.nan, 0])
    assert found.objects.tolist() == [1, 0, 1]


def test_eleven_points_may_differ_from_the_area():
    # One of two is found: 0 to 0.5 are six of eleven recalls.
    boxes = TABLE.boxes[[0, 0]] + [[0], [200]]
    there = ObjectTable.of([boxes, np.empty((0, 4))], [np.array([0, 0]), np.empty(0, int)])
    found = of_classes(GATHERED, there, 3)
    assert found.ap50[0] == 0.5 and math.isclose(found.eleven_points[0], 6 / 11)


def test_ignored_objects_are_not_counted():
    is_ignored = [np.array([True]), np.array([False])]
    there = ObjectTable.of(np.split(TABLE.boxes, 2), np.split(TABLE.labels, 2), is_ignored)
    found = of_classes(GATHERED, there, 3)
    assert found.objects.tolist() == [0, 0, 1] and math.isnan(found.ap50[0])


def test_lines_are_for_a_terminal():
    assert lines(of_classes(GATHERED, TABLE, 3), ["disk", "\x1b[31mred", "cat"]) == [
        "Class             AP@.5   AP@.75   AP@.5, 11 points   objects",
        "  disk          100.00%    0.00%            100.00%         1",
        "  \\x1b[31mred         -        -                  -         0",
        "  cat             0.00%    0.00%              0.00%         1",
        "  mean           50.00%    0.00%             50.00%         2",
        "1 class without objects, not in the mean",
    ]


def test_labels_are_those_of_the_detector():
    pictures = MemorySource(np.zeros((2, 4, 4, 3), np.uint8), [0, 0])
    source = AnnotatedSource(pictures, TABLE, ("cat", "bird", "dog"))
    model = detector(classes=4, class_names=["dog", "fox", "cat", "bird"])
    table = fitted_objects(model, source)
    assert table.labels.tolist() == [2, 0]
    np.testing.assert_array_equal(table.boxes, TABLE.boxes)
    other = detector(class_names=["dog", "fox", "cat"])
    with pytest.raises(UserError, match="it does not know bird[.]"):
        fitted_objects(other, source)
