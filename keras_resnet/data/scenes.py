"""The embedded data sets for detectors, segmenters and localizers: shapes in pictures, drawn here.

One to four of the eight shapes, of several sizes, colors and tilts, on a shaded, cluttered, noisy
background. "scenes" are squares of 128 pixels; "mixed_scenes" have sides of 96 to 160 pixels, lying
and upright. "hidden_shapes" are as "scenes", but for one small shape each, among one to three
larger things of no class. The pictures are a function of set, split and index alone.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_resnet.data.masks import MaskTable, counted, encoded
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.shapes import CLASS_NAMES, THINGS, mask, shaded

NUM_EXAMPLES = {"train": 4000, "validation": 500}
SETS = ("scenes", "mixed_scenes", "hidden_shapes")
MASK_NAMES = ("background", *CLASS_NAMES)
_SPLIT_SEEDS = {"train": 0, "validation": 1}
_SIDE = 128
_SIDES = (96, 160)

# Of a shape, in pixels from its center; of hidden ones, and of what is around them.
_RADII = (9, 30)
_RADII_OF_HIDDEN = (10, 16)
_RADII_OF_THINGS = (16, 30)

# Of the smaller of two shapes' circles at most so much of the distance is shared.
_LEAST_DISTANCE = 0.8


class Scene(NamedTuple):
    """One example.

    Attributes:
      jpeg: bytes of an RGB JPEG.
      boxes: around what is seen of each shape, float64 [n, 4]: left, top, right and bottom edge, in
        pixels.
      labels: of the shapes, indices into `CLASS_NAMES`, int64 [n].
      ids: of the pixels, indices into `MASK_NAMES`, uint8 [height, width].
    """

    jpeg: bytes
    boxes: np.ndarray
    labels: np.ndarray
    ids: np.ndarray


def draw(name: str, split: str, index: int) -> Scene:
    """One example.

    Args:
      name: one of `SETS`.
      split: "train" or "validation".
      index: number of the example, from 0.
    """
    # Other pictures than those of `shapes`.
    rng = np.random.default_rng([2 + SETS.index(name), _SPLIT_SEEDS[split], index])
    is_mixed = name == "mixed_scenes"
    height, width = rng.integers(*_SIDES, size=2) if is_mixed else (_SIDE, _SIDE)
    image = _background(rng, height, width)
    boxes, labels = [], []
    ids = np.zeros((height, width), np.uint8)
    is_hidden = name == "hidden_shapes"
    radii = [_RADII_OF_HIDDEN, *[_RADII_OF_THINGS] * 3] if is_hidden else [_RADII] * 4
    for number, (center, radius) in enumerate(_places(rng, height, width, radii, 1 + is_hidden)):
        is_thing = is_hidden and number > 0
        kinds = THINGS if is_thing else CLASS_NAMES
        label = int(rng.integers(len(kinds)))
        seen = _seen(rng, kinds[label], center, radius, height, width)
        image[seen] = rng.uniform(150, 250, size=3)
        ids[seen] = 0 if is_thing else 1 + label
        if is_thing:
            continue
        labels.append(label)
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    image += rng.normal(0, rng.uniform(0, 12), size=image.shape)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    jpeg = tf.io.encode_jpeg(pixels, quality=int(rng.integers(70, 96))).numpy()
    return Scene(jpeg, np.array(boxes, np.float64), np.array(labels, np.int64), ids)


def _background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A dark gradient with some lines, float64 [height, width, 3]."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    image = shaded(rng, x / width, y / height)
    for _ in range(rng.integers(0, 5)):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(0.1, 0.9)
        distance = (x - offset * width) * np.cos(angle) + (y - offset * height) * np.sin(angle)
        image[np.abs(distance) < 1] = rng.uniform(70, 140, size=3)
    return image


def _places(
    rng: np.random.Generator,
    height: int,
    width: int,
    radii: Sequence[tuple[float, float]],
    least: int,
) -> list[tuple[tuple[float, float], float]]:
    """Centers (x, y) and radii of shapes that are all to be seen.

    Args:
      rng: of the picture.
      height, width: of the picture.
      radii: between which the one of each is.
      least: how many there are at least.
    """
    places: list[tuple[tuple[float, float], float]] = []
    number = rng.integers(least, len(radii) + 1)
    while len(places) < number:
        # Small ones as often as twice as large ones.
        radius = float(np.exp(rng.uniform(*np.log(radii[len(places)]))))
        x, y = (float(rng.uniform(radius, side - radius)) for side in (width, height))
        if all(
            np.hypot(x - other_x, y - other_y) > _LEAST_DISTANCE * (radius + other)
            for (other_x, other_y), other in places
        ):
            places.append(((x, y), radius))
    return places


def _seen(
    rng: np.random.Generator,
    name: str,
    center: tuple[float, float],
    radius: float,
    height: int,
    width: int,
) -> np.ndarray:
    """The pixels of a shape, somewhat tilted, bool [height, width]."""
    tilt = rng.uniform(-0.35, 0.35)
    # Of the pixels those that may be in it: a corner of its square is 1.42 radii away.
    (left, top), (right, bottom) = (
        [max(0, int(place + reach)) for place in center] for reach in (-1.5 * radius, 1.5 * radius)
    )
    y, x = np.mgrid[top : min(bottom + 1, height), left : min(right + 1, width)].astype(np.float64)
    u, v = (x - center[0]) / radius, (y - center[1]) / radius
    seen = np.zeros((height, width), bool)
    of_window = mask(name, u * np.cos(tilt) + v * np.sin(tilt), v * np.cos(tilt) - u * np.sin(tilt))
    seen[top : top + len(y), left : left + y.shape[1]] = of_window
    return seen


@functools.cache
def scenes(name: str, split: str) -> list[Scene]:
    """All examples of a split."""
    return [draw(name, split, index) for index in range(NUM_EXAMPLES[split])]


def objects(name: str, split: str) -> ObjectTable:
    """The objects of all examples of a split."""
    drawn = scenes(name, split)
    return ObjectTable.of([each.boxes for each in drawn], [each.labels for each in drawn])


def masks(name: str, split: str) -> MaskTable:
    """The masks of all examples of a split, whose ids index `MASK_NAMES`."""
    every = [each.ids for each in scenes(name, split)]
    return MaskTable.of(map(encoded, every), map(counted, every))
