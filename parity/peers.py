"""Writes what torchvision's and timm's networks answer with random weights, to be compared with.

Runs in an environment of its own, with torch, torchvision, timm and scikit-image, without
TensorFlow:

  python parity/peers.py DIRECTORY

For each network DIRECTORY gets <name>.pth and <name>.safetensors, its weights, and <name>.npz: the
last map of each stage and the logits for every photograph, as float32 of [height, width, channels].
Dilated ones have the output stride at the end of their names. sets.json has what torchvision and
timm say of their published weights, and sets.npz what these expect of a photograph.
"""

import json
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


def write(path, model, images):
    """Writes the weights of a network with random statistics, and its answers."""
    torch.manual_seed(0)
    model.eval()
    randomize(model, 0)
    torch.save(model.state_dict(), path.with_suffix(".pth"))
    safetensors.torch.save_file(model.state_dict(), path.with_suffix(".safetensors"))
    arrays = {}
    for number, image in enumerate(images):
        arrays[f"{number}/images"] = image[0].permute(1, 2, 0).numpy()
        for name, value in answers(model, image).items():
            arrays[f"{number}/{name}"] = value
    np.savez(path.with_suffix(".npz"), **arrays)
    print(path, flush=True)


def write_sets(directory):
    """What is published of weights: URL, top-1 if it is said, and the inputs for a photograph."""
    picture = PIL.Image.fromarray(skimage.data.chelsea())
    facts, arrays = {}, {"pixels": np.array(picture)}
    for depth in DEPTHS:
        for weights in torchvision.models.get_model_weights(f"resnet{depth}"):
            name = f"torchvision/{weights.name.rpartition('_')[2].lower()}/{depth}"
            top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
            facts[name] = {"url": weights.url, "top1": top1}
            arrays[name] = weights.transforms()(picture).permute(1, 2, 0).numpy()
        for tag in ("tv_in1k", "a1_in1k"):
            config = timm.models.get_pretrained_cfg(f"resnet{depth}.{tag}").to_dict()
            name = f"timm/{tag}/{depth}"
            facts[name] = {"url": config["url"], "hub": f"{config['hf_hub_id']}"}
            expected = timm.data.resolve_data_config({}, config, use_test_size=True)
            transform = timm.data.create_transform(**expected)
            arrays[name] = transform(picture).permute(1, 2, 0).numpy()
    (directory / "sets.json").write_text(json.dumps(facts))
    np.savez(directory / "sets.npz", **arrays)


def main(directory):
    """Writes all files."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_sets(directory)
    images = []
    for name, (height, width) in PHOTOGRAPHS.items():
        picture = PIL.Image.fromarray(getattr(skimage.data, name)())
        pixels = np.array(picture.resize((width, height)), np.float32)
        images.append(torch.from_numpy((pixels - 118) / 60).permute(2, 0, 1)[None])
    for depth in DEPTHS:
        torchvisions = getattr(torchvision.models, f"resnet{depth}")
        write(directory / f"torchvision-{depth}", torchvisions(), images)
        timms = timm.create_model(f"resnet{depth}", pretrained=False)
        write(directory / f"timm-{depth}", timms, images)
    for stride, dilated in ((16, (False, False, True)), (8, (False, True, True))):
        model = torchvision.models.resnet50(replace_stride_with_dilation=dilated)
        write(directory / f"torchvision-50-{stride}", model, images)
    # The format before torch 1.6.
    legacy = directory / "legacy.pth"
    torch.save(model.state_dict(), legacy, _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
