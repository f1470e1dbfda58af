"""Annotations as YOLO has them: a text file for each picture, a line for each object."""

import collections
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError, shown
from keras_resnet.data.annotations import WITHOUT_PICTURE, Annotations, checked_objects
from keras_resnet.data.pictures import is_picture
from keras_resnet.texts import harmless

POLYGONS = "polygons, of which the box around them is taken"
CONFIDENCES = "objects with a sixth number, such as a confidence, which is not used"

# Beside the annotations, but none.
_CLASSES = "classes.txt"

# What is relative to the picture is somewhat outside of it where it was rounded.
_SLACK = 0.01

# A class and three corners.
_SHORTEST_POLYGON = 7


def read(
    paths: Sequence[pathlib.Path], shapes: np.ndarray, class_names: Sequence[str]
) -> Annotations:
    """The annotations of pictures, checked; a picture without a text file has no objects.

    The text file of images/train/a.jpg is labels/train/a.txt, that of a picture in no such folder
    lies beside it. A line is `class x y width height`: the number of the class, and center and
    sides of the box, relative to the picture; or `class x1 y1 x2 y2 ...`, corners of a polygon.

    Args:
      paths: of the pictures.
      shapes: height and width of each when it is upright, which the tools of this format turn it to
        before they show it, int64 [n, 2].
      class_names: of the classes, in the order of their numbers.

    Raises:
      UserError: no picture has a text file, or what one says cannot be; the message names the line.

    Source: https://docs.ultralytics.com/datasets/detect and /segment.
    """
    files = [_text_file(path) for path in paths]
    if not any(file.is_file() for file in files):
        raise UserError(
            f"None of {len(paths)} pictures has a text file of its objects. Looked for "
            f"{harmless(str(files[0]))} of {harmless(str(paths[0]))}, for one."
        )
    notes: collections.Counter[str] = collections.Counter()
    boxes, labels = [], []
    for file, (height, width) in zip(files, shapes, strict=True):
        of_picture, of_classes = _objects(file, class_names, notes)
        boxes.append(of_picture * [width, height, width, height])
        labels.append(of_classes)
    notes[WITHOUT_PICTURE] = _without_picture(paths)
    objects, of_objects = checked_objects(
        boxes,
        labels,
        [np.zeros(len(each), bool) for each in labels],
        shapes,
        [harmless(str(file)) for file in files],
    )
    return Annotations(
        tuple(paths),
        shapes,
        objects,
        tuple(class_names),
        +(notes + of_objects),
        image_ids=tuple(path.stem for path in paths),
    )


def _folder_of_texts(folder: pathlib.Path) -> pathlib.Path:
    """Where the text files of a folder's pictures are: the last "images" becomes "labels"."""
    parts = list(folder.parts)
    if "images" in parts:
        place = len(parts) - 1 - parts[::-1].index("images")
        other = pathlib.Path(*parts[:place], "labels", *parts[place + 1 :])
        if other.is_dir():
            return other
    return folder


def _text_file(picture: pathlib.Path) -> pathlib.Path:
    """The file of a picture's objects, which need not be there."""
    name = f"{picture.stem}.txt"
    file = _folder_of_texts(picture.parent) / name
    return file if file.is_file() else picture.parent / name


def _without_picture(pictures: Sequence[pathlib.Path]) -> int:
    """How many text files there are for pictures that are in none of these pictures' folders."""
    number = 0
    for folder in {path.parent for path in pictures}:
        stems = {path.stem for path in folder.iterdir() if is_picture(path)}
        files = _folder_of_texts(folder).glob("*.txt")
        number += sum(file.name != _CLASSES and file.stem not in stems for file in files)
    return number


def _objects(
    file: pathlib.Path, class_names: Sequence[str], notes: collections.Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Edges relative to the picture, float64 [objects, 4], and labels of what a file has."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{harmless(str(file))} cannot be read: {error}.") from error
    boxes, labels = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = _numbers(line)
            boxes.append(_edges(values, notes))
            labels.append(_label(values[0], class_names))
        except ValueError as error:
            raise UserError(
                f"Line {number} of {harmless(str(file))}: {error}. Received: {shown(line)}"
            ) from error
    return np.array(boxes, float).reshape(-1, 4), np.array(labels, np.int64)


def _numbers(line: str) -> np.ndarray:
    try:
        return np.array(line.split(), float)
    except ValueError:
        raise ValueError("numbers with spaces between them are expected") from None


def _label(number: float, class_names: Sequence[str]) -> int:
    if number not in range(len(class_names)):
        raise ValueError(
            f"the class must be an integer from 0 to {len(class_names) - 1}, of the classes "
            f"{shown(list(class_names))}"
        )
    return int(number)


def _edges(values: np.ndarray, notes: collections.Counter[str]) -> list[float]:
    """Left, top, right and bottom edge, relative to the picture, of the numbers of a line."""
    is_polygon = len(values) >= _SHORTEST_POLYGON
    if len(values) < 5 or (is_polygon and len(values) % 2 == 0):
        raise ValueError(
            "five numbers are expected, class, x and y of the center, width and height; or a class "
            "and the corners of a polygon, x and y of each"
        )
    places = values[1:] if is_polygon else values[1:5]
    if not ((places >= -_SLACK) & (places <= 1 + _SLACK)).all():
        raise ValueError(
            "all but the class must be from 0 to 1, relative to width and height of the picture"
        )
    if is_polygon:
        notes[POLYGONS] += 1
        corners = places.reshape(-1, 2)
        return [*corners.min(axis=0), *corners.max(axis=0)]
    notes[CONFIDENCES] += len(values) == 6
    x, y, width, height = places
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
