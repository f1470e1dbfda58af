"""Compares our networks with what `peers.py` wrote of torchvision's and timm's.

Weights go from their files into our networks, and from ours into a file with their names: the same
bits. The last map of each stage and the logits agree to a ten-thousandth of the largest value, also
those of dilated networks. Published sets have the files, the accuracies and the preprocessing that
torchvision and timm say.

  python parity/compare.py DIRECTORY
"""

import json
import pathlib
import sys
import tempfile

import keras
import numpy as np
import safetensors.numpy

import keras_resnet
from keras_resnet.weights.local import write_safetensors
from keras_resnet.weights.pth import read_pth
from keras_resnet.weights.sets import SETS

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


def largest_difference(outputs_of, arrays):
    """Of all maps and logits for all photographs, relative to the largest value of each."""
    differences = []
    for number in range(sum(name.endswith("/images") for name in arrays)):
        found = outputs_of(arrays[f"{number}/images"][np.newaxis])
        for name, value in found.items():
            expected = arrays[f"{number}/{name}"]
            difference = np.abs(value[0].numpy() - expected).max() / np.abs(expected).max()
            differences.append(difference)
    return max(differences)


def outputs_of_network(model):
    """The function from images to the last map of each stage and the logits, by name."""
    last = [f"conv{n}_{number}" for n, number in enumerate(model.get_config()["blocks"], 2)]
    layers = dict(zip(("conv2", "conv3", "conv4", "conv5", "logits"), [*last, "fc"], strict=True))
    outputs = {ours: model.get_layer(name).output for ours, name in layers.items()}
    answer = keras.Model(model.input, outputs)
    return lambda images: answer(images, training=False)


def outputs_of_pyramid(model, output_stride):
    """The same of a dilated network, without logits."""
    pyramid = keras_resnet.feature_pyramid(model, output_stride)
    return lambda images: {
        name.removesuffix("_x"): value for name, value in pyramid(images).items()
    }


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


def check_sets(directory):
    """Compares what we say of published weights with what their publishers say."""
    facts = json.loads((directory / "sets.json").read_text())
    arrays = np.load(directory / "sets.npz")
    worst = 0.0
    for name, said in facts.items():
        set_name, _, depth = name.rpartition("/")
        ours = SETS[set_name][int(depth)]
        of_hub = f"https://huggingface.co/{said.get('hub')}"
        assert ours.url == said["url"] or ours.url.startswith(of_hub), name
        assert ours.top1 == said.get("top1", ours.top1), name
        inputs = ours.preprocessing(arrays["pixels"])
        # Theirs rounds to integers after each of two passes; one is about 1/57 after dividing.
        worst = max(worst, np.abs(inputs - arrays[name]).max() * 57)
    return len(facts), worst


def main(directory):
    """Prints a line for each network; the status is 1 if one of them differs."""
    directory = pathlib.Path(directory)
    number, difference = check_sets(directory)
    print(f"{number} published sets; inputs for a photograph differ by {difference:.2f} of 255")
    worst = 0.0 if difference < 1.5 else 1.0
    for path in sorted(directory.glob("*-*.npz")):
        _, depth, *output_stride = path.stem.split("-")
        for suffix in (".pth", ".safetensors"):
            file = path.with_suffix(suffix)
            model = network(file, int(depth))
            if output_stride:
                outputs_of = outputs_of_pyramid(model, int(output_stride[0]))
            else:
                outputs_of = outputs_of_network(model)
            difference = largest_difference(outputs_of, np.load(path))
            returned = equal_after_return(model, path.with_suffix(".safetensors"))
            print(f"{file.name}: {difference:.1e}, and back {'equal' if returned else 'UNEQUAL'}")
            worst = max(worst, difference, 0.0 if returned else 1.0)
    read_pth(directory / "legacy.pth")
    sys.exit(not 0 < worst < LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
