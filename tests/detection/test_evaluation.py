import math

import numpy as np

from keras_resnet.data.objects import ObjectTable
from keras_resnet.detection.evaluation import evaluation

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
