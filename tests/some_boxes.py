"""Boxes for tests, and what they have in common, counted another way than the package does."""

import numpy as np


def random_boxes(rng, *shape, most=20):
    """Boxes of integers from 0 on, float32 [*shape, 4]; some have no area."""
    corners = np.sort(rng.integers(0, most + 1, (*shape, 2, 2)), axis=-2)
    return corners.reshape(*shape, 4).astype(np.float32)


def pixels_of(box, shape=(20, 20)):
    """Which pixels a box of integers covers, bool of the shape."""
    left, top, right, bottom = box
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (x >= left) & (x < right) & (y >= top) & (y < bottom)


def shared(box, other):
    """Intersection over union of two boxes of integers, by their pixels."""
    covered, of_other = pixels_of(box), pixels_of(other)
    union = (covered | of_other).sum()
    return (covered & of_other).sum() / union if union else 0.0
