import math

import numpy as np
import pytest

from keras_resnet.detection.average_precision import (
    Detections,
    Objects,
    average_precision,
    average_precisions,
    hits,
)

FIRST, SECOND = [0, 0, 10, 10], [20, 20, 40, 40]


def objects(*boxes, labels=None, difficult=()):
    boxes = np.array(boxes, float).reshape(-1, 4)
    is_difficult = np.isin(np.arange(len(boxes)), difficult)
    return Objects(boxes, np.array(labels or [0] * len(boxes), int), is_difficult)


def detections(*rows, label=0):
    """Of (score, *box)."""
    rows = np.array(rows, float).reshape(-1, 5)
    return Detections(rows[:, 1:], np.full(len(rows), label), rows[:, 0])


def test_each_object_is_found_once_by_the_best_detection():
    found = detections((0.5, *FIRST), (0.9, 0, 0, 10, 9), (0.7, *SECOND), (0.6, 60, 60, 70, 70))
    right, number = hits([found], [objects(FIRST, SECOND)], 0, 0.5)
    assert right.tolist() == [True, True, False, False] and number == 2


def test_the_overlap_may_be_just_enough():
    half = detections((0.9, 0, 0, 10, 5))
    assert hits([half], [objects(FIRST)], 0, 0.5)[0].tolist() == [True]
    assert hits([half], [objects(FIRST)], 0, 0.51)[0].tolist() == [False]


def test_difficult_objects_neither_count_nor_cost():
    found = detections((0.9, *FIRST), (0.8, *FIRST), (0.7, *SECOND))
    right, number = hits([found], [objects(FIRST, SECOND, difficult=[0])], 0, 0.5)
    assert right.tolist() == [True] and number == 1


def test_other_pictures_and_classes_do_not_help():
    found = [detections((0.9, *FIRST)), detections((0.8, *SECOND))]
    there = [objects(SECOND), objects(SECOND, FIRST, labels=[1, 0])]
    right, number = hits(found, there, 0, 0.5)
    assert right.tolist() == [False, False] and number == 2
    np.testing.assert_array_equal(average_precisions(found, there, 3), [0, 0, math.nan])


def test_the_area_is_that_under_the_envelope():
    # Recalls .2 .2 .4 .4 .6 of 5, precisions 1, 1/2, 2/3, 1/2, 3/5.
    right = np.array([True, False, True, False, True])
    expected = 0.2 * 1 + 0.2 * 2 / 3 + 0.2 * 3 / 5
    assert math.isclose(average_precision(right, 5), expected)
    # At 0, .1 and .2; .3 and .4; .5 and .6; nothing beyond.
    expected = (3 * 1 + 2 * 2 / 3 + 2 * 3 / 5) / 11
    assert math.isclose(average_precision(right, 5, eleven_points=True), expected)


@pytest.mark.parametrize("eleven_points", [False, True])
def test_the_best_and_the_worst(eleven_points):
    assert average_precision(np.ones(30, bool), 30, eleven_points) == 1
    assert average_precision(np.zeros(30, bool), 30, eleven_points) == 0
    assert average_precision(np.zeros(0, bool), 30, eleven_points) == 0
    assert math.isnan(average_precision(np.zeros(3, bool), 0, eleven_points))


def test_a_recall_of_three_tenths_is_reached_by_three_of_ten():
    right = np.array([True] * 3)
    assert math.isclose(average_precision(right, 10, eleven_points=True), 4 / 11)


def test_pictures_without_objects_or_detections_are_of_use():
    found = [detections(), detections((0.9, *FIRST)), detections()]
    there = [objects(), objects(), objects(FIRST)]
    right, number = hits(found, there, 0, 0.5)
    assert right.tolist() == [False] and number == 1
