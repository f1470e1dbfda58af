"""How good a detector is, as COCO measures it: twelve figures, by COCO's own code."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data.objects import ObjectTable
from keras_resnet.detection.coco_results import bounding, results
from keras_resnet.runs.figures import Figure


def _figure(name: str, label: str) -> Figure:
    return Figure(name, label, "%", higher_is_better=True)


# In the order of pycocotools. Objects are small below 32x32 pixels, and large from 96x96 on.
FIGURES = (
    _figure("coco_ap", "AP"),
    _figure("coco_ap50", "AP50"),
    _figure("coco_ap75", "AP75"),
    _figure("coco_ap_small", "AP small"),
    _figure("coco_ap_medium", "AP medium"),
    _figure("coco_ap_large", "AP large"),
    _figure("coco_ar_1", "AR 1"),
    _figure("coco_ar_10", "AR 10"),
    _figure("coco_ar_100", "AR 100"),
    _figure("coco_ar_small", "AR small"),
    _figure("coco_ar_medium", "AR medium"),
    _figure("coco_ar_large", "AR large"),
)


def coco_figures(
    gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable, classes: int
) -> dict[str, float]:
    """Average precisions and recalls, over overlaps of 0.5 to 0.95 where none is named.

    What is ignored is a crowd to COCO: it holds any number of detections. 5,000 pictures of 100
    detections take a minute or two.

    Args:
      gathered: as for `evaluation.evaluation`.
      table: the objects of the same pictures, in the same order.
      classes: number of classes.

    Returns:
      By name of the figure, 0 to 1; NaN where there is nothing to find.

    Raises:
      UserError: pycocotools is not installed.

    Source: https://cocodataset.org/#detection-eval.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise UserError(
            "COCO's figures need pycocotools, which is not installed: "
            'pip install "keras-resnet-paper[coco]"'
        ) from error

    def indexed(entries: list[dict[str, Any]]) -> Any:
        dataset = COCO()
        dataset.dataset = {
            "images": [{"id": picture} for picture in range(len(table))],
            "categories": [{"id": label} for label in range(classes)],
            "annotations": [
                {"iscrowd": 0, "area": _area(entry), **entry, "id": number}
                # An id of 0 says there that nothing matches.
                for number, entry in enumerate(entries, 1)
            ],
        }
        dataset.createIndex()
        return dataset

    # It reports on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        # As a file of results it would refuse that nothing was found.
        found = indexed(results(gathered, range(len(table)), range(classes)))
        judge = COCOeval(indexed(_objects(table)), found, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    shares = np.where(judge.stats < 0, np.nan, judge.stats).tolist()
    return {figure.name: share for figure, share in zip(FIGURES, shares, strict=True)}


def lines(figures: Mapping[str, float]) -> list[str]:
    """A line for each figure, for a person."""
    return [
        f"  {each.label}: no such objects"
        if np.isnan(figures[each.name])
        else f"  {each.written(figures[each.name])}"
        for each in FIGURES
    ]


def _area(entry: dict[str, Any]) -> float:
    _, _, width, height = entry["bbox"]
    return width * height


def _objects(table: ObjectTable) -> list[dict[str, Any]]:
    """An entry for each object, of all pictures."""
    rows = zip(
        np.repeat(np.arange(len(table)), np.diff(table.splits)).tolist(),
        table.labels.tolist(),
        bounding(table.boxes),
        table.is_ignored.astype(int).tolist(),
        table.areas.astype(float).tolist(),
        strict=True,
    )
    names = ("image_id", "category_id", "bbox", "iscrowd", "area")
    return [dict(zip(names, row, strict=True)) for row in rows]
