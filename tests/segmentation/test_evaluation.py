import numpy as np
import pytest
from segmenters import segmenter, source

from keras_resnet.checks import UserError
from keras_resnet.segmentation.evaluation import (
    evaluation,
    fitted_masks,
    lines,
    of_classes,
    total,
    trivial,
)

CONFUSION = np.array([[50, 10, 0], [5, 15, 0], [0, 0, 0]])


def test_figures_are_those_of_masks_compared_pixel_by_pixel(rng):
    true, answers = (rng.integers(0, 4, 3000) for _ in range(2))
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (true, answers), 1)
    ious = [
        ((true == label) & (answers == label)).sum() / ((true == label) | (answers == label)).sum()
        for label in range(4)
    ]
    found = evaluation(confusion)
    np.testing.assert_allclose(found["mean_iou"], np.mean(ious))
    np.testing.assert_allclose(found["foreground_iou"], np.mean(ious[1:]))
    np.testing.assert_allclose(found["pixel_accuracy"], (true == answers).mean())


def test_classes_without_pixels_are_not_in_the_mean():
    found = of_classes(CONFUSION)
    np.testing.assert_allclose(found.iou, [50 / 65, 15 / 30, np.nan])
    np.testing.assert_allclose(found.accuracy, [50 / 60, 15 / 20, np.nan])
    assert evaluation(CONFUSION)["foreground_iou"] == 0.5
    assert np.isnan(evaluation(np.zeros((2, 2), int))["mean_iou"])


def test_the_trivial_answer_is_background():
    found = evaluation(trivial(CONFUSION))
    assert found["mean_iou"] == 0.5 * 60 / 80 and found["foreground_iou"] == 0


def test_pictures_are_summed():
    parts = {"confusion": [np.full((2, 2), 2**30, np.int32)] * 4}
    assert total(parts).tolist() == [[2**32] * 2] * 2


def test_lines_are_for_a_terminal():
    assert lines(CONFUSION, ["background", "cat", "dog"]) == [
        "Class                     IoU  pixels found  pixels",
        "  background           76.92%        83.33%      60",
        "  cat                  50.00%        75.00%      20",
        "  dog                       -             -       0",
        "  mean                 63.46%        79.17%      80",
        "  mean, all background  37.50%        50.00%      80",
        "1 class without pixels, not in the mean",
    ] or lines(CONFUSION, ["background", "cat", "dog"])


def test_ids_are_those_of_the_segmenter(rng):
    pictures, masks = source(rng)
    model = segmenter(classes=4, class_names=["dog", "fox", "background", "cat"])
    table = fitted_masks(model, pictures)
    expected = np.bincount(masks[0].ravel(), minlength=256)[[2, 0, 1, 255]]
    np.testing.assert_array_equal(table.counts[0, [0, 2, 3, 255]], expected)
    with pytest.raises(UserError, match="it does not know dog[.]"):
        fitted_masks(segmenter(class_names=["background", "cat", "fox"]), pictures)
