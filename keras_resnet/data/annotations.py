"""What somebody said of pictures, boxes and classes, checked before it is learned from."""

import collections
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data.objects import ObjectTable

# What is counted of boxes that are not taken as they are.
NO_AREA = "boxes without area left out"
OUTSIDE = "boxes outside of their picture left out"
CLIPPED = "boxes cut at the edge of their picture"
IGNORED = "crowds and difficult objects, neither learned nor counted"
WITHOUT = "pictures without objects"
WITHOUT_PICTURE = "annotations without their picture left out"
TURNED = "pictures whose boxes were made before they were turned by their EXIF, turned alike"

# Coordinates are often rounded up by a part of a pixel.
_SLACK = 0.5


@dataclasses.dataclass(frozen=True)
class Annotations:
    """Pictures and the objects in them.

    Attributes:
      paths: of the pictures.
      shapes: height and width of each, as the annotations have them, int64 [n, 2].
      objects: `ObjectTable`, in pixels of pictures of these shapes.
      class_names: which the labels index.
      notes: how much there was of what a person should know, by what it was.
      image_ids: what the annotations call each picture; to be given back with results.
      class_ids: what they call each class.
    """

    paths: tuple[pathlib.Path, ...]
    shapes: np.ndarray
    objects: ObjectTable
    class_names: tuple[str, ...]
    notes: collections.Counter[str]
    image_ids: tuple[int | str, ...] = ()
    class_ids: tuple[int, ...] = ()


def checked_objects(
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    is_ignored: Sequence[np.ndarray],
    shapes: np.ndarray,
    names: Sequence[str],
    areas: Sequence[np.ndarray] | None = None,
) -> tuple[ObjectTable, collections.Counter[str]]:
    """The objects that can be learned from, and how many cannot, or not as they were given.

    Args:
      boxes: of each picture left, top, right and bottom edges, float [objects, 4].
      labels: of each picture the classes, integers [objects].
      is_ignored: of each picture, bool [objects], see `ObjectTable`.
      shapes: height and width of the pictures, [n, 2].
      names: of the pictures, for messages.
      areas: of each picture those of outlines, NaN where there is none, float [objects]; None:
        there are none.

    Raises:
      UserError: an edge is not a finite number, or a box is inverted.
    """
    notes: collections.Counter[str] = collections.Counter()
    kept, edges, of_outlines = [], [], []
    for place, (name, of_picture, (height, width)) in enumerate(
        zip(names, boxes, shapes, strict=True)
    ):
        _check_edges(name, of_picture)
        limits = np.array([width, height, width, height], float)
        clipped = np.clip(of_picture, 0, limits)
        has_area = (of_picture[:, 2:] > of_picture[:, :2]).all(axis=1)
        is_inside = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
        is_cut = np.abs(clipped - of_picture).max(axis=1, initial=0) > _SLACK
        notes[NO_AREA] += int((~has_area).sum())
        notes[OUTSIDE] += int((has_area & ~is_inside).sum())
        notes[CLIPPED] += int((is_inside & is_cut).sum())
        of_boxes = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1)
        given = of_boxes if areas is None else areas[place]
        of_outlines.append(np.where(np.isnan(given), of_boxes, given)[is_inside])
        edges.append(clipped[is_inside])
        kept.append(is_inside)
    table = ObjectTable.of(
        edges,
        [each[is_kept] for each, is_kept in zip(labels, kept, strict=True)],
        [each[is_kept] for each, is_kept in zip(is_ignored, kept, strict=True)],
        of_outlines,
    )
    notes[IGNORED] = int(table.is_ignored.sum())
    notes[WITHOUT] = int((np.diff(table.splits) == 0).sum())
    return table, +notes


def _check_edges(name: str, boxes: np.ndarray) -> None:
    """Raises UserError unless all edges are numbers, and the first ones not behind the others."""
    is_finite = np.isfinite(boxes).all(axis=1)
    is_ordered = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1)
    for place in np.flatnonzero(~is_finite | ~is_ordered)[:1]:
        fault = "is inverted" if is_finite[place] else "is not of finite numbers"
        raise UserError(
            f"Box {place} of {name} {fault}: its left, top, right and bottom edges are "
            f"{', '.join(f'{edge:g}' for edge in boxes[place])}. Correct or remove it."
        )


