import base64

import numpy as np
import pytest

from keras_resnet.data.masks import encoded
from keras_resnet.serving.answers import Answer
from keras_resnet.serving.results import CLASSES, MASKS, OBJECTS, detected, kind_of, segmented

PNG = encoded(np.zeros((2, 3), np.uint8))


def test_kinds_are_known_by_their_columns():
    for kind in (CLASSES, OBJECTS, MASKS):
        assert kind_of({*kind.columns, "more"}) is kind
        assert kind_of({*kind.columns[1:]}) is None


GOOD_DETECTIONS = (b"OK", 1, [2, -1], [b"star", b""], [0.5, 0.0], [[1.0, 2.0, 3.0, 4.0], [0.0] * 4])


def test_objects_are_as_many_as_are_counted():
    expected = Answer("OK", (2,), ("star",), (0.5,), ((1.0, 2.0, 3.0, 4.0),))
    assert detected(*GOOD_DETECTIONS) == expected
    assert detected(b"OK", 0, *GOOD_DETECTIONS[2:]) == Answer("OK", boxes=())
    assert detected(b"damaged", *GOOD_DETECTIONS[1:]) == Answer("damaged")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (1, 3, "it has not 3 objects"),
        (1, -1, "it has not -1 objects"),
        (3, [], "it has not 1 objects"),
        (4, [1.5, 0.0], "are no scores"),
        (5, [[1.0, 2.0, 3.0], [0.0] * 4], "are no boxes"),
        (5, [[1.0, 2.0, 3.0, float("nan")], [0.0] * 4], "are no boxes"),
    ],
)
def test_objects_of_another_shape_are_explained(place, value, message):
    row = [*GOOD_DETECTIONS]
    row[place] = value
    with pytest.raises(ValueError, match=message):
        detected(*row)


def test_classes_of_pixels_come_by_their_shares():
    expected = Answer("OK", (2, 0), ("dog", "ground"), (0.7, 0.3), mask=PNG)
    shares, labels = [0.3, 0.0, 0.7], [b"ground", b"cat", b"dog"]
    assert segmented(b"OK", PNG, labels, shares) == expected
    # As REST has bytes.
    over_rest = {"b64": base64.b64encode(PNG).decode()}
    assert segmented("OK", over_rest, ["ground", "cat", "dog"], shares) == expected
    assert segmented(b"damaged", b"", [b""] * 3, [0.0] * 3) == Answer("damaged")


@pytest.mark.parametrize(
    ("mask", "shares", "message"),
    [
        (b"no picture", [1.0], "its mask is no PNG"),
        (PNG, [1.5], "no shares"),
        (PNG, [0.5, 0.5], "no shares"),
    ],
)
def test_masks_of_another_shape_are_explained(mask, shares, message):
    with pytest.raises(ValueError, match=message):
        segmented(b"OK", mask, [b"cat"], shares)
