"""Masks of what COCO's JSON has as outlines: polygons, and runs of pixels of crowds."""

import collections
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.path
import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.data import coco_json
from keras_resnet.data.annotations import WITHOUT_PICTURE, Annotations
from keras_resnet.data.mask_keys import IGNORED, MaskKey
from keras_resnet.data.masks import decoded, encoded
from keras_resnet.texts import harmless


@dataclasses.dataclass(frozen=True)
class Outlined:
    """Pictures and masks of their outlines.

    Attributes:
      pictures: paths.
      pngs: of the masks, see `MaskTable`.
      notes: how much there was of what a person should know, by what it was.
    """

    pictures: tuple[pathlib.Path, ...]
    pngs: np.ndarray
    notes: collections.Counter[str]

    def values(self, index: int, key: MaskKey) -> np.ndarray:
        """The ids of a mask, uint8 [height, width]."""
        return decoded(self.pngs[index])

    def name(self, index: int) -> str:
        """Of a mask, for messages."""
        return f"the size that the annotations say for {self.pictures[index]}"


def read(path: str | os.PathLike[str], found: Annotations) -> tuple[Outlined, tuple[str, ...]]:
    """The masks of pictures in a file, and the names of the classes, of which the first is none.

    Smaller objects lie on larger ones; crowds are of no class; all else is background.

    Args:
      path: of the JSON file.
      found: what `coco_json.read` has made of it, or a part of that.

    Raises:
      UserError: an object has no outline, or none that can be.

    Source: https://cocodataset.org/#format-data.
    """
    content = json.loads(pathlib.Path(path).read_bytes())
    name = harmless(str(path))
    ids = {each["id"]: 1 + found.class_names.index(each["name"]) for each in content["categories"]}
    images = {image["id"]: image for image in content["images"]}
    of_images: dict[int, list[Mapping[str, Any]]] = {identity: [] for identity in images}
    for place, annotation in enumerate(content["annotations"]):
        if not annotation.get("segmentation"):
            raise UserError(
                f"Annotation {place} of {name} has no 'segmentation', of which masks are made."
            )
        of_images[annotation["image_id"]].append({**annotation, "place": place})
    pngs = [
        encoded(_mask(images[identity], of_images[identity], ids, name))
        for identity in map(int, found.image_ids)
    ]
    without = collections.Counter({WITHOUT_PICTURE: found.notes[WITHOUT_PICTURE]})
    outlined = Outlined(found.paths, np.array([*pngs, b""], object)[:-1], +without)
    return outlined, ("background", *found.class_names)


def _mask(
    image: Mapping[str, Any],
    annotations: Sequence[Mapping[str, Any]],
    ids: Mapping[int, int],
    name: str,
) -> np.ndarray:
    """The mask of a picture, uint8 [height, width]."""
    height, width = image["height"], image["width"]
    mask = np.zeros((height, width), np.uint8)
    parts = [
        (_seen(each, height, width, f"Annotation {each['place']} of {name}"), each)
        for each in annotations
    ]
    for seen, annotation in sorted(parts, key=lambda part: -int(part[0].sum())):
        mask[seen] = IGNORED if annotation.get("iscrowd") else ids[annotation["category_id"]]
    return mask


def _seen(annotation: Mapping[str, Any], height: int, width: int, about: str) -> np.ndarray:
    """The pixels of an object, bool [height, width]."""
    outline = annotation["segmentation"]
    if isinstance(outline, dict):
        return _of_runs(outline, height, width, about)
    seen = np.zeros((height, width), bool)
    for polygon in outline if isinstance(outline, list) else [[]]:
        if not _is_polygon(polygon):
            raise UserError(f"{about} has a polygon that is none: three points or more, x and y.")
        seen |= _within(np.array(polygon, float).reshape(-1, 2), height, width)
    return seen


def _within(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels whose middle a polygon holds, bool [height, width]."""
    limits = [width, height]
    left, top = np.clip(np.floor(points.min(axis=0)), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)), 0, limits).astype(int)
    x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    middles = np.stack([x.ravel(), y.ravel()], axis=1)
    within = np.zeros((height, width), bool)
    inside = matplotlib.path.Path(points).contains_points(middles) if len(middles) else middles
    within[top:bottom, left:right] = inside.reshape(x.shape)
    return within


def _is_polygon(values: object) -> bool:
    if not isinstance(values, list) or len(values) < 6 or len(values) % 2:
        return False
    return all(map(coco_json.is_coordinate, values))


def _of_runs(runs: Mapping[str, Any], height: int, width: int, about: str) -> np.ndarray:
    """Those of alternating runs of pixels that are not, and are, of it, column by column."""
    counts: Any = runs.get("counts")
    if isinstance(counts, str):
        counts = _uncompressed(counts)
    are_numbers = isinstance(counts, list) and all(isinstance(n, int) and n >= 0 for n in counts)
    if not are_numbers or sum(counts) != height * width or runs.get("size") != [height, width]:
        raise UserError(f"{about} has runs of pixels that do not make {height} rows of {width}.")
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(width, height).T


def _uncompressed(text: str) -> list[int] | None:
    """The runs of a compressed text; None: it is none.

    Each number has five bits in a letter, the least first, with a sixth that says whether there are
    more; from the fourth on they are differences to the run two before.
    """
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, shift, goes_on = 0, 0, True
        while goes_on:
            if place == len(text) or shift > 60:
                return None
            code = ord(text[place]) - 48
            if not 0 <= code < 64:
                return None
            value |= (code & 31) << shift
            goes_on = bool(code & 32)
            place, shift = place + 1, shift + 5
            if not goes_on and code & 16:
                value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts
