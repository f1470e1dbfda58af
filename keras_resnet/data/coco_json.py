"""Annotations as COCO has them: one JSON file of images, categories and boxes."""

import collections
import json
import os
import pathlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_resnet.checks import UserError, shown
from keras_resnet.data.annotations import Annotations, checked_objects
from keras_resnet.texts import harmless

# In pixels; nothing that is not a number is below.
_LARGEST = 1e9

_PARTS = ("images", "annotations", "categories")


def read(path: str | os.PathLike[str], pictures: str | os.PathLike[str]) -> Annotations:
    """The annotations of a file, checked; ids may have gaps, and are kept to be given back.

    Args:
      path: of the JSON file.
      pictures: the folder that the names of files in it are relative to.

    Raises:
      UserError: it is no such file, or what it says cannot be; the message names what.

    Source: https://cocodataset.org/#format-data.
    """
    name = harmless(str(path))
    parts = _parts(name, path)
    images = _by_id(name, parts["images"], "images", ("file_name", "width", "height"))
    # Of paths, of which ./a.jpg is another a.jpg.
    file_names = [os.path.normpath(image["file_name"]) for image in images.values()]
    _check_once(name, file_names, "file_name")
    categories = _by_id(name, parts["categories"], "categories", ("name",))
    if not images or not categories:
        raise UserError(f"{name} has no {'categories' if images else 'images'}.")
    _check_once(name, [category["name"] for category in categories.values()], "category name")
    labels = {identity: label for label, identity in enumerate(sorted(categories))}
    of_images: dict[int, list[Mapping[str, Any]]] = {identity: [] for identity in images}
    for place, annotation in enumerate(parts["annotations"]):
        _check_annotation(name, place, annotation, images, labels)
        of_images[annotation["image_id"]].append(annotation)
    shapes = np.array([[image["height"], image["width"]] for image in images.values()])
    objects, notes = checked_objects(
        [_edges(annotations) for annotations in of_images.values()],
        [
            np.array([labels[each["category_id"]] for each in annotations], np.int64)
            for annotations in of_images.values()
        ],
        [
            np.array([bool(each.get("iscrowd")) for each in annotations], bool)
            for annotations in of_images.values()
        ],
        shapes,
        [f"{harmless(image['file_name'])} in {name}" for image in images.values()],
        [
            np.array([_area(annotation) for annotation in annotations], float)
            for annotations in of_images.values()
        ],
    )
    return Annotations(
        tuple(pathlib.Path(pictures) / image["file_name"] for image in images.values()),
        shapes,
        objects,
        tuple(categories[identity]["name"] for identity in labels),
        notes,
        image_ids=tuple(images),
        class_ids=tuple(labels),
    )


def _parts(name: str, path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    try:
        content = json.loads(pathlib.Path(path).read_bytes())
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is no JSON: {str(error)[:200]}.") from error
    for part in _PARTS:
        found = content.get(part) if isinstance(content, dict) else None
        if not isinstance(found, list):
            raise UserError(
                f"{name} has no list of {part!r}: a file of COCO's boxes has "
                f"{', '.join(map(repr, _PARTS))}. (Those of its test images have no annotations, "
                "those of key points and captions have others.)"
            )
    return {part: content[part] for part in _PARTS}


def _by_id(
    name: str, entries: Sequence[Any], part: str, fields: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """The entries of a part by their ids, in order."""
    found: dict[int, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        for field in ("id", *fields):
            value = entry.get(field) if isinstance(entry, dict) else None
            is_text = field in ("file_name", "name")
            if not (isinstance(value, str) if is_text else _is_count(value, field)):
                raise UserError(
                    f"Entry {place} of {part!r} in {name} must have {field!r}, "
                    f"{'a text' if is_text else 'an integer'}. Received: {shown(value)}"
                )
        if entry["id"] in found:
            raise UserError(f"{name} has the id {entry['id']} twice in {part!r}.")
        found[entry["id"]] = entry
    return found


def _is_count(value: object, field: str) -> bool:
    least = 0 if field == "id" else 1
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_once(name: str, values: Iterable[Hashable], what: str) -> None:
    for value, number in collections.Counter(values).most_common(1):
        if number == 1:
            return
        raise UserError(f"{name} has the {what} {shown(value)} {number} times: once is expected.")


def _check_annotation(
    name: str,
    place: int,
    annotation: Any,
    images: Mapping[int, Any],
    labels: Mapping[int, int],
) -> None:
    about = f"Annotation {place} in {name}"
    if not isinstance(annotation, dict):
        raise UserError(f"{about} must be an object. Received: {shown(annotation)}")
    for field, known in (("image_id", images), ("category_id", labels)):
        value = annotation.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or value not in known:
            raise UserError(
                f"{about} must have a {field!r} that the file lists. Received: {shown(value)}"
            )
    if annotation.get("iscrowd") not in (None, 0, 1):
        raise UserError(
            f"{about} must have 0 or 1 for 'iscrowd'. Received: {shown(annotation['iscrowd'])}"
        )
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_coordinate, box)):
        raise UserError(
            f"{about} must have a 'bbox' of four numbers: left, top, width, height. "
            f"Received: {shown(box)}"
        )


def is_coordinate(value: object) -> bool:
    """Whether a value of JSON is a number that a place in a picture may have."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < _LARGEST


def _area(annotation: Mapping[str, Any]) -> float:
    """Of the outline, which files of boxes alone need not have; NaN: it is none."""
    area = annotation.get("area")
    is_one = is_coordinate(area) and area > 0  # type: ignore[operator]  # It is a number.
    return float(area) if is_one else float("nan")  # type: ignore[arg-type]


def _edges(annotations: Sequence[Mapping[str, Any]]) -> np.ndarray:
    boxes = np.array([each["bbox"] for each in annotations], float).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
