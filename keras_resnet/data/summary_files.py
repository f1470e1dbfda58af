"""A summary of a data set, as it is told and written."""

import dataclasses
import json
import pathlib

from keras_resnet import files, plots
from keras_resnet.data.summary import Summary
from keras_resnet.data.summary_text import SPLITS, lines, whole_text


@dataclasses.dataclass(frozen=True)
class ClassSummary:
    """What a data set of pictures and classes holds.

    Attributes:
      summary: `Summary`.
    """

    summary: Summary

    def lines(self) -> list[str]:
        """What a person should know of a data set before a training."""
        return lines(self.summary)

    def write(self, directory: pathlib.Path) -> None:
        """Writes classes.png, data_summary.txt, which has all classes, and data_summary.json.

        Args:
          directory: where they go; what is there is replaced.
        """
        summary = self.summary
        counts = {SPLITS[split]: part.counts for split, part in summary.parts.items()}
        plots.draw_class_counts(counts, directory / "classes.png")
        files.write_text(directory / "data_summary.txt", whole_text(summary))
        text = json.dumps(summary.to_json(), indent=2)
        files.write_text(directory / "data_summary.json", text + "\n")
