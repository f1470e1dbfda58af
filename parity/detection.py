"""Compares the parts of our detector with what `detection_peers.py` wrote of torchvision's.

python parity/detection.py DIRECTORY
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf

from keras_resnet.detection import regions
from keras_resnet.detection.anchors import anchor_shapes, anchors
from keras_resnet.detection.boxes import decode, encode
from keras_resnet.detection.network import REGION_SCALES
from keras_resnet.detection.suppression import suppressed

STRIDE = 16


def compare(name, found, expected, limit):
    """Prints the largest difference, and ends with an error where it is too large."""
    difference = np.abs(np.asarray(found, float) - expected).max()
    print(f"{name}: {difference:.1e}, of values to {np.abs(expected).max():.3g}")
    if not difference <= limit:
        raise SystemExit(f"{name} differs by more than {limit:g}.")


def compare_regions(arrays):
    """RoIAlign of both dtypes, forward and backward, and RoI pooling."""
    maps, boxes = tf.constant(arrays["maps"]), tf.constant(arrays["boxes"])
    size = arrays["aligned"].shape[1]
    for dtype in (tf.float32, tf.float64):
        values = tf.cast(maps, dtype)
        downstream = tf.reshape(
            tf.cast(arrays["downstream"], dtype), [*boxes.shape[:2], size, size, -1]
        )
        with tf.GradientTape() as tape:
            tape.watch(values)
            found = regions.align(values, tf.cast(boxes, dtype), STRIDE, size)
            loss = tf.reduce_sum(found * downstream)
        name = f"RoIAlign, {dtype.name}"
        compare(name, tf.reshape(found, arrays["aligned"].shape), arrays["aligned"], 1e-4)
        gradient = tape.gradient(loss, values)
        compare(f"{name}, gradient", gradient, arrays["gradient"], 1e-3)
    pooled = regions.pool(maps, boxes, STRIDE, size)
    compare("RoI pooling", tf.reshape(pooled, arrays["pooled"].shape), arrays["pooled"], 0)


def main():
    """Compares all that the file has."""
    with np.load(pathlib.Path(sys.argv[1]) / "detection.npz") as loaded:
        arrays = dict(loaded)
    compare_regions(arrays)
    candidates, scores = tf.constant(arrays["candidates"]), tf.constant(arrays["scores"])
    places, counts = suppressed(candidates, scores, 0.7, 300)
    compare("Suppression, places of 2 x 300", places, arrays["kept"], 0)
    compare("Suppression, numbers", counts, np.array([300, 300]), 0)
    shapes = anchor_shapes(arrays["sizes"], arrays["ratios"])
    # torchvision's lie around the corner of a place, ours around its middle. Its ratios come first.
    theirs = arrays["anchors"].reshape(35, 3, 3, 4).swapaxes(1, 2).reshape(-1, 4) + STRIDE / 2
    compare("Anchors", anchors(tf.constant([5, 7]), STRIDE, shapes), theirs, 1e-4)
    codes = encode(arrays["coded"], arrays["references"], REGION_SCALES)
    compare("Codes", codes, arrays["codes"], 1e-3)
    decoded = decode(arrays["given"], arrays["references"], REGION_SCALES)
    compare("Decoded", decoded, arrays["decoded"], 0.05)


if __name__ == "__main__":
    main()
