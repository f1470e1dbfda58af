"""How good a detector is: mean average precision, each picture looked at once."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.data.objects import ObjectTable
from keras_resnet.detection.average_precision import (
    Detections,
    Objects,
    average_precisions,
    matches,
)
from keras_resnet.runs.figures import Figure

MAP50 = Figure("map50", "mAP@.5", "%", higher_is_better=True)
MAP75 = Figure("map75", "mAP@.75", "%", higher_is_better=True)
FIGURES = (MAP50, MAP75)
_LEAST_OVERLAPS = {MAP50: 0.5, MAP75: 0.75}


def evaluation(
    gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable, classes: int
) -> dict[str, float]:
    """The mean over the classes, of which there are objects, of the area under the precision.

    Args:
      gathered: of each picture `boxes` [k, 4], `scores` [k] and `classes` [k].
      table: the objects of the same pictures, in the same order.
      classes: number of classes.

    Returns:
      By name of the figure, 0 to 1; NaN where there is nothing to find.
    """
    rows = zip(gathered["boxes"], gathered["classes"], gathered["scores"], strict=True)
    detections = [Detections(*row) for row in rows]
    objects = [
        Objects(table.boxes[first:last], table.labels[first:last], table.is_ignored[first:last])
        for first, last in zip(table.splits[:-1], table.splits[1:], strict=True)
    ]
    matched = matches(detections, objects)
    found = {}
    for figure, least_overlap in _LEAST_OVERLAPS.items():
        of_classes = average_precisions(matched, classes, least_overlap)
        known = of_classes[~np.isnan(of_classes)]
        found[figure.name] = float(known.mean()) if len(known) else float("nan")
    return found