def upright(annotations: Annotations, shapes: np.ndarray, orientations: np.ndarray) -> Annotations:
    """Annotations in pixels of the upright pictures, whichever way their tool saw them.

    Some tools turn a photograph by its EXIF before it is annotated and some do not; the height and
    width that they write tell, where the one becomes the other.

    Args:
      annotations: `Annotations`.
      shapes: height and width of each picture when it is upright, [n, 2].
      orientations: EXIF orientation of each, 1 to 8, [n].

    Raises:
      UserError: a picture has neither the one nor the other shape.
    """
    fits = (annotations.shapes == shapes).all(axis=1)
    is_turned = ~fits & (annotations.shapes == shapes[:, ::-1]).all(axis=1) & (orientations >= 5)
    for place in np.flatnonzero(~fits & ~is_turned)[:1]:
        height, width = annotations.shapes[place]
        raise UserError(
            f"{annotations.paths[place]} is {shapes[place, 1]} pixels wide and {shapes[place, 0]} "
            f"high, and by its annotations {width} and {height}: they are of another picture, or "
            "of the same at another size. Make them alike."
        )
    boxes = annotations.objects.boxes.copy()
    for place in np.flatnonzero(is_turned):
        rows = slice(*annotations.objects.splits[place : place + 2])
        boxes[rows] = turned(boxes[rows], annotations.shapes[place], orientations[place])
    notes = annotations.notes + collections.Counter({TURNED: int(is_turned.sum())})
    return dataclasses.replace(
        annotations,
        shapes=shapes,
        objects=dataclasses.replace(annotations.objects, boxes=boxes),
        notes=+notes,
    )


def turned(boxes: np.ndarray, shape: np.ndarray, orientation: int) -> np.ndarray:
    """Where boxes of a picture as it is stored, of a shape, are once it is upright.

    Args:
      boxes: left, top, right and bottom edges, [n, 4].
      shape: height and width as it is stored.
      orientation: by its EXIF, 1 to 8.
    """
    height, width = shape
    left, top, right, bottom = boxes.T
    # Columns, rows, both or none are reversed, and then the ones exchanged for the others.
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    edges = [top, left, bottom, right] if orientation >= 5 else [left, top, right, bottom]
    return np.stack(edges, axis=1)


def part(annotations: Annotations, indices: np.ndarray) -> Annotations:
    """The annotations of some of the pictures, in their order; what was noted stays with all."""
    ids = annotations.image_ids
    return dataclasses.replace(
        annotations,
        paths=tuple(annotations.paths[index] for index in indices),
        shapes=annotations.shapes[indices],
        objects=annotations.objects.part(indices),
        image_ids=tuple(ids[index] for index in indices) if ids else (),
    )


def joined(parts: Sequence[Annotations]) -> Annotations:
    """The annotations of several places as one; of classes those of all, sorted, or as they are."""
    if len(parts) == 1:
        return parts[0]
    names = sorted({name for each in parts for name in each.class_names})
    parts = [relabelled(each, names) for each in parts]
    tables = [each.objects for each in parts]
    counts = np.concatenate([np.diff(table.splits) for table in tables])
    return Annotations(
        tuple(path for each in parts for path in each.paths),
        np.concatenate([each.shapes for each in parts]),
        ObjectTable(
            np.concatenate([table.boxes for table in tables]),
            np.concatenate([table.labels for table in tables]),
            np.concatenate([table.is_ignored for table in tables]),
            np.concatenate([table.areas for table in tables]),
            np.concatenate([[0], np.cumsum(counts)]),
        ),
        tuple(names),
        sum((each.notes for each in parts), collections.Counter()),
        image_ids=tuple(identity for each in parts for identity in each.image_ids),
    )


def relabelled(annotations: Annotations, class_names: Sequence[str]) -> Annotations:
    """The same annotations with labels that index other names, among which are all of theirs."""
    places = {name: place for place, name in enumerate(class_names)}
    labels = np.array([places[name] for name in annotations.class_names], np.int64)
    table = annotations.objects
    ids = annotations.class_ids
    return dataclasses.replace(
        annotations,
        objects=dataclasses.replace(table, labels=labels[table.labels]),
        class_names=tuple(class_names),
        class_ids=tuple(ids[place] for place in np.argsort(labels)) if ids else (),
    )
