"""How good a segmenter is: over all pixels of all pictures, each looked at once."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.class_names import as_seen
from keras_resnet.data.masks import MaskTable, table_of
from keras_resnet.data.sources import Source
from keras_resnet.data.summary_text import aligned, counted, named
from keras_resnet.runs.figures import Figure
from keras_resnet.segmentation.network import FCN

MEAN_IOU = Figure("mean_iou", "mean IoU", "%", higher_is_better=True)
FOREGROUND = Figure("foreground_iou", "of foreground", "%", higher_is_better=True)
ACCURACY = Figure("pixel_accuracy", "pixels right", "%", higher_is_better=True)
FIGURES = (MEAN_IOU, FOREGROUND, ACCURACY)


@dataclasses.dataclass(frozen=True)
class OfClasses:
    """How good a segmenter is at each class.

    Attributes:
      iou: pixels that are of the class and found so, over those that are either; NaN where none is;
        float64 [classes].
      accuracy: the share of the pixels of the class that are found so, NaN where there are none.
      pixels: how many are of the class, int64 [classes].
    """

    iou: np.ndarray
    accuracy: np.ndarray
    pixels: np.ndarray


def of_classes(confusion: np.ndarray) -> OfClasses:
    """What `evaluation` is the mean of.

    Args:
      confusion: of all pictures together, int64 [classes, classes], see `answers.answers`.
    """
    right, true, found = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return OfClasses(right / (true + found - right), right / true, true)


def total(gathered: Mapping[str, Sequence[np.ndarray]]) -> np.ndarray:
    """The confusion of all pictures together, int64 [classes, classes]."""
    return np.array(gathered["confusion"], np.int64).sum(axis=0)


def evaluation(confusion: np.ndarray) -> dict[str, float]:
    """The means over the classes, of which there are pixels, of their intersections over unions.

    Args:
      confusion: see `of_classes`. The first class is the background.

    Returns:
      By name of the figure, 0 to 1; NaN where there is nothing to find.

    Source: Everingham et al., 2015 (PASCAL VOC), section 4.1.3; Long et al., 2015, section 5.
    """
    found = of_classes(confusion)
    pixels = confusion.sum()
    return {
        MEAN_IOU.name: _mean(found.iou),
        FOREGROUND.name: _mean(found.iou[1:]),
        ACCURACY.name: float(np.diag(confusion).sum() / pixels) if pixels else float("nan"),
    }


def trivial(confusion: np.ndarray) -> np.ndarray:
    """The confusion of an answer that knows nothing: all pixels are background."""
    answer = np.zeros_like(confusion)
    answer[:, 0] = confusion.sum(axis=1)
    return answer


def lines(confusion: np.ndarray, class_names: Sequence[str]) -> list[str]:
    """A table for a person, with the means, and those of an answer that knows nothing."""
    found = of_classes(confusion)
    rows = [["Class", "IoU", "pixels found", "pixels"]]
    for label, name in enumerate(class_names):
        shares = (_written(values[label]) for values in (found.iou, found.accuracy))
        rows.append([f"  {named(name)}", *shares, f"{found.pixels[label]:,}"])
    for title, of_answer in (("mean", confusion), ("mean, all background", trivial(confusion))):
        means = of_classes(of_answer)
        shares = (_written(_mean(values)) for values in (means.iou, means.accuracy))
        rows.append([f"  {title}", *shares, f"{confusion.sum():,}"])
    without = int(np.count_nonzero(np.isnan(found.iou)))
    note = f"{counted(without, 'class')} without pixels, not in the mean"
    return [*aligned(rows), *([note] if without else [])]


def fitted_masks(model: FCN, source: Source) -> MaskTable:
    """The table that a source's labels are rows of, with ids as a segmenter has its classes.

    Raises:
      UserError: the source knows no masks, or classes that the segmenter does not know.
    """
    table = table_of(source)
    ours = [as_seen(name) for name in model.class_names or source.class_names]
    theirs = [as_seen(name) for name in source.class_names]
    unknown = [source.class_names[n] for n, name in enumerate(theirs) if name not in ours]
    if unknown:
        raise UserError(
            "The segmenter was trained on other classes: of those of the data set it does not know "
            f"{named(unknown[0])}{f' and {len(unknown) - 1} others' if unknown[1:] else ''}."
        )
    ids = np.arange(256, dtype=np.uint8)
    ids[: len(theirs)] = [ours.index(name) for name in theirs]
    return table.translated(ids)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _written(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.2f}%"
