import json

import numpy as np
import pytest

from keras_resnet.checks import UserError
from keras_resnet.data import coco_json
from keras_resnet.data.coco_masks import read
from keras_resnet.data.mask_keys import MaskKey

IMAGES = [{"id": 5, "file_name": "a.jpg", "width": 12, "height": 8}]
CATEGORIES = [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}]


def annotation(outline, category=3, crowd=0):
    box = {"bbox": [0, 0, 4, 4], "iscrowd": crowd}
    return {"image_id": 5, "category_id": category, "segmentation": outline, **box}


def mask(tmp_path, *annotations):
    content = {"images": IMAGES, "categories": CATEGORIES, "annotations": annotations}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    outlined, names = read(path, coco_json.read(path, ""))
    assert names == ("background", "cat", "dog")
    return outlined.values(0, MaskKey())


def compressed(counts):
    """As COCO's own tools write runs: groups of five bits, differences from the fourth on."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        goes_on = True
        while goes_on:
            bits = value & 31
            value >>= 5
            goes_on = value != -1 if bits & 16 else value != 0
            text += chr((bits | (32 if goes_on else 0)) + 48)
    return text


def test_polygons_cover_the_pixels_whose_middle_they_hold(tmp_path):
    found = mask(tmp_path, annotation([[2, 1, 7, 1, 7, 5, 2, 5]]))
    expected = np.zeros((8, 12), int)
    expected[1:5, 2:7] = 1
    np.testing.assert_array_equal(found, expected)
    triangle = mask(tmp_path, annotation([[0, 0, 8, 0, 0, 8], [9, 0, 12, 0, 12, 3, 9, 3]]))
    y, x = np.mgrid[:8, :12] + 0.5
    inside = (x + y < 8) | ((x > 9) & (y < 3))
    is_clear = x + y != 8
    np.testing.assert_array_equal(triangle[is_clear] > 0, inside[is_clear])


def test_smaller_objects_lie_on_larger_ones(tmp_path):
    small, large = [[4, 3, 6, 3, 6, 5, 4, 5]], [[0, 0, 12, 0, 12, 8, 0, 8]]
    for order in ((0, 1), (1, 0)):
        objects = annotation(small, 9), annotation(large, 3)
        found = mask(tmp_path, *(objects[place] for place in order))
        assert found[4, 5] == 2 and found[1, 1] == 1


@pytest.mark.parametrize("write", [list, compressed])
def test_runs_go_down_the_columns_and_crowds_are_no_class(tmp_path, write):
    counts = [10, 3, 20, 1, 30, 4, 28]
    runs = {"size": [8, 12], "counts": write(counts)}
    expected = np.zeros(96, int)
    expected[[*range(10, 13), 33, *range(64, 68)]] = 255
    found = mask(tmp_path, annotation(runs, crowd=1))
    np.testing.assert_array_equal(found, expected.reshape(12, 8).T)


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        (None, "has no 'segmentation'"),
        ([[0, 0, 1, 1]], "has a polygon that is none"),
        ([[0, 0, 1, 1, 2, "x"]], "has a polygon that is none"),
        ("text", "has a polygon that is none"),
        ({"size": [8, 12], "counts": [95]}, "has runs of pixels that do not make 8"),
        ({"size": [12, 8], "counts": [96]}, "has runs of pixels that do not make 8"),
        ({"size": [8, 12], "counts": "\x7f~~"}, "has runs of pixels that do not make 8"),
    ],
)
def test_what_is_no_outline_is_named(tmp_path, outline, message):
    with pytest.raises(UserError, match=f"Annotation 0 of .*x.json {message}"):
        mask(tmp_path, annotation(outline))
