"""The embedded data set for detectors and segmenters: pictures of several shapes, drawn here.

One to four of the eight shapes, of several sizes, colors and tilts, on a shaded, cluttered, noisy
background. "scenes" are squares of 128 pixels; "mixed_scenes" have sides of 96 to 160 pixels, lying
and upright. The pictures are a function of set, split and index alone.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_resnet.data.masks import MaskTable, counted, encoded
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.shapes import CLASS_NAMES, mask, shaded

NUM_EXAMPLES = {"train": 4000, "validation": 500}
SETS = ("scenes", "mixed_scenes")
MASK_NAMES = ("background", *CLASS_NAMES)
_SPLIT_SEEDS = {"train": 0, "validation": 1}
_SIDE = 128
_SIDES = (96, 160)

# Of a shape, in pixels from its center.
_RADII = (9, 30)

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
    for center, radius in _places(rng, height, width):
        labels.append(int(rng.integers(len(CLASS_NAMES))))
        seen = _seen(rng, CLASS_NAMES[labels[-1]], center, radius, height, width)
        image[seen] = rng.uniform(150, 250, size=3)
        ids[seen] = 1 + labels[-1]
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
    rng: np.random.Generator, height: int, width: int
) -> list[tuple[tuple[float, float], float]]:
    """Centers (x, y) and radii of one to four shapes that are all to be seen."""
    places: list[tuple[tuple[float, float], float]] = []
    number = rng.integers(1, 5)
    while len(places) < number:
        # Small ones as often as twice as large ones.
        radius = float(np.exp(rng.uniform(*np.log(_RADII))))
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
