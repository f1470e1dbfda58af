"""The files of a summary of a data set."""

import json
import pathlib

from keras_resnet import files, plots
from keras_resnet.data.summary import Summary
from keras_resnet.data.summary_text import SPLITS, whole_text


def write_summary(summary: Summary, directory: pathlib.Path) -> None:
    """Writes classes.png, data_summary.txt, which has all classes, and data_summary.json, the last.

    Args:
      summary: of a data set.
      directory: where they go; what is there is replaced.
    """
    counts = {SPLITS[split]: part.counts for split, part in summary.parts.items()}
    plots.draw_class_counts(counts, directory / "classes.png")
    files.write_text(directory / "data_summary.txt", whole_text(summary))
    text = json.dumps(summary.to_json(), indent=2)
    files.write_text(directory / "data_summary.json", text + "\n")
