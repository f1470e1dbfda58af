import contextlib
import io
import math
import sys

import numpy as np
import pytest
from coco_files import gathered, written
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from keras_resnet.checks import UserError
from keras_resnet.data import coco_json
from keras_resnet.data.objects import ObjectTable
from keras_resnet.detection.coco_figures import FIGURES, coco_figures, lines
from keras_resnet.detection.coco_results import write

# One small and one medium object; nothing in the second picture.
BOXES, LABELS = np.array([[0, 0, 20, 20], [100, 100, 160, 150.0]]), np.array([1, 0])
TABLE = ObjectTable.of([BOXES, np.empty((0, 4))], [LABELS, np.empty(0, int)])
LARGE = {"coco_ap_large", "coco_ar_large"}


def found(boxes, labels, scores):
    return {
        "boxes": [np.array(boxes, float).reshape(-1, 4), np.empty((0, 4))],
        "classes": [np.array(labels, int), np.empty(0, int)],
        "scores": [np.array(scores, float), np.empty(0)],
    }


def test_the_same_from_files(tmp_path, rng, capsys):
    """Of pycocotools alone, and of other ids in another order."""
    path = written(tmp_path / "instances.json", rng)
    annotations = coco_json.read(path, tmp_path)
    of_pictures = gathered(rng, annotations.objects)
    figures = coco_figures(of_pictures, annotations.objects, len(annotations.class_ids))
    assert capsys.readouterr().out == ""
    write(tmp_path / "results.json", of_pictures, annotations.image_ids, annotations.class_ids)
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO(path)
        judge = COCOeval(annotated, annotated.loadRes(str(tmp_path / "results.json")), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert list(figures) == [figure.name for figure in FIGURES]
    np.testing.assert_allclose(list(figures.values()), judge.stats, rtol=1e-12)
    assert len(set(figures.values())) > 9 and 0.1 < figures["coco_ap"] < figures["coco_ap50"] < 0.9


def test_all_that_is_there_is_found():
    figures = coco_figures(found(BOXES, LABELS, [0.5, 0.6]), TABLE, 3)
    assert {name for name, value in figures.items() if math.isnan(value)} == LARGE
    assert all(math.isclose(value, 1) for name, value in figures.items() if name not in LARGE)


def test_a_line_for_each_figure():
    said = lines(coco_figures(found(BOXES, LABELS, [0.5, 0.6]), TABLE, 3))
    assert len(said) == 12 and said[0] == "  AP 100.00%"
    assert "  AP large: no such objects" in said


def test_nothing_is_found():
    figures = coco_figures(found([], [], []), TABLE, 3)
    assert {name for name, value in figures.items() if math.isnan(value)} == LARGE
    assert not any(value for name, value in figures.items() if name not in LARGE)


def test_a_crowd_holds_any_number():
    # All within it; of three, one would be enough.
    crowd = ObjectTable.of(
        [np.append(BOXES, [[200, 200, 300, 300]], axis=0), np.empty((0, 4))],
        [np.append(LABELS, 1), np.empty(0, int)],
        [np.array([False, False, True]), np.empty(0, bool)],
    )
    within = [[200, 200, 220, 220], [230, 230, 250, 250], [260, 260, 290, 290]]
    boxes, labels = np.concatenate([within, BOXES]), np.append([1, 1, 1], LABELS)
    of_crowd = found(boxes, labels, [0.9, 0.9, 0.9, 0.5, 0.5])
    assert math.isclose(coco_figures(of_crowd, crowd, 3)["coco_ap"], 1)
    # Of the second class one of four is right.
    assert math.isclose(coco_figures(of_crowd, TABLE, 3)["coco_ap"], (1 + 1 / 4) / 2)


def test_without_pycocotools_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(UserError, match=r'pip install "keras-resnet-paper\[coco\]"'):
        coco_figures(found([], [], []), TABLE, 3)
