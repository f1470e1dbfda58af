import json

import numpy as np
import pytest
from coco_files import CLASS_IDS, IMAGE_IDS, gathered, written
from pycocotools.coco import COCO

from keras_resnet.data import coco_json
from keras_resnet.detection.coco_results import results, write


def test_coco_reads_what_was_found(tmp_path, rng):
    path = written(tmp_path / "instances.json", rng)
    annotations = coco_json.read(path, tmp_path)
    assert set(annotations.image_ids) == set(IMAGE_IDS)
    assert annotations.class_ids == tuple(sorted(CLASS_IDS))
    found = gathered(rng, annotations.objects)
    write(tmp_path / "results.json", found, annotations.image_ids, annotations.class_ids)
    read = COCO(path).loadRes(str(tmp_path / "results.json"))
    assert len(read.anns) == sum(map(len, found["scores"]))
    for place, identity in enumerate(annotations.image_ids):
        entries = read.imgToAnns[identity]
        assert [each["score"] for each in entries] == found["scores"][place].tolist()
        labels = [annotations.class_ids.index(each["category_id"]) for each in entries]
        np.testing.assert_array_equal(labels, found["classes"][place])
        edges = [(x, y, x + width, y + height) for x, y, width, height in map(_bbox, entries)]
        np.testing.assert_allclose(edges, found["boxes"][place], rtol=1e-12)


def _bbox(entry):
    return entry["bbox"]


def test_of_nothing_there_is_an_empty_list(tmp_path):
    nothing = {"boxes": [np.empty((0, 4))], "scores": [np.empty(0)], "classes": [np.empty(0, int)]}
    write(tmp_path / "results.json", nothing, [7], [3])
    assert json.loads((tmp_path / "results.json").read_bytes()) == []


def test_each_picture_has_its_id():
    nothing = {"boxes": [np.empty((0, 4))], "scores": [np.empty(0)], "classes": [np.empty(0, int)]}
    with pytest.raises(ValueError):
        results(nothing, [7, 8], [3])
