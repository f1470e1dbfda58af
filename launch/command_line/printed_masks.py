"""Answers about the classes of pixels, as lines of text."""

import json

from command_line import start  # noqa: F401, with which the package is found
from command_line.tables import in_csv
from keras_resnet.texts import harmless


def as_text(rows):
    """The name of a picture, and below it a line for each class, or what is wrong with it."""
    for name, answer in rows:
        yield harmless(name)
        if not answer.is_ok:
            yield f"  {harmless(answer.status)}"
        for label, share in zip(answer.labels, answer.probabilities, strict=True):
            yield f"  {100 * share:6.2f}%  {harmless(label)}"


def as_json(rows):
    """All of it in a line, but for the mask."""
    for name, answer in rows:
        columns = zip(answer.labels, answer.classes, answer.probabilities, strict=True)
        found = [
            {"label": label, "class": number, "share": share} for label, number, share in columns
        ]
        yield json.dumps({"file": name, "status": answer.status, "pixels": found})


def as_table(rows):
    """A header, and a row for each class of each picture, as CSV."""
    yield in_csv("file", "status", "label", "share")
    for name, answer in rows:
        about = harmless(name), harmless(answer.status)
        if not answer.labels:
            yield in_csv(*about, "", "")
        for label, share in zip(answer.labels, answer.probabilities, strict=True):
            yield in_csv(*about, harmless(label), f"{share:.6f}")
