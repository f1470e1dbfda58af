"""How good a detector is: average precision, each picture looked at once."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.data.objects import ObjectTable, objects_of
from keras_resnet.data.sources import Source
from keras_resnet.data.summary_text import aligned, counted, named
from keras_resnet.detection.average_precision import (
    Detections,
    Objects,
    average_precisions,
    matches,
)
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.runs.figures import Figure

MAP50 = Figure("map50", "mAP@.5", "%", higher_is_better=True)
MAP75 = Figure("map75", "mAP@.75", "%", higher_is_better=True)
FIGURES = (MAP50, MAP75)


@dataclasses.dataclass(frozen=True)
class OfClasses:
    """How good a detector is at each class, 0 to 1; NaN of classes without objects.

    Attributes:
      ap50: average precision where an overlap of 0.5 is enough, float64 [classes].
      ap75: the same of 0.75.
      eleven_points: the same of 0.5, over eleven recalls, as VOC had it until 2009.
      objects: how many there are to find, int64 [classes]; difficult ones and crowds are not.
    """

    ap50: np.ndarray
    ap75: np.ndarray
    eleven_points: np.ndarray
    objects: np.ndarray


def of_classes(
    gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable, classes: int
) -> OfClasses:
    """What `evaluation` is the mean of."""
    rows = zip(gathered["boxes"], gathered["classes"], gathered["scores"], strict=True)
    detections = [Detections(*row) for row in rows]
    objects = [
        Objects(table.boxes[first:last], table.labels[first:last], table.is_ignored[first:last])
        for first, last in zip(table.splits[:-1], table.splits[1:], strict=True)
    ]
    found = matches(detections, objects)
    return OfClasses(
        average_precisions(found, classes, 0.5),
        average_precisions(found, classes, 0.75),
        average_precisions(found, classes, 0.5, eleven_points=True),
        np.bincount(table.labels[~table.is_ignored], minlength=classes),
    )


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
    found = of_classes(gathered, table, classes)
    return {MAP50.name: _mean(found.ap50), MAP75.name: _mean(found.ap75)}


def lines(found: OfClasses, class_names: Sequence[str]) -> list[str]:
    """A table for a person, with the mean of the classes, and how many it leaves out."""
    columns = (found.ap50, found.ap75, found.eleven_points)
    rows = [["Class", "AP@.5", "AP@.75", "AP@.5, 11 points", "objects"]]
    for label, name in enumerate(class_names):
        shares = (_written(values[label]) for values in columns)
        rows.append([f"  {named(name)}", *shares, f"{found.objects[label]:,}"])
    means = (_written(_mean(values)) for values in columns)
    rows.append(["  mean", *means, f"{found.objects.sum():,}"])
    without = int(np.count_nonzero(found.objects == 0))
    note = f"{counted(without, 'class')} without objects, not in the mean"
    return [*aligned(rows), *([note] if without else [])]


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _written(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.2f}%"


def fitted_objects(detector: FasterRCNN, source: Source) -> ObjectTable:
    """The objects of a source, in its order, with labels as a detector has its classes.

    Raises:
      UserError: the source knows no objects, or classes that the detector does not know.
    """
    names = [as_seen(name) for name in detector.class_names or source.class_names]
    unknown = [name for name in source.class_names if as_seen(name) not in names]
    if unknown:
        raise UserError(
            f"The detector was trained on other classes: of those of the data set it does not know "
            f"{named(unknown[0])}{f' and {len(unknown) - 1} others' if unknown[1:] else ''}."
        )
    table = objects_of(source)
    labels = np.array([names.index(as_seen(name)) for name in source.class_names], np.int64)
    return dataclasses.replace(table, labels=labels[table.labels])
