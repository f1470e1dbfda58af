"""The embedded demonstration data set: photographs of nothing, drawn and compressed here.

Eight shapes of many colors, sizes, places and tilts on a shaded, cluttered, noisy background, as
JPEGs of 40 to 96 pixels. The images are a function of their split and index alone.
"""

import functools

import numpy as np
import tensorflow as tf

# What is drawn beside shapes and is of no class.
THINGS = ("bar", "ellipse", "hexagon", "lens")

CLASS_NAMES = ("circle", "crescent", "cross", "heart", "ring", "square", "star", "triangle")
NUM_EXAMPLES = {"train": 3200, "validation": 400}
_SPLIT_SEEDS = {"train": 0, "validation": 1}


def _polygon(x: np.ndarray, y: np.ndarray, corners: int, inner: float | None = None) -> np.ndarray:
    """Where (x, y) lies in a regular polygon, or in a star if the inner radius is smaller."""
    inner = np.cos(np.pi / corners) if inner is None else inner
    sector = 2 * np.pi / corners
    angle = np.abs((np.arctan2(y, x) + sector / 2) % sector - sector / 2)
    # The edge runs from the corner (1, 0) to the middle of the sector at the inner radius.
    dx, dy = inner * np.cos(sector / 2) - 1.0, inner * np.sin(sector / 2)
    px, py = np.hypot(x, y) * np.cos(angle), np.hypot(x, y) * np.sin(angle)
    return dx * py - dy * (px - 1.0) > 0


# Masks over coordinates in units of the shape's radius.
_MASKS = {
    "circle": lambda x, y: np.hypot(x, y) < 0.9,
    "crescent": lambda x, y: (np.hypot(x, y) < 1) & (np.hypot(x - 0.45, y) > 0.75),
    "cross": lambda x, y: (np.maximum(abs(x), abs(y)) < 1) & (np.minimum(abs(x), abs(y)) < 0.3),
    "heart": lambda x, y: (1.7 * x**2 + (1.3 * y - 0.9 * np.sqrt(np.abs(x))) ** 2) < 1,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.75) < 0.22,
    "square": lambda x, y: _polygon(x, y, 4),
    "star": lambda x, y: _polygon(x, y, 5, inner=0.42),
    "triangle": lambda x, y: _polygon(x, y, 3),
    "bar": lambda x, y: (abs(x) < 1) & (abs(y) < 0.3),
    "ellipse": lambda x, y: np.hypot(x, 1.8 * y) < 1,
    "hexagon": lambda x, y: _polygon(x, y, 6),
    "lens": lambda x, y: np.hypot(abs(x) + 0.6, y) < 1.15,
}


def shaded(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A dark gradient over coordinates of 0 to 1, float64 [height, width, 3]."""
    near, far = rng.uniform(10, 110, size=(2, 3))
    slope = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1) + 1) / 2
    return near + (far - near) * slope[..., np.newaxis]


def mask(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where a shape is, at coordinates from its center in units of its radius."""
    return _MASKS[name](x, y)


def draw(split: str, index: int) -> tuple[bytes, int]:
    """The JPEG of one example and its label.

    Args:
      split: "train" or "validation".
      index: number of the example, from 0.

    Returns:
      bytes of an RGB JPEG, and the label as an index into `CLASS_NAMES`.
    """
    rng = np.random.default_rng([_SPLIT_SEEDS[split], index])
    label = index % len(CLASS_NAMES)
    height, width = rng.integers(40, 97, size=2)
    y, x = np.mgrid[:height, :width].astype(np.float64)

    # Light on dark: a small network then learns the shapes in a minute.
    shape_color, clutter = rng.uniform(150, 250, size=3), rng.uniform(70, 140, size=3)
    image = shaded(rng, x / width, y / height)
    for _ in range(rng.integers(0, 3)):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8)
        distance = (x - offset * width) * np.cos(angle) + (y - offset * height) * np.sin(angle)
        image[np.abs(distance) < 1] = clutter

    # Within the central square: a center crop must not cut the shape away.
    side = min(height, width)
    radius = rng.uniform(0.32, 0.46) * side
    reach = side / 2 - radius
    center_x, center_y = np.array([width, height]) / 2 + rng.uniform(-reach, reach, size=2)
    tilt = rng.uniform(-0.35, 0.35)
    u, v = (x - center_x) / radius, (y - center_y) / radius
    seen = mask(
        CLASS_NAMES[label],
        u * np.cos(tilt) + v * np.sin(tilt),
        v * np.cos(tilt) - u * np.sin(tilt),
    )
    image[seen] = shape_color
    image += rng.normal(0, rng.uniform(0, 12), size=image.shape)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return tf.io.encode_jpeg(pixels, quality=int(rng.integers(70, 96))).numpy(), label


@functools.cache
def examples(split: str) -> tuple[list[bytes], np.ndarray]:
    """All JPEGs and labels of a split: a list of bytes and an int64 array."""
    drawn = [draw(split, index) for index in range(NUM_EXAMPLES[split])]
    return [jpeg for jpeg, _ in drawn], np.array([label for _, label in drawn], np.int64)
