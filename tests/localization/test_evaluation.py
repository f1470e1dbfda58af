import numpy as np
import pytest
from localizers import NAMES, localizer, source

from keras_resnet.checks import UserError
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.localization.evaluation import (
    around_the_center,
    evaluation,
    fitted_objects,
    judgement,
    lines,
)

# Pictures of 100x200 pixels with an object of ten pixels each, the third with a second one.
TABLE = ObjectTable.of(
    [np.array([[0, 0, 10, 10.0]])] * 2
    + [np.array([[0, 0, 10, 10.0], [50, 50, 60, 60]])]
    + [np.array([[0, 0, 10, 10.0]])] * 2,
    [np.array([1]), np.array([1]), np.array([2, 2]), np.array([0]), np.array([0])],
)
FAR = [90, 90, 99, 99.0]


def rows(*answers):
    """Of each picture the classes in order, the boxes of these, and that of the true class."""
    classes, boxes, true_boxes = zip(*answers, strict=True)
    return {
        "classes": [np.array(each) for each in classes],
        "boxes": [np.array(each, float) for each in boxes],
        "true_box": [np.array(each, float) for each in true_boxes],
        "shape": [np.array([100, 200])] * len(answers),
    }


GATHERED = rows(
    # Right: 5 of 10 shared is enough.
    ([1, 0, 2], [[0, 0, 10, 5], FAR, FAR], [0, 0, 10, 5]),
    # A little less is not; nor is the box of another class, wherever it lies.
    ([1, 0, 2], [[0, 0, 10, 4.9], [0, 0, 10, 10], FAR], [0, 0, 10, 4.9]),
    # The second class is right, on the second of the objects.
    ([0, 2, 1], [[50, 50, 60, 60], [50, 50, 60, 60], FAR], [50, 50, 60, 60]),
    # The true class is not among those that are named, but its box is right.
    ([2, 1, 1], [[0, 0, 10, 10], FAR, FAR], [0, 0, 10, 10]),
    # The class is right, the box is twice as wide and high.
    ([0, 1, 2], [[0, 0, 20, 20], FAR, FAR], [0, 0, 20, 20]),
)


def test_errors_are_those_of_hand_made_cases():
    found = judgement(GATHERED, TABLE)
    assert found.top1.tolist() == [True, False, False, False, False]
    assert found.top5.tolist() == [True, False, True, False, False]
    assert found.true_class.tolist() == [True, False, True, True, False]
    assert evaluation(GATHERED, TABLE) == pytest.approx(
        {"top1_error": 0.8, "top5_error": 0.6, "true_class_error": 0.4}
    )


def test_an_object_that_is_ignored_is_not_to_be_found():
    ignored = [np.array([False])] * 2 + [np.array([False, True])] + [np.array([False])] * 2
    boxes = [TABLE.boxes[a:b] for a, b in zip(TABLE.splits[:-1], TABLE.splits[1:], strict=True)]
    labels = [TABLE.labels[a:b] for a, b in zip(TABLE.splits[:-1], TABLE.splits[1:], strict=True)]
    found = judgement(GATHERED, ObjectTable.of(boxes, labels, ignored))
    assert found.true_class.tolist() == [True, False, False, True, False]


def test_the_trivial_answer_is_the_median_box_in_the_middle():
    trivial = around_the_center(GATHERED, TABLE)
    # Ten pixels of 200 and of 100.
    for box, boxes in zip(trivial["true_box"], trivial["boxes"], strict=True):
        np.testing.assert_allclose(box, [95, 45, 105, 55])
        np.testing.assert_allclose(boxes, [box] * 3)
    assert trivial["classes"] == GATHERED["classes"]
    centered = ObjectTable.of([np.array([[95, 45, 105, 55.0]])] * 5, [np.array([1])] * 5)
    assert evaluation(trivial, centered)["true_class_error"] == 0


def test_a_person_sees_classes_all_and_the_trivial_answer():
    text = lines(GATHERED, TABLE, ["cat", "dog", "elk", "owl"])
    cells = [line.split() for line in text]
    assert cells[1] == ["cat", "100.00%", "100.00%", "50.00%", "2"]
    assert cells[2] == ["dog", "50.00%", "50.00%", "50.00%", "2"]
    assert cells[3] == ["elk", "100.00%", "0.00%", "0.00%", "1"]
    assert cells[4] == ["owl", "-", "-", "-", "0"]
    assert cells[5] == ["all", "80.00%", "60.00%", "40.00%", "5"]
    assert text[6].split("center")[1].split() == ["100.00%", "100.00%", "100.00%", "5"]


def test_labels_are_as_the_localizer_has_its_classes(rng):
    pictures = source(rng)
    other = AnnotatedSource(pictures._source, pictures.table, ("elk", "cat", "dog"))
    of_rows, table = fitted_objects(localizer(), other)
    names = [NAMES[label] for label in table.labels]
    assert names == [("elk", "cat", "dog")[label] for label in pictures.table.labels]
    np.testing.assert_array_equal(of_rows.labels, table.labels)
    unknown = AnnotatedSource(pictures._source, pictures.table, ("cat", "dog", "cow"))
    with pytest.raises(UserError, match="trained on other classes.*not know cow"):
        fitted_objects(localizer(), unknown)
