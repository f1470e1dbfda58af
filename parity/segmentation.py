"""Compares our segmentation networks with what `segmentation_peers.py` wrote of torchvision's.

python parity/segmentation.py DIRECTORY
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf

from keras_resnet.segmentation.interpolation import resized
from keras_resnet.segmentation.torch_weights import read_segmenter

LIMIT = 1e-4


def compare(name, found, expected):
    """Prints the largest difference, and ends with an error where it is too large."""
    difference = np.abs(found - expected).max()
    print(f"{name}: {difference:.1e}, of values to {np.abs(expected).max():.3g}")
    if not difference <= LIMIT:
        raise SystemExit(f"{name} differs by more than {LIMIT:g}.")


def main():
    """Compares all networks that were written."""
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*_resnet*.pth")):
        model = read_segmenter(path)
        with np.load(path.with_suffix(".npz")) as arrays:
            number = sum(np.prod(v.shape) for v in model.trainable_variables)
            print(f"{path.stem}: {number:,.0f} parameters")
            if number != arrays["parameters"]:
                raise SystemExit(f"torchvision's has {arrays['parameters']:,} parameters.")
            for place in range(2):
                images = tf.constant(arrays[f"images{place}"])
                _, of_inner = model.maps(images)
                of_inner = resized(of_inner, tf.shape(images)[1:3])
                about = "x".join(map(str, images.shape[1:3]))
                compare(f"  {about}, scores", model(images), arrays[f"out{place}"])
                compare(f"  {about}, auxiliary scores", of_inner, arrays[f"aux{place}"])


if __name__ == "__main__":
    main()
