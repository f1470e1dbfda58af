"""Writes what torchvision's parts of a detector answer, to be compared with.

Runs in the environment of peers.py:

  python parity/detection_peers.py DIRECTORY

DIRECTORY gets detection.npz: random maps and boxes, RoIAlign and its gradient, RoI pooling, what
non-maximum suppression keeps of each class, anchors, and codes of boxes.
"""

import pathlib
import sys

import numpy as np
import torch
import torchvision
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

STRIDE, SIZE = 16, 7
# Whose anchors are whole pixels, which torchvision rounds to.
SIZES, RATIOS = (32, 64, 128), (0.25, 1.0, 4.0)


def boxes_of(rng, *shape):
    """Within pictures of 400x640 pixels, across their edges and beyond."""
    corners = rng.uniform(-60, 600, (*shape, 2))
    return np.concatenate([corners, corners + rng.uniform(1, 300, (*shape, 2))], -1)


def regions(rng):
    """RoIAlign, forward and backward, and RoI pooling, of two maps of 25x40 places."""
    maps = torch.tensor(rng.normal(size=(2, 8, 25, 40)).astype(np.float32), requires_grad=True)
    boxes = boxes_of(rng, 2, 60).astype(np.float32)
    downstream = rng.normal(size=(120, 8, SIZE, SIZE)).astype(np.float32)
    of_maps = list(torch.tensor(boxes))
    aligned = torchvision.ops.roi_align(maps, of_maps, SIZE, 1 / STRIDE, 2, aligned=True)
    (gradient,) = torch.autograd.grad((aligned * torch.tensor(downstream)).sum(), maps)
    pooled = torchvision.ops.roi_pool(maps, of_maps, SIZE, 1 / STRIDE)
    return {
        "maps": maps.detach().permute(0, 2, 3, 1),
        "boxes": boxes,
        "downstream": downstream.transpose(0, 2, 3, 1),
        "aligned": aligned.detach().permute(0, 2, 3, 1),
        "gradient": gradient.permute(0, 2, 3, 1),
        "pooled": pooled.detach().permute(0, 2, 3, 1),
    }


def suppression(rng):
    """What is kept of 6,000 boxes of each of two classes."""
    boxes = boxes_of(rng, 2, 6000).clip(0, 640).astype(np.float32)
    boxes[..., 2:] = np.maximum(boxes[..., 2:], boxes[..., :2] + 1)
    scores = rng.permutation(12_000).reshape(2, 6000).astype(np.float32)
    kept = [
        torchvision.ops.nms(torch.tensor(of_class), torch.tensor(of_scores), 0.7)[:300]
        for of_class, of_scores in zip(boxes, scores, strict=True)
    ]
    return {"candidates": boxes, "scores": scores, "kept": np.stack(kept)}


def anchors():
    """Those of a map of 5x7 places."""
    generator = AnchorGenerator((SIZES,), (RATIOS,))
    images = ImageList(torch.zeros(1, 3, 5 * STRIDE, 7 * STRIDE), [(5 * STRIDE, 7 * STRIDE)])
    return {"anchors": generator(images, [torch.zeros(1, 8, 5, 7)])[0]}


def codes(rng):
    """Of boxes relative to others, and back."""
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    boxes, others = (torch.tensor(boxes_of(rng, 500).astype(np.float32)) for _ in range(2))
    given = torch.tensor(rng.normal(0, 8, (500, 4)).astype(np.float32))
    return {
        "coded": boxes,
        "references": others,
        "codes": coder.encode_single(boxes, others),
        "given": given,
        "decoded": coder.decode_single(given, others),
    }


def main():
    """Writes all of it."""
    rng = np.random.default_rng(0)
    found = {**regions(rng), **suppression(rng), **anchors(), **codes(rng)}
    arrays = {name: np.asarray(value) for name, value in found.items()}
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    np.savez(directory / "detection.npz", **arrays, sizes=SIZES, ratios=RATIOS)


if __name__ == "__main__":
    main()
