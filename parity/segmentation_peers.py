"""Writes what torchvision's segmentation networks answer, to be compared with.

Runs in the environment of peers.py:

  python parity/segmentation_peers.py DIRECTORY

DIRECTORY gets a NAME.pth and a NAME.npz for each network, with random weights: images of an even
and of an odd size, the logits of both heads, and the number of parameters.
"""

import pathlib
import sys

import numpy as np
import torch
import torchvision

NAMES = ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")
SIZES = ((64, 96), (75, 101))


def randomize(model, generator):
    """Gives the normalizations statistics, scales and offsets that are not 0 or 1."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Of many blocks the sum is to stay small.
            scale = 0.2 if name.endswith("bn3") else 1.0
            for values, low, high in (
                (module.running_mean, -0.1, 0.1),
                (module.running_var, 0.5, 1.5),
                (module.weight.data, 0.5 * scale, 1.5 * scale),
                (module.bias.data, -0.1, 0.1),
            ):
                values.uniform_(low, high, generator=generator)


def main():
    """Writes all."""
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(1)
        model = torchvision.models.segmentation.__dict__[name](
            weights=None, weights_backbone=None, aux_loss=True
        ).eval()
        randomize(model, generator)
        torch.save(model.state_dict(), directory / f"{name}.pth")
        arrays = {"parameters": sum(values.numel() for values in model.parameters())}
        for place, size in enumerate(SIZES):
            images = torch.randn((2, 3, *size), generator=generator)
            with torch.no_grad():
                answers = model(images)
            arrays[f"images{place}"] = images.permute(0, 2, 3, 1)
            arrays[f"out{place}"] = answers["out"].permute(0, 2, 3, 1)
            arrays[f"aux{place}"] = answers["aux"].permute(0, 2, 3, 1)
        np.savez(directory / f"{name}.npz", **arrays)
        print(name, arrays["parameters"])


if __name__ == "__main__":
    main()
