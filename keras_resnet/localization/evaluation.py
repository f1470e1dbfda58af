"""How good a localizer is: the errors of ILSVRC's localization, each picture looked at once."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.data.objects import ObjectTable, table_of
from keras_resnet.data.sources import Source
from keras_resnet.data.summary_text import aligned, named
from keras_resnet.localization.network import Localizer
from keras_resnet.runs.figures import Figure

TOP1 = Figure("top1_error", "top-1 error", "%")
TOP5 = Figure("top5_error", "top-5 error", "%")
TRUE_CLASS = Figure("true_class_error", "with the true class", "%")
FIGURES = (TOP1, TOP5, TRUE_CLASS)

# Intersection over union with which a box is right.
_OVERLAP = 0.5


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Which pictures are localized, bool [n] each.

    Attributes:
      top1: the most probable class is the true one, and its box lies on an object.
      top5: the same of one of the five most probable classes.
      true_class: the box of the true class lies on an object.
    """

    top1: np.ndarray
    top5: np.ndarray
    true_class: np.ndarray

    def errors(self) -> dict[str, float]:
        """The shares that are not, by name of the figure."""
        columns = (self.top1, self.top5, self.true_class)
        return {
            figure.name: float(1 - column.mean())
            for figure, column in zip(FIGURES, columns, strict=True)
        }


def judgement(gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable) -> Judgement:
    """Which pictures are localized.

    Args:
      gathered: of each picture `classes` [k], `boxes` [k, 4] and `true_box` [4].
      table: the objects of the same pictures, in the same order; of each picture all are of one
        class.

    Source: Russakovsky et al., 2015 (ILSVRC), section 4.2: any object of the class is enough.
    """
    answers = zip(*(gathered[name] for name in ("classes", "boxes", "true_box")), strict=True)
    rows = []
    for place, (classes, boxes, true_box) in enumerate(answers):
        objects = slice(table.splits[place], table.splits[place + 1])
        label, of_class = table.labels[objects.start], table.boxes[objects]
        of_class = of_class[~table.is_ignored[objects]]
        is_right = (classes == label) & _lie_on(boxes, of_class)
        rows.append((is_right[0], is_right.any(), _lie_on(true_box[np.newaxis], of_class)[0]))
    return Judgement(*np.array(rows, bool).T)


def around_the_center(
    gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable
) -> dict[str, Sequence[np.ndarray]]:
    """The trivial answer: the same classes, and for each the same box in the middle.

    It has the median width and height of all objects, relative to their pictures.
    """
    shapes = np.array(gathered["shape"], np.float64)
    counts = np.diff(table.splits)
    sides = (table.boxes[:, 2:] - table.boxes[:, :2]) / np.repeat(shapes[:, ::-1], counts, axis=0)
    half = np.median(sides[~table.is_ignored], axis=0) / 2
    places = np.concatenate([0.5 - half, 0.5 + half])
    boxes = places * shapes[:, [1, 0, 1, 0]]
    tiled = [
        np.tile(box, (len(classes), 1))
        for box, classes in zip(boxes, gathered["classes"], strict=True)
    ]
    return {"classes": gathered["classes"], "boxes": tiled, "true_box": list(boxes)}


def evaluation(
    gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable
) -> dict[str, float]:
    """The errors, by name of the figure, 0 to 1; see `judgement`."""
    return judgement(gathered, table).errors()


def lines(
    gathered: Mapping[str, Sequence[np.ndarray]], table: ObjectTable, class_names: Sequence[str]
) -> list[str]:
    """A table for a person: the errors of each class, of all, and of a box around the center."""
    found = judgement(gathered, table)
    labels = table.labels[table.splits[:-1]]
    rows = [["Class", *(figure.label for figure in FIGURES), "pictures"]]
    for label, name in enumerate(class_names):
        rows.append(_row(named(name), found, labels == label))
    everything = np.ones(len(labels), bool)
    rows.append(_row("all", found, everything))
    trivial = judgement(around_the_center(gathered, table), table)
    rows.append(_row("all, boxes around the center", trivial, everything))
    return aligned(rows)


def fitted_objects(localizer: Localizer, source: Source) -> tuple[ObjectTable, ObjectTable]:
    """The table that a source's labels are rows of, and its objects in its order.

    Both have labels as a localizer has its classes.

    Raises:
      UserError: the source knows no objects, or classes that the localizer does not know.
    """
    ours = [as_seen(name) for name in localizer.class_names or source.class_names]
    theirs = [as_seen(name) for name in source.class_names]
    unknown = [source.class_names[n] for n, name in enumerate(theirs) if name not in ours]
    if unknown:
        raise UserError(
            "The localizer was trained on other classes: of those of the data set it does not know "
            f"{named(unknown[0])}{f' and {len(unknown) - 1} others' if unknown[1:] else ''}."
        )
    labels = np.array([ours.index(name) for name in theirs], np.int64)
    table = table_of(source)
    table = dataclasses.replace(table, labels=labels[table.labels])
    return table, table.part(source.all_labels())


def _row(title: str, found: Judgement, chosen: np.ndarray) -> list[str]:
    """Of some pictures a row of the table."""
    part = Judgement(found.top1[chosen], found.top5[chosen], found.true_class[chosen])
    number = int(chosen.sum())
    errors = part.errors().values() if number else ()
    shares = [f"{100 * error:.2f}%" for error in errors] or ["-"] * len(FIGURES)
    return [f"  {title}", *shares, f"{number:,}"]


def _lie_on(boxes: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Whether boxes [k, 4] overlap with one of some objects [m, 4] enough, bool [k]."""
    first, second = boxes[:, np.newaxis], objects[np.newaxis]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(
        first[..., :2], second[..., :2]
    )
    shared = np.maximum(sides, 0).prod(axis=-1)
    union = _areas(first) + _areas(second) - shared
    return (shared >= _OVERLAP * union).any(axis=1)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1)
