"""What a data set of pictures with masks holds: what one would look for before a training."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from keras_resnet import files, plots
from keras_resnet.data.mask_keys import IGNORED
from keras_resnet.data.masks import MaskTable
from keras_resnet.data.summary_text import SPLITS, aligned, counted, named

# The whole text has all classes.
_SHOWN_CLASSES = 20


@dataclasses.dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes:
      pictures: their number.
      shares: of the pixels that are of a class, by class, 0 to 1.
      having: in how many pictures there is a class, by class.
      ignored: share of all pixels that are of no class.
      notes: how much there was of what a person should know, by what it was.
    """

    pictures: int
    shares: dict[str, float]
    having: dict[str, int]
    ignored: float
    notes: dict[str, int]


@dataclasses.dataclass(frozen=True)
class MaskSummary:
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
        parts = self.parts.values()
        classes = list(next(iter(parts)).shares)
        rows = [["Pixels (pictures)", *(SPLITS[split] for split in self.parts)]]
        for name in classes[:most_classes]:
            cells = (f"{100 * part.shares[name]:.2f}% ({part.having[name]:,})" for part in parts)
            rows.append([f"  {named(name)}", *cells])
        if len(classes) > most_classes:
            more = f"  ... {len(classes) - most_classes:,} more"
            rows.append([more, *("..." for _ in parts)])
        facts = (
            f"{counted(part.pictures, 'picture')} ({SPLITS[split]}), {100 * part.ignored:.2f}% of "
            "the pixels of no class"
            for split, part in self.parts.items()
        )
        return [*warnings, *aligned(rows), *facts]

    def write(self, directory: pathlib.Path) -> None:
        """Writes classes.png, data_summary.txt, which has all classes, and data_summary.json."""
        counts = {SPLITS[split]: part.having for split, part in self.parts.items()}
        plots.draw_class_counts(counts, directory / "classes.png", "pictures")
        whole = self.lines(most_classes=max(len(each) for each in counts.values()))
        files.write_text(directory / "data_summary.txt", "\n".join(whole) + "\n")
        text = json.dumps(dataclasses.asdict(self), indent=2)
        files.write_text(directory / "data_summary.json", text + "\n")


def summarize_masks(
    tables: Mapping[str, MaskTable],
    class_names: tuple[str, ...],
    notes: Mapping[str, Mapping[str, int]],
) -> MaskSummary:
    """The summary of the splits of a data set.

    Args:
      tables: `MaskTable` of each split.
      class_names: which the ids index.
      notes: of each split, see `AnnotatedSplit`.
    """
    return MaskSummary(
        {split: _part(table, class_names, notes.get(split, {})) for split, table in tables.items()}
    )


def _part(table: MaskTable, class_names: tuple[str, ...], notes: Mapping[str, int]) -> Part:
    of_classes = table.counts[:, : len(class_names)]
    totals = of_classes.sum(axis=0)
    having = np.count_nonzero(of_classes, axis=0).tolist()
    shares = (totals / max(totals.sum(), 1)).tolist()
    return Part(
        len(table),
        dict(zip(class_names, shares, strict=True)),
        dict(zip(class_names, having, strict=True)),
        float(table.counts[:, IGNORED].sum() / max(table.counts.sum(), 1)),
        dict(notes),
    )
