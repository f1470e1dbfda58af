"""Answers about what pictures show, as lines of text."""

import itertools
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
        for label, probability in zip(answer.labels, answer.probabilities, strict=True):
            yield f"  {100 * probability:6.2f}%  {harmless(label)}"


def as_json(rows):
    """All of it in a line."""
    for name, answer in rows:
        classes = [
            {"label": label, "class": number, "probability": probability}
            for label, number, probability in zip(
                answer.labels, answer.classes, answer.probabilities, strict=True
            )
        ]
        yield json.dumps({"file": name, "status": answer.status, "classes": classes})


def as_table(rows):
    """A header, and a row for each picture, as CSV."""
    waiting, number = [], None
    for name, answer in rows:
        waiting.append((name, answer))
        if number is None and answer.is_ok:
            # The first classified picture shows how many classes are named.
            number = len(answer.labels)
            yield table_header(number)
        if number is not None:
            yield from (table_row(number, *each) for each in waiting)
            waiting = []
    if number is None:
        yield table_header(0)
        yield from (table_row(0, *each) for each in waiting)


def table_header(number):
    """Of so many classes for each picture."""
    names = (
        f"{name}{place}" for place in range(1, number + 1) for name in ("label", "probability")
    )
    return in_csv("file", "status", *names)


def table_row(number, name, answer):
    """Of one picture; that is as long as the header for an unusable one, too."""
    classes = zip(answer.labels, answer.probabilities, strict=True)
    pairs = ((harmless(label), f"{probability:.6f}") for label, probability in classes)
    padding = [""] * 2 * (number - len(answer.labels))
    return in_csv(harmless(name), harmless(answer.status), *itertools.chain(*pairs), *padding)
