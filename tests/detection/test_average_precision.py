import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from keras_resnet.detection.average_precision import (
    Detections,
    Objects,
    average_precision,
    average_precisions,
    hits,
    matches,
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
    right, number = hits(matches([found], [objects(FIRST, SECOND)]), 0, 0.5)
    assert right.tolist() == [True, True, False, False] and number == 2


def test_the_overlap_may_be_just_enough():
    half = detections((0.9, 0, 0, 10, 5))
    found = matches([half], [objects(FIRST)])
    assert hits(found, 0, 0.5)[0].tolist() == [True]
    assert hits(found, 0, 0.51)[0].tolist() == [False]


def test_difficult_objects_neither_count_nor_cost():
    found = detections((0.9, *FIRST), (0.8, *FIRST), (0.7, *SECOND))
    right, number = hits(matches([found], [objects(FIRST, SECOND, difficult=[0])]), 0, 0.5)
    assert right.tolist() == [True] and number == 1


def test_other_pictures_and_classes_do_not_help():
    found = [detections((0.9, *FIRST)), detections((0.8, *SECOND))]
    there = [objects(SECOND), objects(SECOND, FIRST, labels=[1, 0])]
    right, number = hits(matches(found, there), 0, 0.5)
    assert right.tolist() == [False, False] and number == 2
    np.testing.assert_array_equal(average_precisions(matches(found, there), 3), [0, 0, math.nan])


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
    right, number = hits(matches(found, there), 0, 0.5)
    assert right.tolist() == [False] and number == 1


# --- As COCO's own code has it, where the definitions meet

OBJECTS, PICTURES = 30, 5


def random_case(rng):
    """Objects of one class, apart from each other, and what was found more or less near to them.

    So none lies half on two of them, where VOC calls it false if the nearer one is taken and COCO
    takes the other one; and what is found of difficult ones is all but equal to them.
    """
    there, found = [], []
    for _ in range(PICTURES):
        corners = np.stack(np.meshgrid(np.arange(4) * 100, np.arange(2) * 100), -1).reshape(-1, 2)
        boxes = np.concatenate([corners, corners + rng.uniform(40, 90, (8, 2))], axis=1)
        there.append(objects(*boxes, difficult=[1, 5]))
        near = boxes[[0, 2, 3, 4, 6, 7] * 3]
        near = near + rng.normal(0, 10, near.shape)
        again = np.concatenate([near, boxes[[1, 1, 5]] * 1.001, rng.uniform(500, 600, (3, 4))])
        again[:, 2:] = np.maximum(again[:, 2:], again[:, :2] + 1)
        rows = np.column_stack([rng.permutation(len(again)) + rng.random(), again])
        found.append(detections(*rows[rows[:, 0] > 4]))
    return found, there


def coco(images, boxes, **values):
    dataset = COCO()
    rows = zip(images, boxes, *values.values(), strict=True)
    dataset.dataset = {
        "images": [{"id": number} for number in range(PICTURES)],
        "categories": [{"id": 1}],
        "annotations": [
            {
                **{"id": place + 1, "image_id": image, "category_id": 1, "area": 1},
                **{"bbox": [left, top, right - left, bottom - top]},
                **dict(zip(values, others, strict=True)),
            }
            for place, (image, (left, top, right, bottom), *others) in enumerate(rows)
        ],
    }
    dataset.createIndex()
    return dataset


def cocos_precisions(found, there, least_overlap, recalls):
    """At recalls, by pycocotools."""
    images = [
        np.repeat(np.arange(PICTURES), [len(each.labels) for each in of]) for of in (there, found)
    ]
    crowds = np.concatenate([each.is_difficult for each in there]).astype(int)
    to_find = coco(images[0], np.concatenate([each.boxes for each in there]), iscrowd=crowds)
    scores = np.concatenate([each.scores for each in found])
    taken = coco(images[1], np.concatenate([each.boxes for each in found]), score=scores)
    judge = COCOeval(to_find, taken, "bbox")
    judge.params.iouThrs, judge.params.recThrs = np.array([least_overlap]), recalls
    judge.evaluate()
    judge.accumulate()
    return judge.eval["precision"][0, :, 0, 0, -1]


@pytest.mark.parametrize("least_overlap", [0.5, 0.75])
def test_precisions_are_those_of_coco(rng, least_overlap):
    found, there = random_case(rng)
    right, number = hits(matches(found, there), 0, least_overlap)
    assert number == OBJECTS and 3 < right.sum() < len(right) - 30
    # The area has a step at each object, where COCO looks at a hundred recalls and at none.
    at_each = cocos_precisions(found, there, least_overlap, np.arange(1, number + 1) / number)
    assert math.isclose(average_precision(right, number), at_each.mean(), rel_tol=1e-12)
    at_eleven = cocos_precisions(found, there, least_overlap, np.arange(11) / 10)
    assert math.isclose(average_precision(right, number, True), at_eleven.mean(), rel_tol=1e-12)


def test_what_lies_nearest_to_a_taken_object_is_false():
    """Where COCO has it take the next."""
    there = [objects([0, 0, 100, 100], [0, 0, 100, 80])]
    found = [detections((0.9, 0, 0, 100, 100), (0.8, 0, 0, 100, 95))]
    assert hits(matches(found, there), 0, 0.5)[0].tolist() == [True, False]
    recalls = np.array([1.0])
    (precision,) = cocos_precisions(found * PICTURES, there * PICTURES, 0.5, recalls)
    assert math.isclose(precision, 1)
