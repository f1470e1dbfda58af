"""Answers about where objects are in pictures, as lines of text."""

import json

from command_line import start  # noqa: F401, with which the package is found
from command_line.tables import in_csv
from keras_resnet.texts import harmless

EDGES = ("left", "top", "right", "bottom")


def as_text(rows):
    """The name of a picture, and below it a line for each object, or what is wrong with it."""
    for name, answer in rows:
        yield harmless(name)
        if not answer.is_ok:
            yield f"  {harmless(answer.status)}"
        elif not answer.labels:
            yield "  nothing found of at least --least_score"
        for label, score, box in objects(answer):
            left, top, right, bottom = (f"{edge:.1f}" for edge in box)
            place = f"from ({left}, {top}) to ({right}, {bottom})"
            yield f"  {100 * score:6.2f}%  {harmless(label)}  {place}"


def as_json(rows):
    """All of it in a line."""
    for name, answer in rows:
        found = [
            {"label": label, "class": number, "score": score, "box": list(box)}
            for number, (label, score, box) in zip(answer.classes, objects(answer), strict=True)
        ]
        yield json.dumps({"file": name, "status": answer.status, "objects": found})


def as_table(rows):
    """A header, and a row for each object, or for a picture without any, as CSV."""
    yield in_csv("file", "status", "label", "score", *EDGES)
    for name, answer in rows:
        about = harmless(name), harmless(answer.status)
        if not answer.labels:
            yield in_csv(*about, *[""] * 6)
        for label, score, box in objects(answer):
            yield in_csv(*about, harmless(label), f"{score:.6f}", *(f"{edge:.2f}" for edge in box))


def objects(answer):
    """Label, score and box of each object."""
    return zip(answer.labels, answer.probabilities, answer.boxes or (), strict=True)
