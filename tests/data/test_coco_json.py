import json
import pathlib

import numpy as np
import pytest

from keras_resnet.checks import UserError
from keras_resnet.data import coco_json
from keras_resnet.data.annotations import IGNORED, WITHOUT

IMAGES = [
    {"id": 30, "file_name": "b.jpg", "width": 60, "height": 40},
    {"id": 7, "file_name": "a.jpg", "width": 50, "height": 50},
    {"id": 8, "file_name": "c.jpg", "width": 50, "height": 50},
]
# COCO's own have ids to 90 for 80 categories, and need not be in order.
CATEGORIES = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}]


def annotation(image_id=30, category_id=90, bbox=(1, 2, 10, 20), **others):
    return {"image_id": image_id, "category_id": category_id, "bbox": list(bbox), **others}


def written(tmp_path, **changes):
    content = {"images": IMAGES, "categories": CATEGORIES, "annotations": [annotation()]}
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_ids_become_labels_and_are_kept(tmp_path):
    annotations = [
        annotation(7, 1, (0.5, 0, 49.5, 50)),
        annotation(30, 90, (1, 2, 10, 20), iscrowd=1, segmentation=[]),
        annotation(30, 1, (5, 5, 5, 5), id=0),
    ]
    found = coco_json.read(written(tmp_path, annotations=annotations), "pictures")
    assert found.class_names == ("person", "toothbrush") and found.class_ids == (1, 90)
    assert found.image_ids == (30, 7, 8)
    assert found.paths == tuple(
        pathlib.Path("pictures") / name for name in ("b.jpg", "a.jpg", "c.jpg")
    )
    np.testing.assert_array_equal(found.shapes, [[40, 60], [50, 50], [50, 50]])
    assert found.objects.splits.tolist() == [0, 2, 3, 3]
    np.testing.assert_array_equal(
        found.objects.boxes, [[1, 2, 11, 22], [5, 5, 10, 10], [0.5, 0, 50, 50]]
    )
    assert found.objects.labels.tolist() == [1, 0, 0]
    assert found.objects.is_ignored.tolist() == [True, False, False]
    assert found.notes == {IGNORED: 1, WITHOUT: 1}


def test_an_area_is_that_of_the_outline_where_there_is_one(tmp_path):
    areas = [7.5, None, -5, 0, "12", float("nan")]
    annotations = [annotation(area=area) for area in areas] + [annotation()]
    found = coco_json.read(written(tmp_path, annotations=annotations), "")
    assert found.objects.areas.tolist() == [7.5] + [200.0] * 6
    assert found.objects.part(np.array([1, 0])).areas.tolist() == [7.5] + [200.0] * 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [annotation(iscrowd="0")]}, "must have 0 or 1 for 'iscrowd'.*'0'"),
        (
            {"annotations": [annotation(image_id=True)]},
            "must have a 'image_id' that the file lists",
        ),
        ({"annotations": None}, "no list of 'annotations'"),
        ({"images": {}}, "no list of 'images'"),
        ({"images": []}, "has no images"),
        ({"categories": [], "annotations": []}, "has no categories"),
        (
            {"annotations": [annotation(category_id=2)]},
            "Annotation 0 .* 'category_id' .* Received: 2",
        ),
        ({"annotations": [annotation(image_id=[30])]}, r"'image_id' .* Received: \[30\]"),
        ({"annotations": [annotation(image_id=31)]}, "'image_id' that the file lists"),
        ({"annotations": [annotation(bbox=(1, 2, 3))]}, "'bbox' of four numbers"),
        ({"annotations": [annotation(bbox=(1, 2, 3, "4"))]}, "'bbox' of four numbers"),
        ({"annotations": [annotation(bbox=(1, 2, 3, 10**400))]}, "'bbox' of four numbers"),
        ({"annotations": [annotation(bbox=(1, 2, float("nan"), 4))]}, "'bbox' of four numbers"),
        ({"annotations": [annotation(bbox=(1, 2, -3, 4))]}, "Box 0 of b.jpg in .* is inverted"),
        ({"annotations": [[]]}, "must be an object"),
        ({"images": [*IMAGES, IMAGES[0]]}, "the id 30 twice in 'images'"),
        ({"images": [*IMAGES, {**IMAGES[0], "id": 31}]}, "file_name 'b.jpg' 2 times"),
        (
            {"images": [*IMAGES, {"id": 31, "file_name": "./b.jpg", "width": 60, "height": 40}]},
            "file_name 'b.jpg' 2 times",
        ),
        ({"images": [{**IMAGES[0], "width": 0}]}, "Entry 0 of 'images' .* 'width', an integer"),
        ({"images": [{"id": 1}]}, "Entry 0 of 'images' .* 'file_name', a text"),
        ({"categories": [*CATEGORIES, {"id": 2, "name": "person"}]}, "name 'person' 2 times"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        coco_json.read(written(tmp_path, **changes), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 10**6, "is no JSON"),
        (b"3", "no list"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        coco_json.read(path, tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        coco_json.read(tmp_path / "b.json", tmp_path)
