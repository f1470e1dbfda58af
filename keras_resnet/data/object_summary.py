"""What a data set of pictures with boxes holds: what one would look for before a training."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet import files, plots
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.summary_text import SPLITS, aligned, counted, named

# The whole text has all classes.
_SHOWN_CLASSES = 20


@dataclasses.dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes:
      pictures: their number.
      counts: number of objects by class, of those that count.
      most: number of objects of the picture that has the most.
      sides: shorter and longer side of the smallest, the median and the largest object by area, in
        pixels.
      notes: how much there was of what a person should know, by what it was.
    """

    pictures: int
    counts: dict[str, int]
    most: int
    sides: list[tuple[float, float]]
    notes: dict[str, int]


@dataclasses.dataclass(frozen=True)
class ObjectSummary:
    """What a data set holds.

    Attributes:
      parts: the splits by name.
    """

    parts: dict[str, Part]

    def lines(self, most_classes: int = _SHOWN_CLASSES) -> list[str]:
        """What a person should know of a data set before a training.

        Args:
          most_classes: of more, the first ones are given.
        """
        warnings = [
            f"! {what}: {number:,} ({SPLITS[split]})"
            for split, part in self.parts.items()
            for what, number in part.notes.items()
        ]
        classes = list(next(iter(self.parts.values())).counts)
        parts = self.parts.values()
        rows = [["Objects", *(SPLITS[split] for split in self.parts)]]
        for name in classes[:most_classes]:
            rows.append([f"  {named(name)}", *(f"{part.counts[name]:,}" for part in parts)])
        if len(classes) > most_classes:
            more = f"  ... {len(classes) - most_classes:,} more"
            rows.append([more, *("..." for _ in parts)])
        rows.append(["  all", *(f"{sum(part.counts.values()):,}" for part in parts)])
        return [*warnings, *aligned(rows), *(_facts(*item) for item in self.parts.items())]

    def write(self, directory: pathlib.Path) -> None:
        """Writes classes.png, data_summary.txt, which has all classes, and data_summary.json."""
        counts = {SPLITS[split]: part.counts for split, part in self.parts.items()}
        plots.draw_class_counts(counts, directory / "classes.png", "objects")
        whole = self.lines(most_classes=max(len(each) for each in counts.values()))
        files.write_text(directory / "data_summary.txt", "\n".join(whole) + "\n")
        text = json.dumps(dataclasses.asdict(self), indent=2)
        files.write_text(directory / "data_summary.json", text + "\n")


def summarize_objects(
    tables: Mapping[str, ObjectTable],
    class_names: tuple[str, ...],
    notes: Mapping[str, Mapping[str, int]],
) -> ObjectSummary:
    """The summary of the splits of a data set.

    Args:
      tables: `ObjectTable` of each split.
      class_names: which the labels index.
      notes: of each split, see `Annotations`.
    """
    return ObjectSummary(
        {split: _part(table, class_names, notes.get(split, {})) for split, table in tables.items()}
    )


def _part(table: ObjectTable, class_names: tuple[str, ...], notes: Mapping[str, Any]) -> Part:
    labels = table.labels[~table.is_ignored]
    counts = np.bincount(labels, minlength=len(class_names)).tolist()
    sides = np.sort(table.boxes[:, 2:] - table.boxes[:, :2], axis=1)
    sides = sides[np.argsort(sides.prod(axis=1), kind="stable")]
    middle = [sides[place].tolist() for place in (0, len(sides) // 2, -1)] if len(sides) else []
    return Part(
        len(table),
        dict(zip(class_names, counts, strict=True)),
        int(np.diff(table.splits).max(initial=0)),
        [(short, long) for short, long in middle],
        dict(notes),
    )


def _facts(split: str, part: Part) -> str:
    pictures = f"{counted(part.pictures, 'picture')} ({SPLITS[split]})"
    if not part.sides:
        return f"{pictures} without objects"
    smallest, median, largest = (f"{short:.0f}x{long:.0f}" for short, long in part.sides)
    return (
        f"{pictures}, up to {counted(part.most, 'object')} each, of {smallest} to {largest} "
        f"pixels, median {median}"
    )
