"""Compares our networks with what `peers.py` wrote of torchvision's and timm's.

Weights go from their files into our networks, and from ours into a file with their names: the same
bits. The last map of each stage and the logits agree to a ten-thousandth of the largest value.

  python parity/compare.py DIRECTORY
"""

import pathlib
import sys
import tempfile

import keras
import numpy as np
import safetensors.numpy

import keras_resnet
from keras_resnet.weights.local import write_safetensors
from keras_resnet.weights.pth import read_pth

LIMIT = 1e-4


def network(path, depth):
    """Our network with the weights of a file, for pictures of any size."""
    stride = {"bottleneck_stride": "3x3"} if depth >= 50 else {}
    return getattr(keras_resnet, f"ResNet{depth}")(
        weights=path,
        input_tensor=keras.Input((None, None, 3)),
        classifier_activation=None,
        **stride,
    )


def largest_difference(model, arrays):
    """Of all maps and logits for all photographs, relative to the largest value of each."""
    last = [f"conv{n}_{number}" for n, number in enumerate(model.get_config()["blocks"], 2)]
    layers = dict(zip(("conv2", "conv3", "conv4", "conv5", "logits"), [*last, "fc"], strict=True))
    outputs = {ours: model.get_layer(name).output for ours, name in layers.items()}
    answer = keras.Model(model.input, outputs)
    differences = []
    for number in range(sum(name.endswith("/images") for name in arrays)):
        found = answer(arrays[f"{number}/images"][np.newaxis], training=False)
        for name, value in found.items():
            expected = arrays[f"{number}/{name}"]
            difference = np.abs(value[0].numpy() - expected).max() / np.abs(expected).max()
            differences.append(difference)
    return max(differences)


def equal_after_return(model, path):
    """Whether a file that we write holds the weights of a file of theirs, bit for bit."""
    theirs = safetensors.numpy.load_file(path)
    with tempfile.TemporaryDirectory() as directory:
        written = pathlib.Path(directory) / "ours.safetensors"
        write_safetensors(model, written)
        ours = safetensors.numpy.load_file(written)
    # Torch counts batches besides.
    names = {name for name in theirs if not name.endswith("num_batches_tracked")}
    return names == ours.keys() and all(np.array_equal(ours[n], theirs[n]) for n in names)


def main(directory):
    """Prints a line for each network; the status is 1 if one of them differs."""
    worst = 0.0
    for path in sorted(pathlib.Path(directory).glob("*.npz")):
        depth = int(path.stem.rpartition("-")[2])
        for suffix in (".pth", ".safetensors"):
            file = path.with_suffix(suffix)
            model = network(file, depth)
            difference = largest_difference(model, np.load(path))
            returned = equal_after_return(model, path.with_suffix(".safetensors"))
            print(f"{file.name}: {difference:.1e}, and back {'equal' if returned else 'UNEQUAL'}")
            worst = max(worst, difference, 0.0 if returned else 1.0)
    read_pth(pathlib.Path(directory) / "legacy.pth")
    sys.exit(not 0 < worst < LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
