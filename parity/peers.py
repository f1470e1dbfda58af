"""Writes what torchvision's and timm's networks answer with random weights, to be compared with.

Runs in an environment of its own, with torch, torchvision, timm and scikit-image, without
TensorFlow:

  python parity/peers.py DIRECTORY

For each network DIRECTORY gets <name>.pth and <name>.safetensors, its weights, and <name>.npz: the
last map of each stage and the logits for every photograph, as float32 of [height, width, channels].
"""

import pathlib
import sys

import numpy as np
import PIL.Image
import safetensors.torch
import skimage.data
import timm
import torch
import torchvision

DEPTHS = (18, 34, 50, 101, 152)
# Photographs, and their heights and widths; odd ones, so that paddings show.
PHOTOGRAPHS = {"astronaut": (224, 224), "chelsea": (225, 193), "coffee": (160, 231)}


def randomize(model, seed):
    """Statistics, scales and offsets that differ from channel to channel."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, like):
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.copy_(uniform(0.3, 0.7, module.weight))
                module.bias.copy_(uniform(-0.2, 0.2, module.bias))
                module.running_mean.copy_(uniform(-0.2, 0.2, module.running_mean))
                module.running_var.copy_(uniform(0.5, 1.5, module.running_var))
            elif isinstance(module, torch.nn.Linear):
                module.bias.copy_(uniform(-0.2, 0.2, module.bias))


def answers(model, images):
    """The last map of each stage and the logits: arrays by name."""
    found = {}
    stages = {f"layer{stage}": f"conv{stage + 1}" for stage in range(1, 5)}
    hooks = [
        getattr(model, theirs).register_forward_hook(
            lambda _module, _inputs, output, ours=ours: found.update({ours: output[0]})
        )
        for theirs, ours in stages.items()
    ]
    with torch.no_grad():
        found["logits"] = model(images)[0]
    for hook in hooks:
        hook.remove()
    return {
        name: (value.permute(1, 2, 0) if value.ndim == 3 else value).numpy()
        for name, value in found.items()
    }


def main(directory):
    """Writes all files."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    images = []
    for name, (height, width) in PHOTOGRAPHS.items():
        picture = PIL.Image.fromarray(getattr(skimage.data, name)())
        pixels = np.array(picture.resize((width, height)), np.float32)
        images.append(torch.from_numpy((pixels - 118) / 60).permute(2, 0, 1)[None])
    for depth in DEPTHS:
        for library, construct in (
            ("torchvision", getattr(torchvision.models, f"resnet{depth}")),
            ("timm", lambda depth=depth: timm.create_model(f"resnet{depth}", pretrained=False)),
        ):
            torch.manual_seed(depth)
            model = construct().eval()
            randomize(model, depth)
            path = directory / f"{library}-{depth}"
            torch.save(model.state_dict(), path.with_suffix(".pth"))
            safetensors.torch.save_file(model.state_dict(), path.with_suffix(".safetensors"))
            arrays = {}
            for number, image in enumerate(images):
                arrays[f"{number}/images"] = image[0].permute(1, 2, 0).numpy()
                for name, value in answers(model, image).items():
                    arrays[f"{number}/{name}"] = value
            np.savez(path.with_suffix(".npz"), **arrays)
            print(path, flush=True)
    # The format before torch 1.6.
    legacy = directory / "legacy.pth"
    torch.save(model.state_dict(), legacy, _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
